"""IPv4 (RFC 791), IPv6 (RFC 8200) and ARP (RFC 826) headers.

A header that reaches beyond the captured bytes raises struct.error or IndexError: truncated.
"""

from struct import Struct
from typing import Final

from sakimori_packet_sensor.domain.decode.packet import ArpPacket, Fragment, IpPacket, Link, Undecodable, Undecoded
from sakimori_packet_sensor.domain.decode.transport import read_transport

_IPV4 = Struct("!BxHHHxBxx4s4s")
_IPV6 = Struct("!IHBx16s16s")
_ARP = Struct("!HHBBH6s4s6s4s")

_MORE_FRAGMENTS, _FRAGMENT_OFFSET = 0x2000, 0x1FFF
_EIGHT_BYTE_UNITS: Final = frozenset({0, 43, 60, 135, 139, 140})
"""Extension headers whose second byte counts units of 8 bytes beyond the first: hop-by-hop, routing, destination
options, mobility, HIP, shim6."""
_FRAGMENT, _AUTHENTICATION = 44, 51
_MAX_EXTENSIONS: Final = 16
"""More than the kinds there are; a longer chain is an attack on whoever walks it."""


def ipv4(data: bytes, wire_bytes: int, link: Link) -> IpPacket:
    """Decode an IPv4 packet."""
    at = link[1]
    version_length, total, identification, fragment, protocol, source, destination = _IPV4.unpack_from(data, at)
    header = (version_length & 0x0F) * 4
    if version_length >> 4 != 4 or header < 20:
        raise Undecodable(Undecoded.MALFORMED)
    ip_bytes = _bounded(total, header, wire_bytes - at)
    end = min(at + ip_bytes, len(data))
    packet = IpPacket(source, destination, protocol, ip_bytes, data, at + header, end, link)
    if fragment & (_MORE_FRAGMENTS | _FRAGMENT_OFFSET):
        packet.fragment = Fragment(identification, is_first=not fragment & _FRAGMENT_OFFSET)
    if not fragment & _FRAGMENT_OFFSET:
        read_transport(packet)
    return packet


def ipv6(data: bytes, wire_bytes: int, link: Link) -> IpPacket:
    """Decode an IPv6 packet, walking its extension headers."""
    at = link[1]
    version, length, protocol, source, destination = _IPV6.unpack_from(data, at)
    if version >> 28 != 6:
        raise Undecodable(Undecoded.MALFORMED)
    ip_bytes = _bounded(length + 40 if length else 0, 40, wire_bytes - at)
    end = min(at + ip_bytes, len(data))
    protocol, at, fragment = _behind_extensions(data, protocol, at + 40)
    packet = IpPacket(source, destination, protocol, ip_bytes, data, at, end, link, fragment=fragment)
    if fragment is None or fragment.is_first:
        read_transport(packet)
    return packet


def _bounded(stated: int, least: int, on_wire: int) -> int:
    """Tell the length of a packet: as stated; 0 means that the network card was to fill it in, or a jumbogram."""
    if stated == 0 or stated > on_wire:
        return max(on_wire, least)
    if stated < least:
        raise Undecodable(Undecoded.MALFORMED)
    return stated


def _behind_extensions(data: bytes, protocol: int, at: int) -> tuple[int, int, Fragment | None]:
    fragment = None
    for _ in range(_MAX_EXTENSIONS):
        if protocol in _EIGHT_BYTE_UNITS:
            length = (data[at + 1] + 1) * 8
        elif protocol == _FRAGMENT:
            identification = int.from_bytes(data[at + 4 : at + 8], "big")
            position = data[at + 2] << 8 | data[at + 3]
            if position & 0xFFF9:  # neither offset nor more to come: an atomic fragment, whole (RFC 6946)
                fragment = Fragment(identification, is_first=not position & 0xFFF8)
            length = 8
        elif protocol == _AUTHENTICATION:
            length = (data[at + 1] + 2) * 4
        else:
            return protocol, at, fragment
        protocol, at = data[at], at + length
        if fragment is not None and not fragment.is_first:
            return protocol, at, fragment
    raise Undecodable(Undecoded.MALFORMED)


def arp(data: bytes, link: Link) -> ArpPacket:
    """Decode an ARP packet; other than IPv4 over Ethernet is malformed here."""
    hardware, protocol, hardware_length, protocol_length, operation, *addresses = _ARP.unpack_from(data, link[1])
    if (hardware_length, protocol_length, protocol) != (6, 4, 0x0800) or hardware not in {1, 6}:
        raise Undecodable(Undecoded.MALFORMED)
    return ArpPacket(operation, *addresses)
