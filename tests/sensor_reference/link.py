"""Link layers, by the numbers of tcpdump.org/linktypes, with the tags behind them."""

from collections.abc import Callable

from sakimori_packet_sensor.domain.fastpath.layout import Anomaly, Undecoded
from sensor_reference.packet import Link, Refused

IPV4, IPV6, ARP = 0x0800, 0x86DD, 0x0806
MAX_TAGS = 8
_TAGS = {0x8100, 0x88A8, 0x9100, 0x9200}
_MPLS = {0x8847, 0x8848}
_IPV6_FAMILIES = {10, 23, 24, 28, 30}


def number(data: bytes) -> int:
    """Read a number in network byte order."""
    return int.from_bytes(data, "big")


def take(link: Link, count: int) -> bytes:
    """Cut off the beginning of what is left; a header that was not captured whole is refused."""
    if len(link.data) < count:
        raise Refused(Undecoded.TRUNCATED, Anomaly.HEADER_CUT if link.is_whole else Anomaly.NONE)
    taken, link.data = link.data[:count], link.data[count:]
    link.wire -= count
    link.at += count
    return taken


def read_link(link_type: int, link: Link) -> None:
    """Read a frame down to the network protocol; what was read before it had to be refused is kept."""
    reader = _READERS.get(link_type)
    if reader is None:
        raise Refused(Undecoded.LINK_TYPE)
    reader(link)


def read_ethernet(link: Link) -> None:
    """Read Ethernet and its tags."""
    header = take(link, 14)
    link.destination_mac, link.source_mac = header[:6], header[6:12]
    link.ethertype = number(header[12:])
    pass_tags(link)


def pass_tags(link: Link) -> None:
    """Pass over VLAN tags, SNAP, MPLS labels, PPPoE and PPP."""
    for _ in range(MAX_TAGS + 1):
        if link.ethertype in _TAGS:
            tag = take(link, 4)
            link.vlan, link.ethertype = number(tag[:2]) & 0xFFF, number(tag[2:])
        elif link.ethertype < 0x600:
            if link.data[:3] != b"\xaa\xaa\x03":
                raise Refused(Undecoded.NETWORK_PROTOCOL)
            link.ethertype = number(take(link, 8)[6:])
            if link.ethertype < 0x600:
                raise Refused(Undecoded.NETWORK_PROTOCOL)
        elif link.ethertype in _MPLS:
            take_at_least(link, 5)
            if take(link, 4)[2] & 1:
                return _raw(link)
        elif link.ethertype == 0x8864:
            take(link, 6)
            return _ppp(link)
        elif link.ethertype == 0x880B:
            return _ppp(link)
        else:
            return None
    raise Refused(Undecoded.MALFORMED, Anomaly.TAG_DEPTH)


def take_at_least(link: Link, count: int) -> None:
    """Refuse what has fewer bytes than `count`."""
    take(Link(0, link.data, link.wire, is_whole=link.is_whole), count)


def _raw(link: Link) -> None:
    take_at_least(link, 1)
    version = link.data[0] >> 4
    if version not in {4, 6}:
        raise Refused(Undecoded.NETWORK_PROTOCOL)
    link.ethertype = IPV4 if version == 4 else IPV6


def _raw_ipv4(link: Link) -> None:
    link.ethertype = IPV4


def _raw_ipv6(link: Link) -> None:
    link.ethertype = IPV6


def _loopback(link: Link) -> None:
    family = take(link, 4)
    value = int.from_bytes(family[:2], "little") or number(family[2:])
    if value != 2 and value not in _IPV6_FAMILIES:
        raise Refused(Undecoded.NETWORK_PROTOCOL)
    link.ethertype = IPV4 if value == 2 else IPV6


def _cooked(link: Link) -> None:
    header = take(link, 16)
    if number(header[2:4]) == 1 and number(header[4:6]) == 6:
        link.source_mac = header[6:12]
    link.ethertype = number(header[14:])
    pass_tags(link)


def _cooked_v2(link: Link) -> None:
    header = take(link, 20)
    if number(header[8:10]) == 1 and header[11] == 6:
        link.source_mac = header[12:18]
    link.ethertype = number(header[:2])
    pass_tags(link)


def _ppp(link: Link) -> None:
    if link.data[:2] == b"\xff\x03":
        take(link, 2)
    take_at_least(link, 2)
    protocol = number(take(link, 1 if link.data[0] & 1 else 2))
    if protocol not in {0x21, 0x57}:
        raise Refused(Undecoded.NETWORK_PROTOCOL)
    link.ethertype = IPV4 if protocol == 0x21 else IPV6


_READERS: dict[int, Callable[[Link], None]] = {
    0: _loopback, 1: read_ethernet, 9: _ppp, 12: _raw, 14: _raw, 50: _ppp, 101: _raw, 108: _loopback, 113: _cooked,
    228: _raw_ipv4, 229: _raw_ipv6, 276: _cooked_v2,
}  # fmt: skip
