"""Lines of syslog: each as the program that wrote it means it."""

import re
from typing import Final

from sakimori_collector.domain.format import Format, LineRejected, Record, Reference
from sakimori_collector.domain.programs import PROGRAM_OF, Program
from sakimori_collector.domain.syslog import SyslogLine, read_syslog
from sakimori_common.contracts import FieldValue

MAX_REPEATS: Final = 100
"""So many events at most come of one "message repeated"; twenty times what any rule here counts to."""

_REPEATED = re.compile(r"message repeated (\d{1,9}) times?: \[ ?(.*)\]\s*\Z", re.DOTALL)
_HEADER = r"(?:<\d{1,3}>)?(?:1 )?(?:[A-Z][a-z]{2} (?:[ \d]\d|\d) \d\d:\d\d:\d\d|\d{4}-\d\d-\S{10,30}) \S{1,255} "


def format_of(program: Program) -> Format:
    """Make the format of one program's lines; it rejects those of others."""
    beginning = re.compile(f"{_HEADER}(?:{'|'.join(map(re.escape, sorted(program.names)))})[:\\[( ]")

    def parse(line: str, reference: Reference) -> list[Record]:
        syslog = read_syslog(line, reference)
        if syslog.process not in program.names:
            raise LineRejected(f"not a line of {program.dataset}: {syslog.process[:64]}")
        return _records(syslog, program)

    return Format(program.dataset, parse, lambda line, _: beginning.match(line) is not None)


def parse_syslog(line: str, reference: Reference) -> list[Record]:
    """Read a line of any program: those that nobody here knows keep their message. Raises LineRejected."""
    syslog = read_syslog(line, reference)
    program = PROGRAM_OF.get(syslog.process)
    records = _records(syslog, program)
    if program is not None:
        for _, fields in records:
            fields.setdefault("event.dataset", program.dataset)
    return records


def _records(syslog: SyslogLine, program: Program | None) -> list[Record]:
    repeated = _REPEATED.match(syslog.message) if syslog.message.startswith("message repeated ") else None
    if repeated is None:
        return [(syslog.time, _fields(syslog, program))]
    times = int(repeated[1])
    fields = _fields(syslog._replace(message=repeated[2]), program)
    fields["sakimori.log.repeated"] = times
    return [(syslog.time, fields if number == 0 else dict(fields)) for number in range(min(times, MAX_REPEATS))]


def _fields(syslog: SyslogLine, program: Program | None) -> dict[str, FieldValue]:
    fields: dict[str, FieldValue]
    fields = {"event.category": "host"} if program is None else program.explain(syslog)
    fields["host.hostname"] = syslog.host
    fields["process.name"] = syslog.process
    fields["message"] = syslog.message
    if syslog.pid is not None:
        fields["process.pid"] = int(syslog.pid)
    return fields


_ANY = re.compile(_HEADER + r"[^\s\[:(]+(?:\([^)\s]*\))?(?:\[\d{1,10}\])?: ")

SYSLOG = Format("linux.syslog", parse_syslog, lambda line, _: _ANY.match(line) is not None)
