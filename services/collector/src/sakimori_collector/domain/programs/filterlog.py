"""filterlog: what pfSense's and OPNsense's packet filter logged, as commas.

https://docs.netgate.com/pfsense/en/latest/monitoring/logs/raw-filter-format.html
"""

from typing import Final

from sakimori_collector.domain.addresses import canonical_ip
from sakimori_collector.domain.programs.phrases import other
from sakimori_collector.domain.programs.program import Fields, Program
from sakimori_collector.domain.syslog import SyslogLine

_ACTIONS: Final = {
    "block": ("firewall_denied", "failure"),
    "pass": ("firewall_allowed", "success"),
    "match": ("firewall_logged", "unknown"),
}
_V4_PROTOCOL: Final = 16
_V4_ADDRESSES: Final = 18
_V6_PROTOCOL: Final = 12
_V6_ADDRESSES: Final = 15


def explain(line: SyslogLine) -> Fields:
    """Say which packet was let through or not."""
    parts = line.message.strip().split(",", 64)
    fields = other("network", "firewall_logged")
    if len(parts) < _V6_ADDRESSES + 2 or parts[8] not in {"4", "6"}:
        return fields
    fields["event.action"], fields["event.outcome"] = _ACTIONS.get(parts[6], _ACTIONS["match"])
    named = {
        "rule.id": parts[0],
        "pf.tracker": parts[3],
        "observer.ingress.interface.name": parts[4],
        "network.direction": _direction(parts[7]),
    }
    fields |= {name: value for name, value in named.items() if value}
    is_v4 = parts[8] == "4"
    fields["network.type"] = "ipv4" if is_v4 else "ipv6"
    fields["network.transport"] = parts[_V4_PROTOCOL if is_v4 else _V6_PROTOCOL].lower()
    _put_ends(fields, parts[_V4_ADDRESSES if is_v4 else _V6_ADDRESSES :])
    return fields


def _direction(text: str) -> str:
    return {"in": "inbound", "out": "outbound"}.get(text, "")


def _put_ends(fields: Fields, rest: list[str]) -> None:
    for name, text in zip(("source.ip", "destination.ip"), rest, strict=False):
        address = canonical_ip(text)
        if address is not None:
            fields[name] = address
    if fields["network.transport"] in {"tcp", "udp", "sctp"}:
        for name, text in zip(("source.port", "destination.port"), rest[2:], strict=False):
            if text.isdecimal() and len(text) <= 5:
                fields[name] = int(text)


FILTERLOG = Program("pfsense.filterlog", frozenset({"filterlog"}), explain)
