"""IPv4 (RFC 791), IPv6 (RFC 8200), ARP (RFC 826), tunnels (RFC 2003, RFC 4213, RFC 2784) and transports' ports.

What is read goes into `head` (see header.py). `end` is where the captured bytes end, `wire_end` where the packet ended
on the wire; both are places in the block's buffer. Functions return what became of the packet: Undecoded, IS_IP
or IS_ARP.
"""

# ruff: noqa: PLR0917  # compiled functions take words, by position

from typing import Final

import numpy as np

from sakimori_packet_sensor.compiled import called, inlined
from sakimori_packet_sensor.domain.fastpath import header as h
from sakimori_packet_sensor.domain.fastpath import link
from sakimori_packet_sensor.domain.fastpath.arrays import Array, Int, Record
from sakimori_packet_sensor.domain.fastpath.layout import NO_PORT, Anomaly, Undecoded
from sakimori_packet_sensor.domain.fastpath.reading import be16, be32

MAX_TUNNELS: Final = 4
MAX_EXTENSIONS: Final = 16
"""More than the kinds there are; a longer chain is an attack on whoever walks it."""

_OTHER: Final = np.int64(Undecoded.NETWORK_PROTOCOL.value)
_TRUNCATED: Final = np.int64(Undecoded.TRUNCATED.value)
_MALFORMED: Final = np.int64(Undecoded.MALFORMED.value)
_HEADER_CUT: Final = np.int64(Anomaly.HEADER_CUT.value)
_IP_VERSION: Final = np.int64(Anomaly.IP_VERSION.value)
_IP_HEADER_LENGTH: Final = np.int64(Anomaly.IP_HEADER_LENGTH.value)
_IP_LENGTH: Final = np.int64(Anomaly.IP_LENGTH.value)
_IPV6_EXTENSIONS: Final = np.int64(Anomaly.IPV6_EXTENSIONS.value)
_TUNNEL_DEPTH: Final = np.int64(Anomaly.TUNNEL_DEPTH.value)
_FRAGMENT_LENGTH: Final = np.int64(Anomaly.FRAGMENT_LENGTH.value)
_TCP_HEADER_LENGTH: Final = np.int64(Anomaly.TCP_HEADER_LENGTH.value)
_UDP_LENGTH: Final = np.int64(Anomaly.UDP_LENGTH.value)
_ARP: Final = np.int64(Anomaly.ARP.value)

_IPV6_HEADER: Final = np.int64(40)
_LEAST_TCP: Final = 20

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


@inlined
def read_frame(data: Array, at: Int, end: Int, wire_end: Int, link_type: Int, headers: Array) -> Int:
    """Decode a frame down to its transport into the first of two headers; the other is scratch."""
    head = headers[0]
    head.version = 0
    head.anomaly = 0
    head.vlan = 0
    head.tunnel = 0
    head.fragment = h.WHOLE
    head.destination_mac_at = -1
    head.source_mac_at = -1
    head.frame_at = at
    ethertype, at = link.behind_link(data, at, end, link_type, head)
    status = _read_network(data, at, end, wire_end, ethertype, head)
    if status == h.IS_IP and head.fragment == h.WHOLE and head.protocol in (4, 41, 47):
        return _read_tunnels(data, headers)
    return status


@inlined
def _read_network(data: Array, at: Int, end: Int, wire_end: Int, ethertype: Int, head: Record) -> Int:
    if ethertype == link.IPV4:
        return _read_ipv4(data, at, end, wire_end, head)
    if ethertype == link.IPV6:
        return _read_ipv6(data, at, end, wire_end, head)
    if ethertype == link.ARP:
        return _read_arp(data, at, end, wire_end, head)
    if ethertype < 0:
        status = -1 - ethertype
        if status == _TRUNCATED and end >= wire_end:
            note(head, _HEADER_CUT)
        return status
    return _OTHER


@called
def _read_tunnels(data: Array, headers: Array) -> Int:
    """Go to the innermost packet that can be read; a tunnel that holds something else is a flow itself."""
    head, outer = headers[0], headers[1]
    for depth in range(MAX_TUNNELS + 1):
        protocol = head.protocol
        if head.fragment != h.WHOLE or protocol not in (4, 41, 47):
            break
        if depth == MAX_TUNNELS:
            note(head, _TUNNEL_DEPTH)
            break
        headers[1] = headers[0]
        end = head.payload_at + head.payload_bytes
        wire_end = head.payload_at + head.payload_wire
        at = head.payload_at
        ethertype = link.IPV4 if protocol == 4 else link.IPV6
        head.anomaly = 0
        if protocol == 47:
            ethertype, at = _behind_gre(data, at, end, head)
        status = _read_network(data, at, end, wire_end, ethertype, head) if ethertype > 0 else _OTHER
        if status != h.IS_IP:
            anomaly = head.anomaly
            headers[0] = outer
            note(head, anomaly)
            break
        head.tunnel = protocol
        if outer.anomaly:
            head.anomaly = outer.anomaly
    return h.IS_IP


@called
def _behind_gre(data: Array, at: Int, end: Int, head: Record) -> tuple[Int, Int]:
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


@called
def _behind_inner_ethernet(data: Array, at: Int, end: Int, head: Record) -> tuple[Int, Int]:
    """Pass over an Ethernet header in a tunnel; the stations of this link are those outside."""
    macs, source = head.destination_mac_at, head.source_mac_at
    ethertype, at = link.behind_ethernet(data, at, end, head)
    head.destination_mac_at, head.source_mac_at = macs, source
    return ethertype, at


@inlined
def _bounded(stated: Int, least: Int, on_wire: Int, head: Record) -> Int:
    """Tell the length of a packet: as stated; 0 means that the network card was to fill it in, or a jumbogram.

    -1 where it is less than the header.
    """
    if stated > on_wire:
        note(head, _IP_LENGTH)
        return max(on_wire, least)
    if stated == 0:
        return max(on_wire, least)
    if stated < least:
        note(head, _IP_LENGTH)
        return -1
    return stated


@inlined
def note(head: Record, anomaly: Int) -> None:
    """Keep the first thing that is wrong."""
    if head.anomaly == 0:
        head.anomaly = anomaly


@called
def _cut(end: Int, wire_end: Int, head: Record) -> Int:
    """Refuse a packet that ends before its headers do; it is wrong only if the wire had no more, either."""
    if end >= wire_end:
        note(head, _HEADER_CUT)
    return _TRUNCATED


@inlined
def _read_ipv4(data: Array, at: Int, end: Int, wire_end: Int, head: Record) -> Int:
    if at + 20 > end:
        return _cut(end, wire_end, head)
    if data[at] >> 4 != 4:
        note(head, _IP_VERSION)
        return _MALFORMED
    length = (np.int64(data[at]) & 15) * 4
    head.version = 4
    head.source_at = at + 12
    head.destination_at = at + 16
    if length < 20:
        note(head, _IP_HEADER_LENGTH)
        return _MALFORMED
    ip_bytes = _bounded(be16(data, at + 2), length, wire_end - at, head)
    if ip_bytes < 0:
        return _MALFORMED
    head.ip_bytes = ip_bytes
    head.protocol = data[at + 9]
    fragment = be16(data, at + 6)
    head.fragment = 0
    if fragment & 0x3FFF:
        head.fragment = h.LATER_FRAGMENT if fragment & 0x1FFF else h.FIRST_FRAGMENT
        head.fragment_id = be16(data, at + 4)
        _place_fragment((fragment & 0x1FFF) * 8, ip_bytes - length, head)
    return _read_transport(data, at + length, min(end, at + ip_bytes), at + ip_bytes, head)


@inlined
def _place_fragment(offset: Int, length: Int, head: Record) -> None:
    head.fragment_at = offset
    head.fragment_bytes = length
    if offset + length > 65_535:
        note(head, _FRAGMENT_LENGTH)


@called
def _read_ipv6(data: Array, at: Int, end: Int, wire_end: Int, head: Record) -> Int:
    if at + 40 > end:
        return _cut(end, wire_end, head)
    if data[at] >> 4 != 6:
        note(head, _IP_VERSION)
        return _MALFORMED
    head.version = 6
    head.source_at = at + 8
    head.destination_at = at + 24
    length = be16(data, at + 4)
    ip_bytes = _bounded(length + 40 if length else 0, _IPV6_HEADER, wire_end - at, head)
    head.ip_bytes = ip_bytes
    head.fragment = 0
    wire_end = at + ip_bytes
    return _read_extensions(data, at + 40, min(end, wire_end), wire_end, np.int64(data[at + 6]), head)


@called
def _read_extensions(data: Array, at: Int, end: Int, wire_end: Int, protocol: Int, head: Record) -> Int:
    """Pass over extension headers: those with lengths in units of 8 bytes, fragments, authentication (RFC 4302)."""
    for _ in range(MAX_EXTENSIONS + 1):
        is_fragment = protocol == 44
        if not (is_fragment or protocol in (0, 43, 51, 60, 135, 139, 140)):
            head.protocol = protocol
            return _read_transport(data, at, end, wire_end, head)
        if at + 8 > end:
            return _cut(end, wire_end, head)
        following = np.int64(data[at])
        if is_fragment:
            position = be16(data, at + 2)
            if position & 0xFFF9:  # neither offset nor more to come: an atomic fragment, whole (RFC 6946)
                head.fragment = h.LATER_FRAGMENT if position & 0xFFF8 else h.FIRST_FRAGMENT
                head.fragment_id = be32(data, at + 4)
                _place_fragment(position & 0xFFF8, wire_end - at - 8, head)
            at += 8
            if head.fragment == h.LATER_FRAGMENT:
                head.protocol = following
                return _read_transport(data, at, end, wire_end, head)
        elif protocol == 51:
            at += (np.int64(data[at + 1]) + 2) * 4
        else:
            at += (np.int64(data[at + 1]) + 1) * 8
        protocol = following
    note(head, _IPV6_EXTENSIONS)
    return _MALFORMED


@inlined
def _read_transport(data: Array, at: Int, end: Int, wire_end: Int, head: Record) -> Int:
    """Read ports and what else the flow table needs: TCP (RFC 9293), UDP (RFC 768), SCTP (RFC 9260), ICMP types."""
    head.source_port = NO_PORT
    head.destination_port = NO_PORT
    head.flags = 0
    head.transport_at = at
    head.payload_later = 0
    if head.fragment != h.LATER_FRAGMENT:
        protocol = head.protocol
        least = 14 if protocol == 6 else 6 if protocol == 17 else 4 if protocol == 132 else 0
        if protocol in (1, 58):
            least = 2
        if least and at + least > end:
            return _cut(end, wire_end, head)
        if protocol == 6:
            at += _read_tcp(data, at, wire_end, head)
            if at < head.transport_at + _LEAST_TCP:
                note(head, _TCP_HEADER_LENGTH)
                return _MALFORMED
        elif protocol == 17:
            wire_end = _read_udp(data, at, wire_end, head)
            at += 8
        elif least == 2:
            _read_icmp(data, at, head)
            at += 8
        elif protocol == 132:
            head.source_port = be16(data, at)
            head.destination_port = be16(data, at + 2)
            at += 12
    head.payload_at = min(at, end)
    head.payload_bytes = max(min(end, wire_end) - at, 0)
    head.payload_wire = max(wire_end - at, 0)
    return h.IS_IP


@inlined
def _read_tcp(data: Array, at: Int, wire_end: Int, head: Record) -> Int:
    """Read a TCP header and return its length, which may be impossible."""
    length = np.int64(data[at + 12] >> 4) * 4
    head.source_port = be16(data, at)
    head.destination_port = be16(data, at + 2)
    head.sequence = be32(data, at + 4)
    head.flags = data[at + 13]
    if at + length > wire_end:
        note(head, _TCP_HEADER_LENGTH)
    return length


@inlined
def _read_udp(data: Array, at: Int, wire_end: Int, head: Record) -> Int:
    """Read a UDP header and return where the datagram ended on the wire, as far as this packet has it."""
    head.source_port = be16(data, at)
    head.destination_port = be16(data, at + 2)
    stated = be16(data, at + 4)
    if stated >= 8 and at + stated <= wire_end:
        return at + stated
    if stated >= 8 and head.fragment != h.WHOLE:
        head.payload_later = at + stated - wire_end
    elif stated:
        note(head, _UDP_LENGTH)
    return wire_end


@inlined
def _read_icmp(data: Array, at: Int, head: Record) -> None:
    """Have type and the type of the answer stand in for ports; the code where none answers."""
    kind = np.int64(data[at])
    answer = np.int64(ICMP_ANSWERS[1 if head.protocol == 58 else 0, kind])
    head.source_port = kind
    head.destination_port = answer if answer >= 0 else np.int64(data[at + 1])


@called
def _read_arp(data: Array, at: Int, end: Int, wire_end: Int, head: Record) -> Int:
    if at + 28 > end:
        return _cut(end, wire_end, head)
    hardware = be16(data, at)
    if data[at + 4] != 6 or data[at + 5] != 4 or be16(data, at + 2) != link.IPV4 or hardware not in (1, 6):
        note(head, _ARP)
        return _MALFORMED
    head.payload_at = at
    head.payload_bytes = 28
    return h.IS_ARP
