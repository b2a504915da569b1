"""IPv4, IPv6, ARP, tunnels and transports."""

from sakimori_packet_sensor.domain.fastpath.layout import Anomaly, Undecoded
from sensor_reference.link import ARP, IPV4, IPV6, number, pass_tags, read_ethernet, take, take_at_least
from sensor_reference.packet import ArpPacket, Fragment, IpPacket, Link, Refused

MAX_TUNNELS, MAX_EXTENSIONS = 4, 16
_V4 = {8: 0, 0: 8, 13: 14, 14: 13, 15: 16, 16: 15, 17: 18, 18: 17, 10: 9, 9: 10}
_V6 = {128: 129, 129: 128, 133: 134, 134: 133, 135: 136, 136: 135, 130: 131, 131: 130, 144: 145, 145: 144, 139: 140,
       140: 139}  # fmt: skip
_EIGHTS = {0, 43, 60, 135, 139, 140}


def read_network(link: Link) -> IpPacket | ArpPacket:
    """Read what the link leads to, down to the innermost packet."""
    if link.ethertype == ARP:
        return _read_arp(link)
    packet = _read_ip(link)
    for depth in range(MAX_TUNNELS + 1):
        if packet.fragment is not None or packet.protocol not in {4, 41, 47}:
            break
        if depth == MAX_TUNNELS:
            packet.note(Anomaly.TUNNEL_DEPTH)
            break
        inner = _through(packet, link)
        if inner is None:
            break
        packet = inner
    return packet


def _through(outer: IpPacket, link: Link) -> IpPacket | None:
    """Read the packet inside a tunnel; None if there is none, and what is wrong with it is noted outside."""
    inside = Link(IPV4 if outer.protocol == 4 else IPV6, outer.payload, outer.payload_wire, at=outer.payload_at)
    inside.vlan = link.vlan
    inside.is_whole = len(inside.data) >= inside.wire
    try:
        if outer.protocol == 47:
            _pass_gre(inside)
    except Refused as refused:
        outer.note(refused.anomaly if refused.anomaly is Anomaly.TAG_DEPTH else Anomaly.NONE)
        return None
    try:
        inner = _read_ip(inside)
    except Refused as refused:
        outer.note(refused.anomaly)
        return None
    link.vlan = inside.vlan
    inner.tunnel = outer.protocol
    inner.anomaly = outer.anomaly or inner.anomaly
    return inner


def _pass_gre(inside: Link) -> None:
    header = take(inside, 4)
    flags, inside.ethertype = number(header[:2]), number(header[2:])
    if flags & 0x4000:
        raise Refused(Undecoded.NETWORK_PROTOCOL)
    optional = 4 * sum(bool(flags & bit) for bit in (0x8000, 0x2000, 0x1000))
    optional += 4 if flags & 7 == 1 and flags & 0x80 else 0
    optional += 8 if inside.ethertype == 0x88BE and flags & 0x1000 else 0
    inside.data, inside.wire, inside.at = inside.data[optional:], inside.wire - optional, inside.at + optional
    if inside.ethertype in {0x6558, 0x88BE}:
        read_ethernet(inside)
    else:
        pass_tags(inside)


def _read_ip(link: Link) -> IpPacket:
    if link.ethertype == IPV4:
        return _read_ipv4(link)
    if link.ethertype == IPV6:
        return _read_ipv6(link)
    raise Refused(Undecoded.NETWORK_PROTOCOL)


class WrongPacket(Refused):
    """A refused packet whose sender is known."""

    def __init__(self, packet: IpPacket, reason: Undecoded, anomaly: Anomaly) -> None:
        super().__init__(reason, packet.anomaly or anomaly)
        self.sender = packet.source


def _read_ipv4(link: Link) -> IpPacket:
    take_at_least(link, 20)
    header = link.data
    if header[0] >> 4 != 4:
        raise Refused(Undecoded.MALFORMED, Anomaly.IP_VERSION)
    length = (header[0] & 15) * 4
    packet = IpPacket(header[12:16], header[16:20], 0, header[9])
    if length < 20:
        raise WrongPacket(packet, Undecoded.MALFORMED, Anomaly.IP_HEADER_LENGTH)
    _bound(packet, number(header[2:4]), length, link.wire)
    position = number(header[6:8])
    if position & 0x3FFF:
        packet.fragment = Fragment(number(header[4:6]), (position & 0x1FFF) * 8, packet.ip_bytes - length)
    return _read_transport(packet, _rest(link, packet.ip_bytes, length))


def _bound(packet: IpPacket, stated: int, least: int, wire: int) -> None:
    if 0 < stated < least:
        if stated > wire:
            packet.note(Anomaly.IP_LENGTH)
            packet.ip_bytes = max(wire, least)
            return
        raise WrongPacket(packet, Undecoded.MALFORMED, Anomaly.IP_LENGTH)
    if stated > wire:
        packet.note(Anomaly.IP_LENGTH)
    packet.ip_bytes = stated if 0 < stated <= wire else max(wire, least)


def _rest(link: Link, ip_bytes: int, passed: int) -> Link:
    """What follows the first bytes of a packet, without what pads the frame."""
    data = link.data[:ip_bytes]
    return Link(0, data[passed:], ip_bytes - passed, at=link.at + passed, is_whole=len(data) >= ip_bytes)


def _read_ipv6(link: Link) -> IpPacket:
    take_at_least(link, 40)
    header = link.data
    if header[0] >> 4 != 6:
        raise Refused(Undecoded.MALFORMED, Anomaly.IP_VERSION)
    packet = IpPacket(header[8:24], header[24:40], 0)
    stated = number(header[4:6])
    _bound(packet, stated + 40 if stated else 0, 40, link.wire)
    rest = _rest(link, packet.ip_bytes, 40)
    protocol = header[6]
    for _ in range(MAX_EXTENSIONS + 1):
        packet.protocol = protocol
        if protocol not in _EIGHTS | {44, 51}:
            return _read_transport(packet, rest)
        protocol = _pass_extension(packet, rest)
        if packet.fragment is not None and not packet.fragment.is_first:
            packet.protocol = protocol
            return _read_transport(packet, rest)
    raise WrongPacket(packet, Undecoded.MALFORMED, Anomaly.IPV6_EXTENSIONS)


def _pass_extension(packet: IpPacket, rest: Link) -> int:
    """Pass over one extension header; returns the protocol that follows."""
    if len(rest.data) < 8:
        _cut(packet, rest)
    header = rest.data[:8]
    length = 8
    if packet.protocol == 44:
        position = number(header[2:4])
        if position & 0xFFF9:
            packet.fragment = Fragment(number(header[4:8]), position & 0xFFF8, rest.wire - 8)
    elif packet.protocol == 51:
        length = (header[1] + 2) * 4
    else:
        length = (header[1] + 1) * 8
    rest.data, rest.wire, rest.at = rest.data[length:], rest.wire - length, rest.at + length
    return header[0]


def _cut(packet: IpPacket, rest: Link) -> None:
    raise WrongPacket(packet, Undecoded.TRUNCATED, Anomaly.HEADER_CUT if rest.is_whole else Anomaly.NONE)


def _read_transport(packet: IpPacket, rest: Link) -> IpPacket:
    fragment = packet.fragment
    if fragment is not None and fragment.begin + fragment.length > 65_535:
        packet.note(Anomaly.FRAGMENT_LENGTH)
    packet.transport = rest.data
    header = 0
    if fragment is None or fragment.is_first:
        least = {6: 14, 17: 6, 1: 2, 58: 2, 132: 4}.get(packet.protocol, 0)
        if len(rest.data) < least:
            _cut(packet, rest)
        header = _read_header(packet, rest)
    packet.payload = rest.data[header:]
    packet.payload_wire = max(rest.wire - header, 0)
    packet.payload_at = rest.at + header
    return packet


def _read_header(packet: IpPacket, rest: Link) -> int:
    """Read the transport's header and return its length."""
    data = rest.data
    if packet.protocol in {6, 17, 132}:
        packet.source_port, packet.destination_port = number(data[:2]), number(data[2:4])
    if packet.protocol == 6:
        return _read_tcp(packet, rest)
    if packet.protocol == 17:
        return _read_udp(packet, rest)
    if packet.protocol in {1, 58}:
        answers = _V4 if packet.protocol == 1 else _V6
        packet.source_port, packet.destination_port = data[0], answers.get(data[0], data[1])
        return 8
    return 12 if packet.protocol == 132 else 0


def _read_tcp(packet: IpPacket, rest: Link) -> int:
    length = (rest.data[12] >> 4) * 4
    if length < 20:
        packet.source_port = packet.destination_port = -1
        raise WrongPacket(packet, Undecoded.MALFORMED, Anomaly.TCP_HEADER_LENGTH)
    packet.sequence, packet.flags = number(rest.data[4:8]), rest.data[13]
    if length > rest.wire:
        packet.note(Anomaly.TCP_HEADER_LENGTH)
    return length


def _read_udp(packet: IpPacket, rest: Link) -> int:
    stated = number(rest.data[4:6])
    if 0 < stated < 8 or (stated > rest.wire and packet.fragment is None):
        packet.note(Anomaly.UDP_LENGTH)
    elif stated > rest.wire:
        packet.payload_later = stated - rest.wire
    elif stated:
        rest.data = rest.data[:stated]
        rest.wire = stated
    return 8


def _read_arp(link: Link) -> ArpPacket:
    take_at_least(link, 28)
    message = link.data[:28]
    if message[2:6] != b"\x08\x00\x06\x04" or number(message[:2]) not in {1, 6}:
        raise Refused(Undecoded.MALFORMED, Anomaly.ARP)
    return ArpPacket(message)
