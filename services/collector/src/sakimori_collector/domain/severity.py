"""How much an event deserves attention by itself, before any rule has looked at what is around it."""

from collections.abc import Mapping
from typing import Final

from sakimori_common.contracts import ACTIONS, FieldValue, Severity

_OF_ACTION: Final = {name: kind.severity.value for name, kind in ACTIONS.items()}
_OF_NAME: Final = {severity.value: severity.value for severity in Severity} | {"informational": "info"}
_OF_LEVEL: Final = {
    **dict.fromkeys(("emerg", "emergency", "panic", "alert", "crit", "critical", "fatal"), "high"),
    **dict.fromkeys(("err", "error", "severe"), "medium"),
    **dict.fromkeys(("warn", "warning"), "low"),
}
_SOURCES: Final = (("event.severity_name", _OF_NAME), ("event.action", _OF_ACTION), ("log.level", _OF_LEVEL))


def severity_of(fields: Mapping[str, FieldValue]) -> str:
    """Say info, low, medium, high or critical: what the event says of itself (`event.severity_name`), else by the
    action where it is one of ours, else by its `log.level`.
    """
    for name, severities in _SOURCES:
        if name in fields:
            value = fields[name]
            if isinstance(value, str) and (found := severities.get(value) or severities.get(value.lower())):
                return found
    return "info"
