"""auditd: audit.log, and the same lines through syslog (audisp-syslog, or the kernel where no daemon listens).

    [node=HOST ]type=USER_LOGIN msg=audit(1768528798.123:456): pid=1 uid=0 ... msg='op=login acct="root" ... res=failed'

One event a record; `auditd.sequence` is the same in the records of one event. Fields: Elastic's names where its module
has some (`auditd.data.*`). Values in hexadecimal are decoded where the kernel encodes them
(https://github.com/linux-audit/audit-documentation/wiki/SPEC-Audit-Event-Enrichment).
"""

import re
from typing import Final

from sakimori_collector.domain.addresses import canonical_ip
from sakimori_collector.domain.carriers import carried
from sakimori_collector.domain.format import Format, LineRejected, Record, Reference
from sakimori_collector.domain.formats.audit_types import CATEGORIES, LOGINS
from sakimori_collector.domain.programs.phrases import MESSAGE_LIMIT
from sakimori_collector.domain.timestamps import plausible
from sakimori_common.contracts import FieldValue
from sakimori_common.instants import MICROSECONDS

Fields = dict[str, FieldValue]

_BEGINNING = re.compile(
    r"(?:node=(?P<node>\S{1,255}) )?type=(?P<type>[A-Z0-9_]{2,40}|UNKNOWN\[\d{1,6}\]) "
    r"msg=audit\((?P<seconds>\d{1,11})\.(?P<fraction>\d{3})\d{0,6}:(?P<sequence>\d{1,20})\): ?"
)
_PAIR = re.compile(r"""(?<![\w-])([A-Za-z][\w-]{0,63})=("[^"]*+"|'[^']*+'|[^\s'"]*+)""")
_HEX = re.compile(r"(?:[0-9A-F]{2})+\Z")
_ENCODED: Final = frozenset(
    {"acct", "comm", "exe", "cmd", "proctitle", "name", "cwd", "path", "key", "data", "old", "new", "vm", "file", "dir"}
)
_ARGUMENT = re.compile(r"a\d{1,4}\Z")
MAX_PAIRS: Final = 96

_FIELD_OF: Final = {
    "acct": "user.name",
    "exe": "process.executable",
    "comm": "process.name",
    "cwd": "process.working_directory",
    "proctitle": "process.command_line",
    "cmd": "process.command_line",
    "uid": "user.id",
    "euid": "user.effective.id",
    "auid": "user.audit.id",
    "gid": "group.id",
    "UID": "user.name",
    "AUID": "user.audit.name",
    "grp": "group.name",
}
_NUMBERS: Final = {
    "pid": "process.pid",
    "ppid": "process.parent.pid",
    "rport": "source.port",
    "lport": "destination.port",
}


def parse_auditd(line: str, reference: Reference) -> list[Record]:
    """Read one record. Raises LineRejected."""
    match = _BEGINNING.match(line)
    if match is None:
        raise LineRejected("not a record of auditd: type=... msg=audit(...):")
    time = int(match["seconds"]) * MICROSECONDS + int(match["fraction"]) * 1000
    return [(plausible(time, reference), _fields(match, line[match.end() :]))]


def _fields(match: re.Match[str], rest: str) -> Fields:
    kind = match["type"]
    fields: Fields = {
        "event.category": CATEGORIES.get(kind, "host"),
        "event.action": kind.lower(),
        "event.outcome": "unknown",
        "auditd.record_type": kind,
        "auditd.sequence": int(match["sequence"]),
        "message": match[0].rstrip(" ") + " " + rest,
    }
    if match["node"]:
        fields["host.hostname"] = match["node"]
    pairs = _pairs(rest)
    if kind == "EXECVE":
        _put_arguments(fields, pairs)
    for name, value in pairs.items():
        _put(fields, name, value)
    result = pairs.get("res") or pairs.get("success") or pairs.get("result")
    if result is not None:
        fields["event.outcome"] = {
            "success": "success",
            "yes": "success",
            "1": "success",
            "failed": "failure",
            "no": "failure",
            "0": "failure",
        }.get(result, "unknown")
    if kind in LOGINS:
        _put_login(fields)
    return fields


def _pairs(rest: str) -> dict[str, str]:
    """The record's own pairs, then those inside `msg='...'`; the first of a name counts."""
    pairs: dict[str, str] = {}
    outer, mark, inner = rest[:MESSAGE_LIMIT].partition("msg='")
    for name, value in _PAIR.findall(
        f"{outer} {inner.rpartition(chr(39))[0] if mark else ''} {inner.rpartition(chr(39))[2] if mark else ''}"
    ):
        if len(pairs) >= MAX_PAIRS:
            break
        pairs.setdefault(name, _plain(name, value))
    return pairs


def _plain(name: str, value: str) -> str:
    """Quoted values are as they are; those that need encoding are in hexadecimal, without quotes."""
    if value[:1] in {'"', "'"}:
        return value[1:-1]
    if (name in _ENCODED or _ARGUMENT.match(name)) and len(value) >= 4 and _HEX.match(value):
        raw = bytes.fromhex(value)
        if name not in {"a0", "a1", "a2", "a3"} or all(32 <= byte < 127 for byte in raw):
            return raw.replace(b"\0", b" ").decode("utf-8", "backslashreplace")
    return value


def _put_arguments(fields: Fields, pairs: dict[str, str]) -> None:
    arguments = [value for name, value in pairs.items() if _ARGUMENT.match(name)]
    if arguments:
        fields["process.args"] = [*arguments]
        fields["process.command_line"] = " ".join(arguments)


def _put(fields: Fields, name: str, value: str) -> None:
    if value in {"", "?", "(null)", "(none)"}:
        return
    if name in {"addr", "hostname", "laddr"}:
        address = canonical_ip(value)
        if address is not None:
            fields["destination.ip" if name == "laddr" else "source.ip"] = address
        elif name == "hostname":
            fields["source.domain"] = value
    elif name in _NUMBERS and value.isascii() and value.isdecimal() and len(value) < 12:
        fields[_NUMBERS[name]] = int(value)
    elif name in _FIELD_OF:
        fields.setdefault(_FIELD_OF[name], value)
        if name == "cmd":
            fields[_FIELD_OF[name]] = value
    else:
        fields[f"auditd.data.{name.lower().replace('-', '_')}"] = value


def _put_login(fields: Fields) -> None:
    """`(unknown)` and the like stand for names that the host does not have."""
    user = fields.get("user.name")
    if isinstance(user, str) and user.startswith("(") and user.endswith(")"):
        del fields["user.name"]


def _recognises(line: str, path: str) -> bool:
    """The word `msg=audit(` says it; through syslog it stands behind the header."""
    return _BEGINNING.match(line) is not None


AUDITD = Format("linux.auditd", carried(parse_auditd), _recognises)
