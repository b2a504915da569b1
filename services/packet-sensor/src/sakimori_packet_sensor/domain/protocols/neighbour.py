"""IPv6 neighbour discovery (RFC 4861, RFC 8106): who has an address, and who claims to be a router."""

from collections.abc import Callable
from struct import Struct
from typing import Final

from sakimori_packet_sensor.domain.addresses import ip_text, mac_text
from sakimori_packet_sensor.domain.protocols.contract import Fields
from sakimori_packet_sensor.domain.protocols.dns_names import read_name
from sakimori_packet_sensor.domain.protocols.malformed import Malformed

_ROUTER = Struct("!BBHII")
_PREFIX_BYTES: Final = 30
_MAX_LIST: Final = 64
_NAMES: Final = {
    133: "router_solicitation", 134: "router_advertisement", 135: "neighbor_solicitation",
    136: "neighbor_advertisement", 137: "redirect",
}  # fmt: skip
_FIXED_BYTES: Final = {133: 8, 134: 16, 135: 24, 136: 24, 137: 40}
_PREFERENCES: Final = ("medium", "high", "reserved", "low")
"""RFC 4191, 2.1."""


def decode_neighbour(payload: bytes) -> Fields:
    """Decode an ICMPv6 message of types 133 to 137 into `ndp.*`. Raises Malformed; options before it are not kept."""
    name = _NAMES.get(payload[0]) if payload else None
    if name is None or len(payload) < _FIXED_BYTES[payload[0]]:
        raise Malformed("no neighbour discovery, or cut")
    fields: Fields = {"ndp.type": name}
    kind = payload[0]
    if kind == 134:
        _add_router(fields, payload)
    elif kind >= 135:
        fields["ndp.target_ip"] = ip_text(payload[8:24])
    if kind == 136:
        fields["ndp.is_router"] = bool(payload[4] & 0x80)
        fields["ndp.is_solicited"] = bool(payload[4] & 0x40)
        fields["ndp.is_override"] = bool(payload[4] & 0x20)
    if kind == 137:
        fields["ndp.destination_ip"] = ip_text(payload[24:40])
    _add_options(fields, payload, _FIXED_BYTES[kind])
    return fields


def _add_router(fields: Fields, payload: bytes) -> None:
    hops, flags, lifetime, reachable, retransmit = _ROUTER.unpack_from(payload, 4)
    fields |= {
        "ndp.is_router": True,
        "ndp.hop_limit": hops,
        "ndp.is_managed": bool(flags & 0x80),
        "ndp.has_other_configuration": bool(flags & 0x40),
        "ndp.router_preference": _PREFERENCES[flags >> 3 & 3],
        "ndp.router_lifetime_seconds": lifetime,
        "ndp.reachable_milliseconds": reachable,
        "ndp.retransmit_milliseconds": retransmit,
    }


def _add_options(fields: Fields, payload: bytes, at: int) -> None:
    while at < len(payload):
        if at + 2 > len(payload) or not payload[at + 1] or at + 8 * payload[at + 1] > len(payload):
            raise Malformed("an option is cut, or has no length")
        value = payload[at + 2 : at + 8 * payload[at + 1]]
        add = _OPTIONS.get(payload[at])
        if add is not None:
            add(fields, value)
        at += 2 + len(value)


def _source(fields: Fields, value: bytes) -> None:
    fields["ndp.source_mac"] = mac_text(value[:6])


def _target(fields: Fields, value: bytes) -> None:
    fields["ndp.target_mac"] = mac_text(value[:6])


def _prefix(fields: Fields, value: bytes) -> None:
    if len(value) >= _PREFIX_BYTES:
        _append(fields, "ndp.prefixes", [f"{ip_text(value[14:30])}/{value[0]}"])


def _mtu(fields: Fields, value: bytes) -> None:
    fields["ndp.mtu"] = int.from_bytes(value[2:6], "big")


def _dns_servers(fields: Fields, value: bytes) -> None:
    _append(fields, "ndp.dns_servers", [ip_text(value[at : at + 16]) for at in range(6, len(value) - 15, 16)])


def _search_domains(fields: Fields, value: bytes) -> None:
    at = 6
    for _ in range(_MAX_LIST):
        if at >= len(value) or not value[at]:
            return
        name, at = read_name(value, at)
        _append(fields, "ndp.search_domains", [name])


def _append(fields: Fields, name: str, values: list[str]) -> None:
    known = fields.setdefault(name, [])
    if isinstance(known, list):
        known += values[: _MAX_LIST - len(known)]


_OPTIONS: Final[dict[int, Callable[[Fields, bytes], None]]] = {
    1: _source, 2: _target, 3: _prefix, 5: _mtu, 25: _dns_servers, 31: _search_domains,
}  # fmt: skip
