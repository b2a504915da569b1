"""Parts of the times that events hold, for Sigma's time modifiers; as specified, no time zone is converted."""

from datetime import UTC, datetime
from typing import Final, Literal, get_args

from sakimori_detector.sigma.events import FieldValue

TimePartName = Literal["minute", "hour", "day", "week", "month", "year"]
TIME_PARTS: Final[tuple[TimePartName, ...]] = get_args(TimePartName)

_MILLISECONDS_FROM: Final = 1e11
_MICROSECONDS_FROM: Final = 1e14
"""Numbers are seconds since the epoch; from here on (the year 5138), milli- and microseconds."""
_MAX_CHARACTERS: Final = 64


def part_of(value: FieldValue, part: TimePartName) -> int | None:
    """Take a part of a time: ISO 8601 text, as it is written, or a number since the epoch, in UTC; else None.

    The week is that of ISO 8601, 1 to 53.
    """
    time = _time(value)
    if time is None:
        return None
    return time.isocalendar().week if part == "week" else int(getattr(time, part))


def _time(value: FieldValue) -> datetime | None:
    try:
        if isinstance(value, str):
            return datetime.fromisoformat(value.strip()) if len(value) <= _MAX_CHARACTERS else None
        if isinstance(value, bool) or not isinstance(value, int | float):
            return None
        size = abs(value)
        scale = 1e6 if size >= _MICROSECONDS_FROM else 1e3 if size >= _MILLISECONDS_FROM else 1.0
        return datetime.fromtimestamp(value / scale, UTC)
    except (ValueError, OverflowError, OSError):
        return None
