"""What CEF and LEEF have in common: a header about the device, then keys and values."""

import re
from typing import Final

from sakimori_collector.domain.ends import put_end, put_transport
from sakimori_collector.domain.flat import Fields
from sakimori_collector.domain.requests import put_number, put_target, put_text

NOT_NAME: Final = re.compile(r"[^a-z0-9]+")
_WORDS: Final = {"low": 1, "medium": 2, "high": 3, "very-high": 4, "very high": 4, "critical": 4}
_NAMES: Final = ("info", "low", "medium", "high", "critical")
_BLOCKED: Final = frozenset(
    {
        "block",
        "blocked",
        "deny",
        "denied",
        "drop",
        "dropped",
        "reject",
        "rejected",
        "prevent",
        "prevented",
        "quarantine",
    }
    | {"quarantined", "reset", "failure", "failed", "fail"}
)
_ALLOWED: Final = frozenset(
    {"allow", "allowed", "accept", "accepted", "permit", "permitted", "pass", "success", "succeeded"}
)
_TEXTS: Final = {
    "act": "event.action",
    "action": "event.action",
    "app": "network.protocol",
    "msg": "message",
    "reason": "event.reason",
    "suser": "user.name",
    "usrName": "user.name",
    "duser": "destination.user.name",
    "requestMethod": "http.request.method",
    "requestClientApplication": "user_agent.original",
    "userAgent": "user_agent.original",
    "fname": "file.name",
    "filePath": "file.path",
    "fileHash": "file.hash",
    "dvchost": "observer.hostname",
    "sproc": "process.name",
    "smac": "source.mac",
    "srcMAC": "source.mac",
    "dmac": "destination.mac",
    "dstMAC": "destination.mac",
    "sntdom": "source.domain",
    "externalId": "event.reference",
}
_NUMBERS: Final = {
    "in": "source.bytes",  # CEF: what flows from the source to the destination
    "out": "destination.bytes",
    "srcBytes": "source.bytes",
    "dstBytes": "destination.bytes",
    "fsize": "file.size",
    "spid": "process.pid",
}
_SIDES: Final = (
    ("source", ("src", "shost", "identSrc"), ("spt", "srcPort")),
    ("destination", ("dst", "dhost"), ("dpt", "dstPort")),
)


def put_severity(fields: Fields, text: str) -> None:
    """Read a severity of 0 to 10, or a word; unknown ones are left out."""
    text = text.strip().lower()
    level = _WORDS.get(text)
    if level is None and text.isascii() and text.isdigit() and len(text) <= 2:
        number = int(text)
        level = 0 if number == 0 else 1 if number <= 3 else 2 if number <= 6 else 3 if number <= 8 else 4
    if level is not None:
        fields["event.severity"], fields["event.severity_name"] = level, _NAMES[level]


def put_pairs(fields: Fields, pairs: dict[str, str], prefix: str) -> None:
    """Give the usual keys their names in ECS, in place; what is left is kept as `<prefix><key>`."""
    _put_ends(fields, pairs)
    if "proto" in pairs:
        put_transport(fields, pairs.pop("proto"))
    for name, to in _NUMBERS.items():
        if name in pairs and pairs[name].isdigit():
            put_number(fields, to, pairs.pop(name))
    for name, to in _TEXTS.items():
        if name in pairs and to not in fields:
            put_text(fields, to, pairs.pop(name))
    for name in ("request", "url"):
        if name in pairs and "url.original" not in fields:
            put_target(fields, pairs.pop(name))
    for name, value in pairs.items():
        if value:
            fields[prefix + name] = value
    _put_outcome(fields, pairs.get("outcome", ""))
    fields["event.category"] = "network" if "source.ip" in fields and "destination.ip" in fields else "host"


def _put_ends(fields: Fields, pairs: dict[str, str]) -> None:
    for side, addresses, ports in _SIDES:
        for name in addresses:
            if name in pairs and f"{side}.ip" not in fields:
                put_end(fields, side, pairs.pop(name))
        for name in ports:
            if name in pairs:
                put_number(fields, f"{side}.port", pairs.pop(name))


def _put_outcome(fields: Fields, said: str) -> None:
    for word in (said, str(fields.get("event.action", ""))):
        if word.lower() in _BLOCKED:
            fields["event.outcome"] = "failure"
            return
        if word.lower() in _ALLOWED:
            fields["event.outcome"] = "success"
            return
