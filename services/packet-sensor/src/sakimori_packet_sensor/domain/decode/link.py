"""Link layers, by the numbers of tcpdump.org/linktypes. Each reader finds the network protocol and where it begins.

A frame that is too short raises IndexError, which `decode` counts as truncated.
"""

from collections.abc import Callable
from typing import Final

from sakimori_packet_sensor.domain.decode.packet import Link, Undecodable, Undecoded

IPV4: Final = 0x0800
IPV6: Final = 0x86DD
ARP: Final = 0x0806
_VLAN_TAGS: Final = frozenset({0x8100, 0x88A8, 0x9100, 0x9200})
_LEAST_ETHERTYPE: Final = 0x0600  # below it the field is the length of an IEEE 802.3 frame
_SNAP: Final = b"\xaa\xaa\x03"
_IPV6_FAMILIES: Final = frozenset({10, 23, 24, 28, 30})  # AF_INET6 of the systems that write captures
_ETHERNET_HARDWARE: Final = 1
_NO_MAC: Final = b""


def _ethernet(data: bytes) -> Link:
    at = 14
    ethertype = data[12] << 8 | data[13]
    while ethertype in _VLAN_TAGS:
        ethertype = data[at + 2] << 8 | data[at + 3]
        at += 4
    if ethertype < _LEAST_ETHERTYPE and data[at : at + 3] == _SNAP:
        ethertype = data[at + 6] << 8 | data[at + 7]
        at += 8
    return (ethertype, at, data[6:12], data[:6])


def _raw(data: bytes) -> Link:
    version = data[0] >> 4
    if version not in {4, 6}:
        raise Undecodable(Undecoded.NETWORK_PROTOCOL)
    return (IPV4 if version == 4 else IPV6, 0, _NO_MAC, _NO_MAC)


def _raw_ipv4(_: bytes) -> Link:
    return (IPV4, 0, _NO_MAC, _NO_MAC)


def _raw_ipv6(_: bytes) -> Link:
    return (IPV6, 0, _NO_MAC, _NO_MAC)


def _loopback(data: bytes) -> Link:
    """Read BSD loopback: the address family in four bytes, in the byte order of whoever captured."""
    family = data[0] | data[1] << 8 if data[0] or data[1] else data[2] << 8 | data[3]
    if family == 2:
        return (IPV4, 4, _NO_MAC, _NO_MAC)
    if family in _IPV6_FAMILIES:
        return (IPV6, 4, _NO_MAC, _NO_MAC)
    raise Undecodable(Undecoded.NETWORK_PROTOCOL)


def _linux_cooked(data: bytes) -> Link:
    ethertype = data[14] << 8 | data[15]
    has_mac = data[2] << 8 | data[3] == _ETHERNET_HARDWARE and data[5] == 6
    return _behind_tags(data, ethertype, 16, data[6:12] if has_mac else _NO_MAC)


def _linux_cooked_v2(data: bytes) -> Link:
    ethertype = data[0] << 8 | data[1]
    has_mac = data[8] << 8 | data[9] == _ETHERNET_HARDWARE and data[11] == 6
    return _behind_tags(data, ethertype, 20, data[12:18] if has_mac else _NO_MAC)


def _behind_tags(data: bytes, ethertype: int, at: int, source_mac: bytes) -> Link:
    while ethertype in _VLAN_TAGS:
        ethertype = data[at + 2] << 8 | data[at + 3]
        at += 4
    return (ethertype, at, source_mac, _NO_MAC)


LINK_LAYERS: Final[dict[int, Callable[[bytes], Link]]] = {
    0: _loopback,  # NULL
    1: _ethernet,
    12: _raw,  # RAW, as most systems number DLT_RAW
    14: _raw,  # RAW on OpenBSD
    101: _raw,  # RAW
    108: _loopback,  # LOOP
    113: _linux_cooked,
    228: _raw_ipv4,
    229: _raw_ipv6,
    276: _linux_cooked_v2,
}
"""Link type to its reader."""
