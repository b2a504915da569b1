"""Instants: microseconds since the Unix epoch (UTC) inside, RFC 3339 with milliseconds and `Z` outside."""

import time
from datetime import UTC, datetime, timedelta
from functools import lru_cache

MICROSECONDS = 1_000_000
"""Microseconds in a second."""

_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
_MICROSECOND = timedelta(microseconds=1)

EARLIEST = 0
LATEST = 253_402_300_799_999_999
"""The last microsecond of the year 9999: what `datetime`, RFC 3339 and PostgreSQL all can hold."""


def to_microseconds(moment: datetime) -> int:
    """Count microseconds since the epoch; exact, unlike `timestamp()`. Raises ValueError for a naive datetime."""
    if moment.tzinfo is None:
        raise ValueError("a time without a zone is not an instant")
    return (moment - _EPOCH) // _MICROSECOND


def to_datetime(microseconds: int) -> datetime:
    """Build the aware UTC datetime. Raises OverflowError beyond the year 9999."""
    return _EPOCH + timedelta(0, 0, microseconds)  # by position: by name it takes twice as long


def format_instant(microseconds: int) -> str:
    """Write RFC 3339 in UTC; milliseconds, or microseconds where they carry something: `2026-01-16T02:00:00.000Z`."""
    seconds, rest = divmod(microseconds, MICROSECONDS)
    digits = str(MICROSECONDS + rest)  # behind a one, which takes half the time that leading zeros do
    return f"{_second(seconds)}.{digits[1:] if rest % 1000 else digits[1:4]}Z"


@lru_cache(4096)
def _second(seconds: int) -> str:
    """Write down to the second; what happens together shares it, and a calendar costs three times the rest."""
    return to_datetime(seconds * MICROSECONDS).replace(tzinfo=None).isoformat(timespec="seconds")


def parse_instant(text: str) -> int:
    """Read RFC 3339 with any offset. Raises ValueError when it is none, lacks a zone or is before 1970."""
    microseconds = to_microseconds(datetime.fromisoformat(text))
    if microseconds < EARLIEST:
        raise ValueError(f"{text} is before 1970")
    return microseconds


def now() -> int:
    """Read the clock: microseconds since the epoch."""
    return time.time_ns() // 1000


def now_text() -> str:
    """Read the clock as RFC 3339 with milliseconds."""
    return format_instant(now() // 1000 * 1000)
