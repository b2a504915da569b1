"""The times that log lines carry, as microseconds since the epoch.

All functions raise ValueError that says what is wrong. Busy logs repeat a second thousands of times, so whole texts
are remembered.
"""

from datetime import UTC, datetime, timedelta, timezone, tzinfo
from functools import lru_cache

from sakimori_common.instants import MICROSECONDS, to_datetime, to_microseconds

DAY = 86_400 * MICROSECONDS
"""How far ahead of this host's clock a line may be: what is beyond comes of a broken clock, not of a time zone."""

OLDEST = 631_152_000 * MICROSECONDS
"""1 January 1990, UTC: a clock that was never set begins in 1970 or 1980."""


class ClockNeverSet(ValueError):
    """A time before OLDEST; an event of it would be deleted at once, being too old to keep."""


_MONTHS = {
    name: number
    for number, name in enumerate("Jan Feb Mar Apr May Jun Jul Aug Sep Oct Nov Dec".split(), start=1)  # noqa: SIM905
}


@lru_cache(maxsize=8192)
def access_time(text: str) -> int:
    """Read `17/May/2015:10:05:03 +0000` of an access log."""
    try:
        hours, minutes = int(text[22:24]), int(text[24:26])
        offset = timedelta(hours=hours, minutes=minutes) * (-1 if text[21] == "-" else 1)
        moment = datetime(
            int(text[7:11]),
            _MONTHS[text[3:6]],
            int(text[0:2]),
            int(text[12:14]),
            int(text[15:17]),
            _second(text[18:20]),
            tzinfo=timezone(offset),
        )
        return since_epoch(moment)
    except ClockNeverSet:
        raise
    except (ValueError, KeyError, IndexError, OverflowError):
        raise ValueError(f"no such time: {text}") from None


@lru_cache(maxsize=8192)
def iso_time(text: str) -> int:
    """Read RFC 3339 as syslog writes it, also with `+0900`."""
    try:
        return since_epoch(datetime.fromisoformat(text))
    except ClockNeverSet:
        raise
    except (ValueError, OverflowError):
        raise ValueError(f"no such time: {text}") from None


@lru_cache(maxsize=8192)
def syslog_time(text: str, latest_day: int, zone: tzinfo) -> int:
    """Read `Jun 12 16:20:12` of RFC 3164, which knows neither year nor zone.

    The year is the last one in which the line is not written after the end of `latest_day` (days since the epoch): a
    line is read after it was written, and the day of grace beyond today covers every zone.
    """
    latest = to_datetime((latest_day + 1) * DAY)
    month, day, clock = _MONTHS.get(text[0:3], 0), text[4:6], text[-8:]
    for year in range(latest.year, latest.year - 9, -1):
        try:
            moment = datetime(
                year, month, int(day), int(clock[0:2]), int(clock[3:5]), _second(clock[6:8]), tzinfo=zone
            ).astimezone(UTC)
        except ValueError:
            continue  # 29 February, until the year is a leap year
        if moment < latest:
            return since_epoch(moment)
    raise ValueError(f"no such time: {text}")


def _second(text: str) -> int:
    """A leap second is written as 60; no clock of ours knows it."""
    return min(int(text), 59) if text == "60" else int(text)


def since_epoch(moment: datetime) -> int:
    """Count microseconds since the epoch. Raises ClockNeverSet, and ValueError for a naive datetime."""
    microseconds = to_microseconds(moment)
    if microseconds < OLDEST:
        raise ClockNeverSet(f"no such time: {moment.isoformat()}, before 1990: a clock that was never set")
    return microseconds
