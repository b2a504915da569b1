"""The times that syslog senders write beside those of the RFCs, and what follows them.

Year behind the month or the time (Cisco, `$ActionFileDefaultTemplate`), fractions, names of zones, months of other
languages, ISO 8601 without a zone, seconds since the epoch, the marks of a Cisco clock that is not set (`*`, `.`).
"""

import re
from datetime import UTC, datetime, timedelta, timezone, tzinfo
from functools import lru_cache

from sakimori_collector.domain.format import Reference
from sakimori_collector.domain.months import month_number, zone_seconds
from sakimori_collector.domain.times import DAY, iso_time, since_epoch
from sakimori_common.instants import MICROSECONDS, to_datetime

_CLOCK = r"(?P<clock>\d{1,2}:\d\d:\d\d)(?:[.,](?P<fraction>\d{1,9}))?"
_NAME = r"(?P<month>1?\d[月월]|[^\W\d_]{3,9}\.?)"
_ZONE = r"(?: (?P<zone>[A-Z]{3,4}|[+-]\d\d:?\d\d))?"
_STAMP = re.compile(
    r"[*.]?(?:"
    rf"(?:(?P<before>\d{{4}}) )?{_NAME} {{1,2}}(?P<day>\d{{1,2}})(?:,? (?P<year>\d{{4}}))? {_CLOCK}"
    rf"(?: (?P<after>\d{{4}}))?{_ZONE}"
    r"|(?P<date>\d{4}[-/.]\d\d[-/.]\d\d)[T ](?P<at>\d\d:\d\d:\d\d)(?:[.,](?P<part>\d{1,9}))?"
    r"(?P<offset>Z|[+-]\d\d:?\d\d)?"
    r"|(?P<epoch>[1-9]\d{9})(?:\.(?P<rest>\d{1,9}))?"
    r")(?: ?: | |\Z)"
)


def read_stamp(text: str, reference: Reference) -> tuple[int, str] | None:
    """Read the time at the beginning: it (microseconds since the epoch) and the text behind; None where there is none.

    Raises ValueError where there is one that no calendar has, or with a month of no known language.
    """
    match = _STAMP.match(text)
    if match is None:
        return None
    said = match.groupdict()
    if said["month"] is not None:
        month = month_number(said["month"])
        if not month:
            raise ValueError(f"no such time: {match[0].strip()}")
        time = _named(said, month, reference)
    elif said["date"] is not None:
        time = _numbered(said, reference)
    else:
        time = int(said["epoch"]) * MICROSECONDS + _micros(said["rest"])
    return time, text[match.end() :]


def _named(said: dict[str, str | None], month: int, reference: Reference) -> int:
    year = said["before"] or said["year"] or said["after"]
    zone = _zone(said["zone"]) or reference.zone
    clock, day = said["clock"] or "", int(said["day"] or 0)
    if year is None:
        time = year_less(month, day, clock, reference.now, zone)
    else:
        time = dated(int(year), month, day, clock, zone)
    return time + _micros(said["fraction"])


def _numbered(said: dict[str, str | None], reference: Reference) -> int:
    date, at, part = (said["date"] or "")[:10], said["at"] or "", _micros(said["part"])
    if said["offset"] is not None:
        return iso_time(f"{date[:4]}-{date[5:7]}-{date[8:]}T{at}{said['offset']}") + part
    return dated(int(date[:4]), int(date[5:7]), int(date[8:]), at, reference.zone) + part


@lru_cache(maxsize=4096)
def dated(year: int, month: int, day: int, clock: str, zone: tzinfo) -> int:
    """Give the instant of a local time, `clock` being `9:05:07`; second 60 is the one before. Raises ValueError."""
    hour, minute, second = clock.split(":")
    if second == "60":
        second = "59"
    try:
        moment = datetime(year, month, day, int(hour), int(minute), int(second), tzinfo=zone).astimezone(UTC)
    except (ValueError, OverflowError):
        raise ValueError(f"no such time: {year}-{month}-{day} {clock}") from None
    return since_epoch(moment)


def year_less(month: int, day: int, clock: str, now: int, zone: tzinfo) -> int:
    """Give the last instant of a local time of no year that is at most a day ahead of `now`. Raises ValueError."""
    latest = to_datetime(now + DAY).year
    for year in range(latest, latest - 9, -1):
        try:
            time = dated(year, month, day, clock, zone)
        except ValueError:
            continue  # 29 February, until the year is a leap year
        if time <= now + DAY:
            return time
    raise ValueError(f"no such time: {month}-{day} {clock}")


def _zone(name: str | None) -> tzinfo | None:
    if name is None:
        return None
    if name[0] in "+-":
        hours, minutes = int(name[1:3]), int(name[-2:])
        seconds: int | None = (hours * 60 + minutes) * (-60 if name[0] == "-" else 60)
    else:
        seconds = zone_seconds(name)
    return None if seconds is None or abs(seconds) >= 86_400 else timezone(timedelta(seconds=seconds))


def _micros(fraction: str | None) -> int:
    return int(fraction[:6].ljust(6, "0")) if fraction else 0
