"""Lines of a server that reach us through syslog: the header says where, the line inside what."""

from collections.abc import Callable
from dataclasses import replace
from typing import Final

from sakimori_collector.domain.flat import Fields
from sakimori_collector.domain.format import LineRejected, Record, Reference
from sakimori_collector.domain.formats.syslog_program import is_usual
from sakimori_collector.domain.generic import OF_ARRIVAL
from sakimori_collector.domain.syslog import SyslogLine, read_syslog

_MARKS: Final = frozenset({"CEF", "LEEF"})
Parse = Callable[[str, Reference], list[Record]]


def carried(parse: Parse) -> Parse:
    """Make a parser read lines as they are, and, where that fails, what stands behind a header of syslog."""

    def read(line: str, reference: Reference) -> list[Record]:
        if is_usual(line):
            return _unwrapped(parse, line, reference)
        try:
            return parse(line, reference)
        except LineRejected as bare:
            try:
                return _unwrapped(parse, line, reference)
            except LineRejected:
                raise bare from None

    return read


def _unwrapped(parse: Parse, line: str, reference: Reference) -> list[Record]:
    syslog = read_syslog(line, reference)
    is_name = syslog.process in _MARKS  # what stands before the colon looks like a program
    text = f"{syslog.process}:{syslog.message}" if is_name else syslog.message
    records = parse(text, replace(reference, now=syslog.time))
    for _, fields in records:
        fields.pop(OF_ARRIVAL, None)
        for name, value in _header(syslog).items():
            fields.setdefault(name, value)
    return records


def _header(syslog: SyslogLine) -> Fields:
    fields: Fields = dict(syslog.extra)
    if syslog.host:
        fields["host.hostname"] = syslog.host
    if syslog.process and syslog.process not in _MARKS:
        fields["process.name"] = syslog.process
    if syslog.pid is not None:
        fields["process.pid"] = int(syslog.pid)
    return fields
