"""What ModSecurity and Coraza write into the error log of a web server: text, and tags `[id "942100"]`.

https://github.com/owasp-modsecurity/ModSecurity/wiki/ModSecurity-2-Data-Formats
"""

import re
from typing import Final

from sakimori_collector.domain.ends import put_end
from sakimori_collector.domain.flat import Fields
from sakimori_collector.domain.format import Record, Reference
from sakimori_collector.domain.json_kind import JsonKind, Object
from sakimori_collector.domain.requests import put_target, put_text
from sakimori_collector.domain.text import unescape
from sakimori_collector.domain.timestamps import time_of

DATASET: Final = "modsecurity.alert"
_MARK: Final = re.compile(r"(?:\A|[\]:] |\* )(?:ModSecurity|Coraza): ")
_TAG: Final = re.compile(r'\[(\w{1,32}) "([^"\\]*+(?:\\.[^"\\]*+)*+)"\]')
_CLIENT: Final = re.compile(r'\[client "?([0-9A-Fa-f:.]{2,45})"?\]')
_NAMED: Final = {
    "id": "rule.id",
    "msg": "rule.name",
    "ver": "rule.version",
    "hostname": "url.domain",
}
_KEPT: Final = frozenset({"data", "file", "line", "rev", "severity", "unique_id", "maturity", "accuracy", "ref"})
_SEVERITIES: Final = {
    **dict.fromkeys(("0", "1", "EMERGENCY", "ALERT"), (4, "critical")),
    **dict.fromkeys(("2", "3", "CRITICAL", "ERROR"), (3, "high")),
    **dict.fromkeys(("4", "WARNING"), (2, "medium")),
    **dict.fromkeys(("5", "NOTICE"), (1, "low")),
}
"""The Core Rule Set calls every attack CRITICAL: no more than high here."""


def is_modsecurity(message: str) -> bool:
    """Tell whether a message is one of a rule."""
    return _MARK.search(message, 0, 256) is not None


def explain(message: str) -> Fields:
    """Say what a message tells of the rule that matched."""
    fields: Fields = {
        "event.dataset": DATASET,
        "event.kind": "alert",
        "event.category": "intrusion_detection",
        "event.action": "blocked" if "Access denied" in message else "detected",
        "event.outcome": "failure" if "Access denied" in message else "unknown",
    }
    tags: list[str | int | float | bool | None] = []
    for name, value in _TAG.findall(message):
        if name == "tag" and len(tags) < 64:
            tags.append(unescape(value))
        elif name in _NAMED:
            put_text(fields, _NAMED[name], unescape(value))
        elif name == "uri":
            put_target(fields, unescape(value))
        elif name in _KEPT:
            put_text(fields, f"modsecurity.{name}", unescape(value))
    if tags:
        fields["modsecurity.tags"] = tags
    severity = str(fields.get("modsecurity.severity", "")).upper()
    fields["event.severity"], fields["event.severity_name"] = _SEVERITIES.get(severity, (0, "info"))
    return fields


def _is_meant(read: Object, path: str) -> bool:
    message = read["msg"]
    return isinstance(message, str) and "ts" in read and is_modsecurity(message)


def _read(read: Object, reference: Reference) -> list[Record]:
    message = read["msg"]
    fields = explain(message)
    client = _CLIENT.search(message)
    if client is not None:
        put_end(fields, "source", client[1])
    put_text(fields, "log.level", read.get("level"))
    put_text(fields, "log.logger", read.get("logger"))
    fields["message"] = message
    return [(time_of(read["ts"], reference), fields)]


CORAZA: Final = JsonKind(DATASET, "msg", _is_meant, _read)
