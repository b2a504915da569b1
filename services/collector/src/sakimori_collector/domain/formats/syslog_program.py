"""Lines of syslog: each as the program that wrote it means it."""

import re
from dataclasses import replace
from typing import Final

from msgspec import structs

from sakimori_collector.domain.format import Format, LineRejected, Record, Reference
from sakimori_collector.domain.formats.payload import read_payload
from sakimori_collector.domain.generic import OF_ARRIVAL
from sakimori_collector.domain.programs import Program, program_of
from sakimori_collector.domain.programs.daemons import explain_login
from sakimori_collector.domain.syslog import SyslogLine, read_syslog
from sakimori_common.contracts import FieldValue

MAX_REPEATS: Final = 100
"""So many events at most come of one "message repeated"; twenty times what any rule here counts to."""

_REPEATED = re.compile(r"message repeated (\d{1,9}) times?: \[ ?(.*)\]\s*\Z", re.DOTALL)
_OTHER_LOGINS: Final = "linux.auth"
"""The dataset of logins to programs that have no file of their own."""


def format_of(program: Program) -> Format:
    """Make the format of one program's lines; others are rejected. `auto` asks SYSLOG, which finds it by name."""

    def parse(line: str, reference: Reference) -> list[Record]:
        syslog = read_syslog(line, reference)
        if syslog.process not in program.names and program_of(syslog.process) is not program:
            raise LineRejected(f"not a line of {program.dataset}: {syslog.process[:64]}")
        return _records(syslog, program)

    return Format(program.dataset, parse, lambda *_: False)


def parse_syslog(line: str, reference: Reference) -> list[Record]:
    """Read a line of any program: those that nobody here knows keep their message. Raises LineRejected."""
    return records_of(read_syslog(line, reference), reference)


def records_of(syslog: SyslogLine, reference: Reference) -> list[Record]:
    """Make events of a message, however it came: by its program, by what it carries, or as it is.

    `event.dataset` is set, but for `linux.syslog`.
    """
    program = program_of(syslog.process)
    if program is None:
        carried = _carried(syslog, reference)
        if carried is not None:
            return carried
    records = _records(syslog, program)
    if program is not None:
        for _, fields in records:
            fields.setdefault("event.dataset", program.dataset)
    return records


def _carried(syslog: SyslogLine, reference: Reference) -> list[Record] | None:
    """The header says where it was written, and when, should the carried line not say it; the rest is that line's."""
    text = syslog.message
    if syslog.process in {"CEF", "LEEF"}:
        text = f"{syslog.process}:{text}"
    records = read_payload(text, replace(reference, now=syslog.time))
    for _, fields in records or ():
        fields.pop(OF_ARRIVAL, None)
        for name, value in header_fields(syslog).items():
            fields.setdefault(name, value)
    return records


def _records(syslog: SyslogLine, program: Program | None) -> list[Record]:
    repeated = _REPEATED.match(syslog.message) if syslog.message.startswith("message repeated ") else None
    if repeated is None:
        return [(syslog.time, _fields(syslog, program))]
    times = int(repeated[1])
    fields = _fields(structs.replace(syslog, message=repeated[2]), program)
    fields["sakimori.log.repeated"] = times
    return [(syslog.time, fields if number == 0 else dict(fields)) for number in range(min(times, MAX_REPEATS))]


def _fields(syslog: SyslogLine, program: Program | None) -> dict[str, FieldValue]:
    if program is None:
        fields = _unknown(syslog)
    else:
        fields = program.explain(syslog)
        if program.logins and fields["event.category"] == "authentication":
            fields.setdefault("event.dataset", program.logins)
    _put_header(fields, syslog)
    fields["message"] = syslog.message
    return fields


def _unknown(syslog: SyslogLine) -> dict[str, FieldValue]:
    fields = explain_login(syslog.message)
    if fields is None:
        return {"event.category": "host"}
    if fields["event.category"] == "authentication":
        fields["event.dataset"] = _OTHER_LOGINS
    return fields


def header_fields(syslog: SyslogLine) -> dict[str, FieldValue]:
    """Give what the header says beside the time."""
    fields: dict[str, FieldValue] = {}
    _put_header(fields, syslog)
    return fields


def _put_header(fields: dict[str, FieldValue], syslog: SyslogLine) -> None:
    if syslog.host:
        fields["host.hostname"] = syslog.host
    if syslog.process:
        fields["process.name"] = syslog.process
    if syslog.pid is not None:
        fields["process.pid"] = int(syslog.pid)
    if syslog.extra:
        fields.update(syslog.extra)


_CLOCK = r"\d\d:\d\d:\d\d(?:[.,]\d{1,9})?"
_TAG = (
    r"(?:(?:\([\w.-]{1,64}\)|[^\s\[:(%/\"'{][^\s\[:(]{0,127})(?:\([^)\s]{0,64}\))?(?:\[[^\]\s]{0,64}\])?:(?: |\Z)"
    r"|[\w./-]{1,64}\[\d{1,10}\] )"
)
_USUAL = re.compile(
    rf"(?:<\d{{1,3}}>|(?:[A-Z][a-z]{{2}} (?:[ \d]\d|\d) {_CLOCK}|"
    rf"\d{{4}}-\d\d-\d\dT{_CLOCK}(?:Z|[+-]\d\d:?\d\d)) \S{{0,254}}[^\s:] {_TAG})"
)
"""The RFCs' shapes: nothing else begins so."""
_RARE = re.compile(
    rf"(?:[^\W\d_]{{3,5}}\.?|1?\d[月월]) {{1,2}}\d{{1,2}} (?:\d{{4}} )?{_CLOCK}(?: \d{{4}})?:? \S{{1,255}} \S"
    rf"|\d{{4}} [A-Z][a-z]{{2}} {{1,2}}\d{{1,2}} {_CLOCK} \S{{1,255}} \S"
    rf"|(?:1 )?\d{{4}}-\d\d-\d\d[T ]{_CLOCK}(?:Z|[+-]\d\d:?\d\d)? \S{{0,254}}[^\s:\]] (?:{_TAG}|"
    rf"[\w.-]{{1,64}}\[\d{{1,10}}\] )"
    rf"|1 \d{{4}}-\d\d-\d\dT{_CLOCK}(?:Z|[+-]\d\d:?\d\d) \S+ \S+ \S+ \S+ (?:-|\[)"
    rf"|\d{{10}}(?:\.\d{{1,9}})? [\w.:-]{{1,255}} {_TAG}"
)
"""What some senders write; formats that are more exact are asked before."""


def is_usual(line: str) -> bool:
    """Tell whether a line begins as the RFCs have it."""
    return _USUAL.match(line) is not None


def is_syslog(line: str, path: str) -> bool:
    """Tell whether a line is one of syslog in any of its shapes."""
    return _USUAL.match(line) is not None or _RARE.match(line) is not None


SYSLOG = Format("linux.syslog", parse_syslog, is_syslog)
