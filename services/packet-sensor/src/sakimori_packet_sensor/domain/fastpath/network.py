"""IPv4 (RFC 791), IPv6 (RFC 8200), ARP (RFC 826), tunnels (RFC 2003, RFC 4213, RFC 2784) and transports' ports.

What is read goes into `head` (see header.py). `end` is where the captured bytes end, `wire_end` where the packet ended on
the wire; both are places in the block's buffer. Functions return what became of the packet: Undecoded, IS_IP or IS_ARP.
"""

from typing import Final

import numpy as np

from sakimori_packet_sensor.compiled import compiled
from sakimori_packet_sensor.domain.fastpath import header as h
from sakimori_packet_sensor.domain.fastpath import link
from sakimori_packet_sensor.domain.fastpath.arrays import Array, Int
from sakimori_packet_sensor.domain.fastpath.layout import NO_PORT, Anomaly, Undecoded
from sakimori_packet_sensor.domain.fastpath.reading import be16, be32

MAX_TUNNELS: Final = 4
MAX_EXTENSIONS: Final = 16
"""More than the kinds there are; a longer chain is an attack on whoever walks it."""

_OTHER: Final = Undecoded.NETWORK_PROTOCOL.value
_TRUNCATED: Final = Undecoded.TRUNCATED.value
_MALFORMED: Final = Undecoded.MALFORMED.value
_HEADER_CUT: Final = Anomaly.HEADER_CUT.value
_IP_VERSION: Final = Anomaly.IP_VERSION.value
_IP_HEADER_LENGTH: Final = Anomaly.IP_HEADER_LENGTH.value
_IP_LENGTH: Final = Anomaly.IP_LENGTH.value
_IPV6_EXTENSIONS: Final = Anomaly.IPV6_EXTENSIONS.value
_TUNNEL_DEPTH: Final = Anomaly.TUNNEL_DEPTH.value
_FRAGMENT_LENGTH: Final = Anomaly.FRAGMENT_LENGTH.value
_TCP_HEADER_LENGTH: Final = Anomaly.TCP_HEADER_LENGTH.value
_UDP_LENGTH: Final = Anomaly.UDP_LENGTH.value
_ARP: Final = Anomaly.ARP.value

_ICMP_PAIRS: Final = ((8, 0), (13, 14), (15, 16), (17, 18), (10, 9))
_ICMPV6_PAIRS: Final = ((128, 129), (133, 134), (135, 136), (130, 131), (144, 145), (139, 140))


def _answers() -> Array:
    """Tabulate which ICMP message answers which: by [is ICMPv6, type], -1 for none; the table is Community ID's."""
    table = np.full((2, 256), -1, np.int16)
    for version, pairs in enumerate((_ICMP_PAIRS, _ICMPV6_PAIRS)):
        for one, other in pairs:
            table[version, one], table[version, other] = other, one
    return table


ICMP_ANSWERS: Final = _answers()


@compiled
def read_frame(data: Array, at: Int, end: Int, wire_end: Int, link_type: Int, head: Array, outer: Array) -> Int:
    """Decode a frame down to its transport; `outer` is scratch of the same size as `head`."""
    head[:] = 0
    head[h.MACS_AT] = -1
    head[h.SOURCE_MAC_AT] = -1
    head[h.FRAME_AT] = at
    ethertype, at = link.behind_link(data, at, end, link_type, head)
    status = _read_network(data, at, end, wire_end, ethertype, head)
    if status == h.IS_IP and head[h.FRAGMENT] == h.WHOLE and head[h.PROTOCOL] in (4, 41, 47):
        return _read_tunnels(data, head, outer)
    return status


@compiled
def _read_network(data: Array, at: Int, end: Int, wire_end: Int, ethertype: Int, head: Array) -> Int:
    head[h.NETWORK_AT] = at
    if ethertype == link.IPV4:
        return _read_ipv4(data, at, end, wire_end, head)
    if ethertype == link.IPV6:
        return _read_ipv6(data, at, end, wire_end, head)
    if ethertype == link.ARP:
        return _read_arp(data, at, end, wire_end, head)
    if ethertype < 0:
        status = -1 - ethertype
        if status == _TRUNCATED and end >= wire_end:
            head[h.ANOMALY] = _HEADER_CUT
        return status
    return _OTHER


@compiled
def _read_tunnels(data: Array, head: Array, outer: Array) -> Int:
    """Go to the innermost packet that can be read; a tunnel that holds something else is a flow itself."""
    for depth in range(MAX_TUNNELS + 1):
        protocol = head[h.PROTOCOL]
        if head[h.FRAGMENT] != h.WHOLE or protocol not in (4, 41, 47):
            break
        if depth == MAX_TUNNELS:
            head[h.ANOMALY] = _TUNNEL_DEPTH
            break
        outer[:] = head
        end = head[h.PAYLOAD_AT] + head[h.PAYLOAD_BYTES]
        wire_end = head[h.PAYLOAD_AT] + head[h.PAYLOAD_WIRE]
        at = head[h.PAYLOAD_AT]
        ethertype = link.IPV4 if protocol == 4 else link.IPV6
        if protocol == 47:
            ethertype, at = _behind_gre(data, at, end, head)
        head[h.ANOMALY] = 0
        status = _read_network(data, at, end, wire_end, ethertype, head) if ethertype > 0 else _OTHER
        if status != h.IS_IP:
            anomaly = head[h.ANOMALY]
            head[:] = outer
            head[h.ANOMALY] = anomaly or head[h.ANOMALY]
            break
        head[h.TUNNEL] = protocol
        head[h.ANOMALY] = head[h.ANOMALY] or outer[h.ANOMALY]
    return h.IS_IP


@compiled
def _behind_gre(data: Array, at: Int, end: Int, head: Array) -> tuple[Int, Int]:
    """Read a GRE header (RFC 2784, RFC 2890; version 1: RFC 2637) and what leads to the network protocol behind it."""
    if at + 4 > end:
        return link.TRUNCATED, at
    flags, ethertype = be16(data, at), be16(data, at + 2)
    if flags & 0x4000:  # source routes, which RFC 2784 abolished
        return link.OTHER, at
    at += 4
    at += 4 if flags & 0x8000 else 0  # checksum
    at += 4 if flags & 0x2000 else 0  # key; of version 1 length and call
    at += 4 if flags & 0x1000 else 0  # sequence number
    at += 4 if flags & 7 == 1 and flags & 0x0080 else 0  # acknowledgement
    if ethertype == 0x6558:
        return _behind_inner_ethernet(data, at, end, head)
    if ethertype == 0x88BE:  # ERSPAN: type I has no header, type II one of 8 bytes and a GRE sequence number
        return _behind_inner_ethernet(data, at + (8 if flags & 0x1000 else 0), end, head)
    return link.behind_ethertype(data, at, end, ethertype, head)


@compiled
def _behind_inner_ethernet(data: Array, at: Int, end: Int, head: Array) -> tuple[Int, Int]:
    """Pass over an Ethernet header in a tunnel; the stations of this link are those outside."""
    macs, source = head[h.MACS_AT], head[h.SOURCE_MAC_AT]
    ethertype, at = link.behind_ethernet(data, at, end, head)
    head[h.MACS_AT], head[h.SOURCE_MAC_AT] = macs, source
    return ethertype, at


@compiled
def _bounded(stated: Int, least: Int, on_wire: Int, head: Array) -> Int:
    """Tell the length of a packet: as stated; 0 means that the network card was to fill it in, or a jumbogram.

    -1 where it is less than the header.
    """
    if stated > on_wire:
        head[h.ANOMALY] = _IP_LENGTH
        return max(on_wire, least)
    if stated == 0:
        return max(on_wire, least)
    if stated < least:
        head[h.ANOMALY] = _IP_LENGTH
        return -1
    return stated


@compiled
def _cut(end: Int, wire_end: Int, head: Array) -> Int:
    """Refuse a packet that ends before its headers do; it is wrong only if the wire had no more, either."""
    if end >= wire_end:
        head[h.ANOMALY] = _HEADER_CUT
    return _TRUNCATED


@compiled
def _read_ipv4(data: Array, at: Int, end: Int, wire_end: Int, head: Array) -> Int:
    if at + 20 > end:
        return _cut(end, wire_end, head)
    if data[at] >> 4 != 4:
        head[h.ANOMALY] = _IP_VERSION
        return _MALFORMED
    length = (np.int64(data[at]) & 15) * 4
    head[h.VERSION] = 4
    head[h.SOURCE_AT] = at + 12
    head[h.DESTINATION_AT] = at + 16
    if length < 20:
        head[h.ANOMALY] = _IP_HEADER_LENGTH
        return _MALFORMED
    ip_bytes = _bounded(be16(data, at + 2), length, wire_end - at, head)
    if ip_bytes < 0:
        return _MALFORMED
    head[h.IP_BYTES] = ip_bytes
    head[h.PROTOCOL] = data[at + 9]
    fragment = be16(data, at + 6)
    head[h.FRAGMENT] = 0
    if fragment & 0x3FFF:
        head[h.FRAGMENT] = h.LATER_FRAGMENT if fragment & 0x1FFF else h.FIRST_FRAGMENT
        head[h.FRAGMENT_ID] = be16(data, at + 4)
        _place_fragment((fragment & 0x1FFF) * 8, ip_bytes - length, head)
    return _read_transport(data, at + length, min(end, at + ip_bytes), at + ip_bytes, head)


@compiled
def _place_fragment(offset: Int, length: Int, head: Array) -> None:
    head[h.FRAGMENT_AT] = offset
    head[h.FRAGMENT_BYTES] = length
    if offset + length > 65_535:
        head[h.ANOMALY] = _FRAGMENT_LENGTH


@compiled
def _read_ipv6(data: Array, at: Int, end: Int, wire_end: Int, head: Array) -> Int:
    if at + 40 > end:
        return _cut(end, wire_end, head)
    if data[at] >> 4 != 6:
        head[h.ANOMALY] = _IP_VERSION
        return _MALFORMED
    head[h.VERSION] = 6
    head[h.SOURCE_AT] = at + 8
    head[h.DESTINATION_AT] = at + 24
    length = be16(data, at + 4)
    ip_bytes = _bounded(length + 40 if length else 0, 40, wire_end - at, head)
    head[h.IP_BYTES] = ip_bytes
    head[h.FRAGMENT] = 0
    wire_end = at + ip_bytes
    return _read_extensions(data, at + 40, min(end, wire_end), wire_end, np.int64(data[at + 6]), head)


@compiled
def _read_extensions(data: Array, at: Int, end: Int, wire_end: Int, protocol: Int, head: Array) -> Int:
    """Pass over extension headers: those with lengths in units of 8 bytes, fragments, authentication (RFC 4302)."""
    for _ in range(MAX_EXTENSIONS + 1):
        is_fragment = protocol == 44
        if not (is_fragment or protocol in (0, 43, 51, 60, 135, 139, 140)):
            head[h.PROTOCOL] = protocol
            return _read_transport(data, at, end, wire_end, head)
        if at + 8 > end:
            return _cut(end, wire_end, head)
        following = np.int64(data[at])
        if is_fragment:
            position = be16(data, at + 2)
            if position & 0xFFF9:  # neither offset nor more to come: an atomic fragment, whole (RFC 6946)
                head[h.FRAGMENT] = h.LATER_FRAGMENT if position & 0xFFF8 else h.FIRST_FRAGMENT
                head[h.FRAGMENT_ID] = be32(data, at + 4)
                _place_fragment(position & 0xFFF8, wire_end - at - 8, head)
            at += 8
            if head[h.FRAGMENT] == h.LATER_FRAGMENT:
                head[h.PROTOCOL] = following
                return _read_transport(data, at, end, wire_end, head)
        elif protocol == 51:
            at += (np.int64(data[at + 1]) + 2) * 4
        else:
            at += (np.int64(data[at + 1]) + 1) * 8
        protocol = following
    head[h.ANOMALY] = _IPV6_EXTENSIONS
    return _MALFORMED


@compiled
def _read_transport(data: Array, at: Int, end: Int, wire_end: Int, head: Array) -> Int:
    """Read ports and what else the flow table needs: TCP (RFC 9293), UDP (RFC 768), SCTP (RFC 9260), ICMP types."""
    protocol = head[h.PROTOCOL]
    head[h.SOURCE_PORT] = NO_PORT
    head[h.DESTINATION_PORT] = NO_PORT
    head[h.FLAGS] = 0
    head[h.TRANSPORT_AT] = at
    if head[h.FRAGMENT] != h.LATER_FRAGMENT:
        if protocol == 6:
            if at + 14 > end:
                return _cut(end, wire_end, head)
            length = np.int64(data[at + 12] >> 4) * 4
            if length < 20:
                head[h.ANOMALY] = _TCP_HEADER_LENGTH
                return _MALFORMED
            head[h.SOURCE_PORT] = be16(data, at)
            head[h.DESTINATION_PORT] = be16(data, at + 2)
            head[h.SEQUENCE] = be32(data, at + 4)
            head[h.FLAGS] = data[at + 13]
            at += length
            if at > wire_end:
                head[h.ANOMALY] = _TCP_HEADER_LENGTH
        elif protocol == 17:
            if at + 6 > end:
                return _cut(end, wire_end, head)
            head[h.SOURCE_PORT] = be16(data, at)
            head[h.DESTINATION_PORT] = be16(data, at + 2)
            stated = be16(data, at + 4)
            if stated >= 8:
                if at + stated > wire_end:
                    if head[h.FRAGMENT] == h.WHOLE:
                        head[h.ANOMALY] = head[h.ANOMALY] or _UDP_LENGTH
                    else:
                        wire_end = at + stated  # the rest is missing: it is in later fragments
                else:
                    wire_end = at + stated
            elif stated:
                head[h.ANOMALY] = _UDP_LENGTH
            at += 8
        elif protocol in (1, 58):
            if at + 2 > end:
                return _cut(end, wire_end, head)
            kind = np.int64(data[at])
            answer = np.int64(ICMP_ANSWERS[1 if protocol == 58 else 0, kind])
            head[h.SOURCE_PORT] = kind
            head[h.DESTINATION_PORT] = answer if answer >= 0 else np.int64(data[at + 1])
            at += 8
        elif protocol == 132:
            if at + 4 > end:
                return _cut(end, wire_end, head)
            head[h.SOURCE_PORT] = be16(data, at)
            head[h.DESTINATION_PORT] = be16(data, at + 2)
            at += 12
    head[h.PAYLOAD_AT] = min(at, end)
    head[h.PAYLOAD_BYTES] = max(min(end, wire_end) - at, 0)
    head[h.PAYLOAD_WIRE] = max(wire_end - at, 0)
    return h.IS_IP


@compiled
def _read_arp(data: Array, at: Int, end: Int, wire_end: Int, head: Array) -> Int:
    if at + 28 > end:
        return _cut(end, wire_end, head)
    hardware = be16(data, at)
    if data[at + 4] != 6 or data[at + 5] != 4 or be16(data, at + 2) != link.IPV4 or hardware not in (1, 6):
        head[h.ANOMALY] = _ARP
        return _MALFORMED
    head[h.PAYLOAD_AT] = at
    head[h.PAYLOAD_BYTES] = 28
    return h.IS_ARP
