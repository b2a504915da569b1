"""Entries of systemd's journal as `journalctl -o json` writes them, each as the program that wrote it means it.

https://systemd.io/JOURNAL_EXPORT_FORMATS/: a value is a text, a list of numbers (bytes that are no UTF-8), a list of
texts (a field that was given several times), or null (too large).
"""

from collections.abc import Mapping
from typing import Final

from sakimori_collector.domain.flat import Fields
from sakimori_collector.domain.format import LineRejected, Record, Reference
from sakimori_collector.domain.formats.syslog_program import records_of
from sakimori_collector.domain.json_kind import JsonKind, Object
from sakimori_collector.domain.syslog import SyslogLine
from sakimori_collector.domain.syslog_header import LEVELS, SEVERITIES
from sakimori_collector.domain.text import decode, without_nul
from sakimori_collector.domain.timestamps import time_of

_NAMED: Final = {
    "_EXE": "process.executable",
    "_CMDLINE": "process.command_line",
    "_UID": "user.id",
    "_SYSTEMD_UNIT": "systemd.unit",
    "_TRANSPORT": "systemd.transport",
    "CONTAINER_NAME": "container.name",
    "CONTAINER_ID_FULL": "container.id",
    "_MACHINE_ID": "host.id",
    "_BOOT_ID": "host.boot.id",
    "SYSLOG_FACILITY": "log.syslog.facility.code",
}
_NUMBERS: Final = frozenset({"log.syslog.facility.code"})


def records_of_entry(entry: Mapping[str, object], reference: Reference) -> list[Record]:
    """Make events of an entry: texts, bytes or what JSON has for them, by field name. Raises LineRejected."""
    message = value_of(entry.get("MESSAGE"))
    if message is None:
        raise LineRejected("an entry of the journal without a message, or with one that was too large for its JSON")
    written = value_of(entry.get("_SOURCE_REALTIME_TIMESTAMP")) or value_of(entry.get("__REALTIME_TIMESTAMP"))
    # Both are microseconds by definition, and the first is the sender's own clock.
    time = time_of(_microseconds(written), reference)
    process = value_of(entry.get("SYSLOG_IDENTIFIER")) or value_of(entry.get("_COMM")) or ""
    pid = value_of(entry.get("SYSLOG_PID")) or value_of(entry.get("_PID"))
    line = SyslogLine(
        time,
        value_of(entry.get("_HOSTNAME")) or "",
        process,
        pid if pid is not None and pid.isascii() and pid.isdigit() and len(pid) <= 10 else None,
        message,
        _extra(entry),
    )
    return records_of(line, reference)


def value_of(value: object) -> str | None:
    """Give a field's value as text, the first of several; None where there is none."""
    if isinstance(value, list):
        if value and all(type(item) is int and 0 <= item < 256 for item in value):
            return decode(bytes(value))
        value = value[0] if value else None
        return value_of(value) if not isinstance(value, list) else None
    if isinstance(value, bytes):
        return decode(value)
    if isinstance(value, bool) or not isinstance(value, str | int):
        return None
    return without_nul(str(value))


def _microseconds(text: str | None) -> int:
    if text is None or not (text.isascii() and text.isdigit() and len(text) <= 17):
        raise LineRejected("an entry of the journal without a time")
    return int(text)


def _extra(entry: Mapping[str, object]) -> Fields:
    fields: Fields = {}
    for theirs, ours in _NAMED.items():
        value = value_of(entry.get(theirs))
        if value:
            fields[ours] = (
                int(value) if ours in _NUMBERS and value.isascii() and value.isdigit() and len(value) < 4 else value
            )
    priority = value_of(entry.get("PRIORITY"))
    if priority is not None and len(priority) == 1 and priority in "01234567":
        code = int(priority)
        fields["log.level"] = LEVELS[code]
        fields["log.syslog.severity.code"], fields["log.syslog.severity.name"] = code, SEVERITIES[code]
    return fields


def _is_meant(read: Object, path: str) -> bool:
    return "MESSAGE" in read


def _read(read: Object, reference: Reference) -> list[Record]:
    records = records_of_entry(read, reference)
    for _, fields in records:
        fields.setdefault("event.dataset", "linux.syslog")
    return records


JOURNALD: Final = JsonKind("journald", "__REALTIME_TIMESTAMP", _is_meant, _read)
