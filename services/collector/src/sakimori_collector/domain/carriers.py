"""Lines of a server that reach us through syslog: the header says where, the line inside what."""

from collections.abc import Callable
from dataclasses import replace

from sakimori_collector.domain.flat import Fields
from sakimori_collector.domain.format import LineRejected, Record, Reference
from sakimori_collector.domain.generic import OF_ARRIVAL
from sakimori_collector.domain.syslog import SyslogLine, read_syslog

Parse = Callable[[str, Reference], list[Record]]


def carried(parse: Parse) -> Parse:
    """Make a parser read lines as they are, and, where that fails, what stands behind a header of syslog."""

    def read(line: str, reference: Reference) -> list[Record]:
        try:
            return parse(line, reference)
        except LineRejected as bare:
            try:
                syslog = read_syslog(line, reference)
                records = parse(syslog.message, replace(reference, now=syslog.time))
            except LineRejected:
                raise bare from None
        for _, fields in records:
            fields.pop(OF_ARRIVAL, None)
            for name, value in _header(syslog).items():
                fields.setdefault(name, value)
        return records

    return read


def _header(syslog: SyslogLine) -> Fields:
    fields: Fields = dict(syslog.extra)
    if syslog.host:
        fields["host.hostname"] = syslog.host
    if syslog.process and syslog.process not in {"CEF", "LEEF"}:
        fields["process.name"] = syslog.process
    if syslog.pid is not None:
        fields["process.pid"] = int(syslog.pid)
    return fields
