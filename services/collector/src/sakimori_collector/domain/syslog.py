"""The header that syslog daemons put before a message: RFC 3164, RFC 5424, and the first with an RFC 3339 time."""

import re
from typing import NamedTuple

from sakimori_collector.domain.format import LineRejected, Reference
from sakimori_collector.domain.times import DAY, iso_time, syslog_time
from sakimori_common.instants import format_instant

_ISO = r"\d{4}-\d\d-\d\d[T ]\d\d:\d\d:\d\d(?:[.,]\d{1,9})?(?:Z|[+-]\d\d:?\d\d)"
_LINE = re.compile(
    r"(?:<\d{1,3}>)?"
    rf"(?:([A-Z][a-z]{{2}} (?:[ \d]\d|\d) \d\d:\d\d:\d\d)|({_ISO})) "
    r"(\S+) ([^\s\[:(]+)(?:\([^)\s]*\))?(?:\[(\d{1,10})\])?: ?+(.*)\Z",
    re.DOTALL,
)
_STRUCTURED = re.compile(
    rf"<\d{{1,3}}>1 ({_ISO}) (\S+) (\S+) (?:(\d{{1,10}})|\S+) \S+ "
    r'(?:-|(?:\[(?:[^\]"]|"(?:[^"\\]|\\.)*+")*+\])+)(?: (.*))?\Z',
    re.DOTALL,
)


class SyslogLine(NamedTuple):
    """A syslog line taken apart; `time` in microseconds since the epoch."""

    time: int
    host: str
    process: str
    pid: str | None
    message: str


def read_syslog(line: str, reference: Reference) -> SyslogLine:
    """Take a line apart. Raises LineRejected."""
    match = _LINE.match(line)
    if match is not None:
        year_less, iso, host, process, pid, message = match.groups()
    else:
        match = _STRUCTURED.match(line)
        if match is None:
            raise LineRejected("no syslog header (RFC 3164, RFC 5424)")
        iso, host, process, pid, message = match.groups()
        year_less, message = None, (message or "").removeprefix("\ufeff")
    try:
        time = iso_time(iso) if iso else _year_less_time(year_less or "", reference)
    except ValueError as error:
        raise LineRejected(str(error)) from None
    if time > reference.now + DAY:
        raise LineRejected(f"over a day ahead of this host's clock: {format_instant(time)}")
    return SyslogLine(time, host, process, pid, message)


def _year_less_time(text: str, reference: Reference) -> int:
    """The year is remembered by the day, so the last hours are looked at here."""
    tomorrow = reference.now // DAY + 1
    time = syslog_time(text, tomorrow, reference.zone)
    return time if time <= reference.now + DAY else syslog_time(text, tomorrow - 1, reference.zone)
