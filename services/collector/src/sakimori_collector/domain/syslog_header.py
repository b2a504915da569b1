"""What stands in a syslog line beside the message: priority, message id, structured data."""

import re
from functools import lru_cache
from typing import Final

from sakimori_common.contracts import FieldValue

FACILITIES: Final = (
    "kern", "user", "mail", "daemon", "auth", "syslog", "lpr", "news", "uucp", "cron", "authpriv", "ftp", "ntp",
    "audit", "alert", "clock", "local0", "local1", "local2", "local3", "local4", "local5", "local6", "local7",
)  # fmt: skip
"""RFC 5424, table 1, by the names of syslog.h; 12 to 15 by what the table says of them."""
SEVERITIES: Final = ("emergency", "alert", "critical", "error", "warning", "notice", "informational", "debug")
"""RFC 5424, table 2."""
LEVELS: Final = ("emergency", "alert", "critical", "error", "warning", "notice", "info", "debug")
"""The same as `log.level` says them."""
_ABBREVIATED: Final = {"emerg": 0, "panic": 0, "crit": 2, "err": 3, "warn": 4, "info": 6, "security": 4}
HIGHEST_PRIORITY: Final = 191
MAX_PARAMETERS: Final = 64
"""Of structured data, kept of one line."""

_ELEMENT = re.compile(r'\[([^\s="\]]{1,64})((?: +[^\s="\]]{1,64}="(?:[^"\\]++|\\.)*+")*+) *+\]', re.DOTALL)
_PARAMETER = re.compile(r'([^\s="\]]{1,64})="((?:[^"\\]++|\\.)*+)"', re.DOTALL)
_ESCAPED = re.compile(r'\\(["\\\]])')


@lru_cache(maxsize=256)
def priority_fields(text: str) -> dict[str, FieldValue]:
    """Give the fields of the number in `<34>`; none for what is no priority."""
    priority = int(text)
    if priority > HIGHEST_PRIORITY:
        return {}
    facility, severity = divmod(priority, 8)
    return {"log.syslog.priority": priority, **_facility(facility), **_severity(severity)}


@lru_cache(maxsize=256)
def named_priority_fields(facility: str, level: str) -> dict[str, FieldValue]:
    """Give the fields of `auth.info`, as FreeBSD's syslogd -vv writes it."""
    fields: dict[str, FieldValue] = {}
    severity = SEVERITIES.index(level) if level in SEVERITIES else _ABBREVIATED.get(level)
    if facility in FACILITIES:
        fields |= _facility(FACILITIES.index(facility))
    return fields | (_severity(severity) if severity is not None else {})


def _facility(code: int) -> dict[str, FieldValue]:
    return {"log.syslog.facility.code": code, "log.syslog.facility.name": FACILITIES[code]}


def _severity(code: int) -> dict[str, FieldValue]:
    return {
        "log.syslog.severity.code": code,
        "log.syslog.severity.name": SEVERITIES[code],
        "log.level": LEVELS[code],
    }


def read_structured(text: str) -> tuple[dict[str, FieldValue], str]:
    """Take STRUCTURED-DATA (RFC 5424, 6.3) from the front: its fields and what is left.

    `[a@1 b="c"]` becomes `log.syslog.structured_data.a@1.b: c`; an element without parameters is true by itself. What
    is no structured data stays where it is.
    """
    if text.startswith("-"):
        return {}, text[1:].removeprefix(" ")
    fields: dict[str, FieldValue] = {}
    place = 0
    while match := _ELEMENT.match(text, place):
        place = match.end()
        prefix = f"log.syslog.structured_data.{match[1]}"
        if not match[2]:
            fields[prefix] = True
        for name, value in _PARAMETER.findall(match[2]):
            if len(fields) < MAX_PARAMETERS:
                fields[f"{prefix}.{name}"] = _ESCAPED.sub(r"\1", value) if "\\" in value else value
    return fields, text[place:].removeprefix(" ") if place else text
