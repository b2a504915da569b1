"""Times as structured logs write them, as microseconds since the epoch: numbers of any unit, and the usual texts.

The one rule for clocks: a time before 1990 (a clock that was never set begins in 1970 or 1980) or over a day ahead of
this host's comes of a broken clock; such a line is rejected, and waits in the quarantine with the reason.
"""

import re
from datetime import UTC, datetime, timedelta, timezone, tzinfo
from functools import lru_cache
from typing import Final

from sakimori_collector.domain.format import LineRejected, Reference
from sakimori_collector.domain.times import DAY, OLDEST, access_time, syslog_time
from sakimori_common.instants import MICROSECONDS, format_instant, to_datetime, to_microseconds

_LONGEST: Final = 64
_NUMBER: Final = re.compile(r"-?\d{1,20}(?:\.\d{1,20})?")
_BY_MAGNITUDE: Final = ((10**11, MICROSECONDS, 1), (10**14, 1000, 1), (10**17, 1, 1), (10**20, 1, 1000))
"""Below, factor, divisor: seconds reach 10**11 in the year 5138, and each next unit stands for 1973 where it begins."""


def plausible(time: int, reference: Reference) -> int:
    """Return a time as it is. Raises LineRejected for one that no working clock says."""
    if time > reference.now + DAY:
        raise LineRejected(f"over a day ahead of this host's clock: {_show(time)}")
    if time < OLDEST:
        raise LineRejected(f"no such time: {_show(time)}, before 1990: a clock that was never set")
    return time


def time_of(value: object, reference: Reference) -> int:
    """Read a time of any of the forms below, number or text. Raises LineRejected."""
    if isinstance(value, bool) or not isinstance(value, str | int | float):
        raise LineRejected("no time in it" if value is None else f"no time: {str(value)[:_LONGEST]}")
    try:
        if isinstance(value, str):
            time = (
                _iso(value, reference.zone) if value[4:5] == "-" or value[8:9] == "T" else _text_time(value, reference)
            )
        else:
            time = epoch_time(value)
    except (ValueError, OverflowError) as error:
        raise LineRejected(str(error)) from None
    return plausible(time, reference)


def epoch_time(value: float) -> int:
    """Read seconds, milli-, micro- or nanoseconds since the epoch; the magnitude tells which. Raises ValueError.

    A float holds microseconds exactly until the year 2255.
    """
    size = abs(value)
    for below, factor, divisor in _BY_MAGNITUDE:
        if size < below:
            return int(value) * factor // divisor if isinstance(value, int) else round(value * factor / divisor)
    raise ValueError(f"no such time: {str(value)[:_LONGEST]}")


def _show(time: int) -> str:
    try:
        return format_instant(time)
    except OverflowError:
        return f"{time} microseconds since 1970"


def _iso(text: str, zone: tzinfo) -> int:
    """ISO 8601, with a space or T, comma or point; without a zone it is the host's."""
    try:
        moment = datetime.fromisoformat(text)
    except ValueError:
        return _worded(text, zone)
    return to_microseconds(moment if moment.tzinfo is not None else moment.replace(tzinfo=zone))


def _text_time(text: str, reference: Reference) -> int:
    if _NUMBER.fullmatch(text):
        return epoch_time(float(text) if "." in text else int(text))
    if text[2:3] == "/" and text[6:7] == "/":
        return access_time(text)
    if _YEAR_LESS.fullmatch(text):
        return year_less_time(text[:15], reference)
    return _worded(text, reference.zone)


_YEAR_LESS = re.compile(r"[A-Z][a-z]{2} [ \d]\d \d\d:\d\d:\d\d(?:\.\d{1,9})?")


def in_zone(local: int, zone: tzinfo) -> int:
    """Read a clock that was taken for UTC as that of a zone."""
    if zone is UTC:
        return local
    return to_microseconds(to_datetime(local).replace(tzinfo=zone))


def year_less_time(text: str, reference: Reference) -> int:
    """Read `Jun 12 16:20:12`, which is at most a day ahead. Raises ValueError."""
    tomorrow = reference.now // DAY + 1
    time = syslog_time(text, tomorrow, reference.zone)
    return time if time <= reference.now + DAY else syslog_time(text, tomorrow - 1, reference.zone)


_CLOCK = r"(?P<clock>\d\d:\d\d:\d\d(?:[.,]\d{1,12})?)"
_ZONE = r"(?: ?(?P<zone>Z|[+-]\d\d:?\d\d|[A-Z]{3,4}))?"
_MONTH = r"(?P<month>[A-Z][a-z]{2})"
_WORDED: Final = tuple(
    re.compile(pattern)
    for pattern in (
        rf"(?P<year>\d{{4}})[-/](?P<number>\d\d)[-/](?P<day>\d\d)[ T]{_CLOCK}{_ZONE}",
        rf"(?:[A-Z][a-z]{{2}},? )?(?P<day>\d{{1,2}})[ -]{_MONTH}[ -](?P<year>\d{{4}}) {_CLOCK}{_ZONE}",
        rf"(?:[A-Z][a-z]{{2}} )?{_MONTH} (?P<day>[ \d]?\d),? (?P<year>\d{{4}}) {_CLOCK}{_ZONE}",
        rf"(?:[A-Z][a-z]{{2}} )?{_MONTH} (?P<day>[ \d]?\d) {_CLOCK}{_ZONE} (?P<year>\d{{4}})",
    )
)
"""`2026/01/16 01:59:58`, `2026-01-16 01:59:58 UTC`; of RFC 2822 and HTTP; of CEF; of Apache's error log and `date`."""
_HOURS: Final[dict[str, float]] = {
    "Z": 0, "UTC": 0, "GMT": 0, "WET": 0, "WEST": 1, "CET": 1, "CEST": 2, "EET": 2, "EEST": 3, "MSK": 3, "IST": 5.5,
    "JST": 9, "KST": 9, "AEST": 10, "AEDT": 11, "EST": -5, "EDT": -4, "CST": -6, "CDT": -5, "MST": -7, "MDT": -6,
    "PST": -8, "PDT": -7,
}  # fmt: skip
"""What RFC 2822 defines, and those that are in use for one zone; others are no zone one could be sure of."""
_MONTHS: Final = "Jan Feb Mar Apr May Jun Jul Aug Sep Oct Nov Dec".split()  # noqa: SIM905


@lru_cache(maxsize=8192)
def _worded(text: str, zone: tzinfo) -> int:
    for pattern in _WORDED:
        match = pattern.fullmatch(text)
        if match is not None:
            try:
                return to_microseconds(_moment(match.groupdict(), zone))
            except ValueError as error:
                raise ValueError(f"no such time: {text[:_LONGEST]} ({error})") from None
    raise ValueError(f"no such time: {text[:_LONGEST]}")


def _moment(parts: dict[str, str | None], zone: tzinfo) -> datetime:
    month = _MONTHS.index(parts["month"] or "") + 1 if parts.get("month") else int(parts["number"] or 0)
    clock = (parts["clock"] or "").replace(",", ".")
    # A leap second is written as 60; no clock of ours knows it.
    clock = clock[:6] + "59" + clock[8:] if clock[6:8] == "60" else clock
    day = f"{int(parts['year'] or 0):04}-{month:02}-{int(parts['day'] or 0):02}"
    return datetime.fromisoformat(f"{day}T{clock}").replace(tzinfo=_zone(parts["zone"], zone))


def _zone(text: str | None, zone: tzinfo) -> tzinfo:
    if text is None:
        return zone
    if text[0] in "+-":
        minutes = int(text[1:3]) * 60 + int(text[-2:])
        return timezone(timedelta(minutes=-minutes if text[0] == "-" else minutes))
    if text not in _HOURS:
        raise ValueError(f"no zone that is known: {text}")
    return timezone(timedelta(hours=_HOURS[text])) if _HOURS[text] else UTC
