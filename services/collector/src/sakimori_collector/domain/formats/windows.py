"""Windows events as agents ship them, all with the same fields; dataset `windows.<service>`, named as Sigma does.

Read are Winlogbeat and Elastic Agent (`winlog.*`), NXLog and Fluent Bit (flat), Wazuh (`win.system`), and what tools
make of the event's XML (`Event.System`):
https://learn.microsoft.com/en-us/windows/win32/wes/eventschema-schema. Data that ECS has no place for keeps its name
(`TargetUserName`), as public Sigma rules read it.
"""

from typing import Any, Final, NamedTuple

from sakimori_collector.domain.ends import TRANSPORTS, put_end
from sakimori_collector.domain.flat import Fields, put_unclaimed
from sakimori_collector.domain.format import LineRejected, Record, Reference
from sakimori_collector.domain.formats.windows_names import ECS, ENDS, HOSTNAMES, NUMBERS, dataset_of, meaning_of
from sakimori_collector.domain.formats.windows_shapes import WindowsEvent, is_event, shape_of
from sakimori_collector.domain.json_kind import JsonKind, Object, number_of
from sakimori_collector.domain.timestamps import time_of

_LEVELS: Final = {1: "critical", 2: "error", 3: "warning", 4: "information", 5: "verbose"}
_PARENTS: Final = {"ProcessId": "process.parent.pid", "NewProcessId": "process.pid"}
"""Security's 4688 calls the creator's id `ProcessId`."""
_AUDIT_FAILURE: Final = 0x10000000000000
"""Bit of `Keywords` on events of an audit that failed."""
_AUDITS: Final = {"Audit Failure": 0x8010000000000000, "Audit Success": 0x8020000000000000}
_PROCESS_STARTED: Final = {("windows.sysmon", 1)}


class _User(NamedTuple):
    name: str
    domain: str


def _is_meant(read: Object, path: str) -> bool:
    return is_event(read)


def _read(read: Object, reference: Reference) -> list[Record]:
    event = shape_of(read)
    if event is None:
        raise LineRejected("not an event of Windows")
    return [record_of_event(event, reference)]


def record_of_event(event: WindowsEvent, reference: Reference) -> Record:
    """Make a record of an event that was taken apart. Raises LineRejected."""
    code = number_of(event.code)
    if code is None:
        raise LineRejected("an event of Windows without a number")
    time = time_of(event.time, reference)
    dataset = dataset_of(event.channel)
    category, action, outcome = meaning_of(dataset, code)
    fields: Fields = {"event.dataset": dataset, "event.category": category, "event.code": code}
    fields["winlog.channel"] = event.channel
    if action is not None and outcome is not None:
        fields["event.action"], fields["event.outcome"] = action, outcome
    _put_system(fields, event)
    data = {name: value for name, value in event.data.items() if value not in (None, "")}
    _put_data(fields, data, dataset, code)
    _put_user(fields, data)
    _put_hashes(fields, data, dataset, code)
    return time, fields


def _put_system(fields: Fields, event: WindowsEvent) -> None:
    for name, value in (
        ("event.provider", event.provider),
        ("host.name", event.computer),
        ("message", event.message),
    ):
        if isinstance(value, str) and value:
            fields[name] = value
    record = number_of(event.record)
    if record is not None:
        fields["winlog.record_id"] = record
    level = event.level if isinstance(event.level, str) and not event.level.isdigit() else None
    level = level or _LEVELS.get(number_of(event.level) or 0)
    if level is not None:
        fields["log.level"] = level.lower()
    keywords = _keywords(event.keywords)
    if keywords is not None:
        fields["Keywords"] = f"0x{keywords:x}"
        if keywords & _AUDIT_FAILURE:
            fields["event.outcome"] = "failure"


def _keywords(value: object) -> int | None:
    """Bits, which some agents write as a signed number, others by the name of the audit's result."""
    if isinstance(value, int):
        return value % (1 << 64)
    for name, bits in _AUDITS.items():
        if isinstance(value, str) and name in value:
            return bits
    return _number(value)


def _put_data(fields: Fields, data: dict[str, Any], dataset: str, code: int) -> None:
    names = {**ECS, **_PARENTS} if (dataset, code) == ("windows.security", 4688) else ECS
    rest: dict[str, Any] = {}
    for name, value in data.items():
        to = names.get(name)
        if to is None or isinstance(value, dict | list):
            rest[name] = value
        elif to in NUMBERS:
            number = _number(value)
            fields[to] = str(value) if number is None else number
        elif to == "network.transport":
            fields[to] = TRANSPORTS.get(number_of(value) or -1, str(value).lower())
        else:
            fields[to] = str(value)
    for name, (side, port) in ENDS.items():
        if isinstance(rest.get(name), str):
            put_end(fields, side, rest.pop(name), rest.pop(port, None))
    for name, to in HOSTNAMES.items():
        if rest.get(name) not in (None, "-"):
            fields[to] = str(rest.pop(name))
    put_unclaimed(fields, rest)


def _put_user(fields: Fields, data: dict[str, Any]) -> None:
    """Who acts, or whose account it is; the source's own names stay, as rules ask for them."""
    category = fields["event.category"]
    names = ("Target", "Subject") if category in {"authentication", "iam"} else ("Subject", "Target")
    user: _User | None = None
    if isinstance(data.get("User"), str):
        domain, slash, name = data["User"].rpartition("\\")
        user = _User(name, domain if slash else "")
    for side in names:
        name = data.get(f"{side}UserName")
        if user is None and isinstance(name, str) and name != "-":
            domain = data.get(f"{side}DomainName")
            user = _User(name, domain if isinstance(domain, str) and domain != "-" else "")
    if user is not None and user.name:
        fields["user.name"] = user.name
        if user.domain:
            fields["user.domain"] = user.domain


def _put_hashes(fields: Fields, data: dict[str, Any], dataset: str, code: int) -> None:
    """`MD5=...,SHA256=...,IMPHASH=...` of Sysmon: of the process that starts, else of the file that is told of."""
    hashes = data.get("Hashes")
    if not isinstance(hashes, str):
        return
    of = "process" if (dataset, code) in _PROCESS_STARTED else "file"
    for part in hashes.split(",")[:8]:
        kind, _, value = part.partition("=")
        if kind in {"MD5", "SHA1", "SHA256"}:
            fields[f"{of}.hash.{kind.lower()}"] = value.lower()
        elif kind == "IMPHASH":
            fields[f"{of}.pe.imphash"] = value.lower()


def _number(value: object) -> int | None:
    """A number as Windows writes it: 4711, "4711" or "0x1267"."""
    if isinstance(value, str) and value[:2].lower() == "0x" and len(value) <= 18:
        try:
            return int(value, 16)
        except ValueError:
            return None
    return number_of(value)


WINDOWS: Final = JsonKind("windows", "", _is_meant, _read)
