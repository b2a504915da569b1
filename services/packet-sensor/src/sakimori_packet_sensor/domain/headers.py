"""The fields that every event of a flow has: who, over what."""

from collections.abc import Mapping
from hashlib import blake2b
from struct import Struct
from typing import Final

from sakimori_common.contracts import FieldValue
from sakimori_packet_sensor.domain.addresses import ip_text, mac_text
from sakimori_packet_sensor.domain.conversations.rows import FlowRow, Opening
from sakimori_packet_sensor.domain.fastpath.layout import NO_PORT
from sakimori_packet_sensor.domain.flows.community import community_id
from sakimori_packet_sensor.domain.flows.icmp import COUNTERPARTS

Fields = dict[str, FieldValue]
Origin = Mapping[str, FieldValue]
"""Fields that every event of a capture has: who saw it and where it came from."""

_TRANSPORTS: Final = {
    0: "hopopt", 1: "icmp", 2: "igmp", 4: "ipv4", 6: "tcp", 17: "udp", 41: "ipv6", 46: "rsvp", 47: "gre", 50: "esp",
    51: "ah", 58: "ipv6-icmp", 59: "ipv6-nonxt", 88: "eigrp", 89: "ospfigp", 103: "pim", 112: "vrrp", 132: "sctp",
    136: "udplite",
}  # fmt: skip
_TUNNELS: Final = {4: "ipip", 41: "6in4", 47: "gre"}
NOBODY: Final = bytes(6)
_PORTS: Final = Struct("<Bii")


Ends = FlowRow | Opening
"""Rows that say who talks; MAC addresses are zeros where the link has none."""


def transport(protocol: int) -> str:
    """Name an IP protocol; its number where it has no name."""
    return _TRANSPORTS.get(protocol, str(protocol))


def header(ends: Ends, origin: Origin) -> Fields:
    """Write them."""
    fields: Fields = {
        "event.category": "network",
        **origin,
        "network.type": "ipv4" if ends.version == 4 else "ipv6",
        "network.community_id": community_id(
            ends.source, ends.destination, ends.protocol, ends.source_port, ends.destination_port
        ),
        "source.ip": ip_text(ends.source),
        "destination.ip": ip_text(ends.destination),
    }
    if ends.protocol in _TRANSPORTS:
        fields["network.transport"] = _TRANSPORTS[ends.protocol]
    else:
        fields["network.iana_number"] = str(ends.protocol)
    if ends.source_port != NO_PORT and ends.protocol not in COUNTERPARTS:
        fields["source.port"] = ends.source_port
        fields["destination.port"] = ends.destination_port
    if ends.source_mac != NOBODY:
        fields["source.mac"] = mac_text(ends.source_mac)
    if ends.destination_mac != NOBODY:
        fields["destination.mac"] = mac_text(ends.destination_mac)
    if ends.vlan:
        fields["network.vlan.id"] = str(ends.vlan)
    if ends.tunnel:
        fields["sakimori.flow.tunnel"] = _TUNNELS.get(ends.tunnel, str(ends.tunnel))
    return fields


_SWAPPED: Final = {
    f"{here}.{name}": f"{there}.{name}"
    for name in ("ip", "port", "mac")
    for here, there in (("source", "destination"), ("destination", "source"))
}


def turned(fields: Fields) -> Fields:
    """Exchange the ends."""
    return {_SWAPPED.get(name, name): value for name, value in fields.items()}


def identity(ends: Ends, begun: int) -> int:
    """Hash both ends, and something that tells apart what they did one after the other, into 128 bits."""
    named = ends.source + ends.destination + _PORTS.pack(ends.protocol, ends.source_port, ends.destination_port)
    return int.from_bytes(blake2b(named, digest_size=16, salt=begun.to_bytes(8, "little", signed=True)).digest(), "big")
