"""Link layers, by the numbers of tcpdump.org/linktypes, down to the network protocol.

Every function returns (EtherType, place behind it); a negative EtherType is -1 minus the Undecoded that became of it.
`end` is where the captured bytes end.
"""

# ruff: noqa: C901, PLR0911, PLR0912  # a table of functions cannot be compiled

from typing import Final

import numpy as np

from sakimori_packet_sensor.compiled import called, inlined
from sakimori_packet_sensor.domain.fastpath.arrays import Array, Int, Record
from sakimori_packet_sensor.domain.fastpath.layout import Anomaly, Undecoded
from sakimori_packet_sensor.domain.fastpath.reading import be16

IPV4: Final = 0x0800
IPV6: Final = 0x86DD
ARP: Final = 0x0806
MPLS: Final = 0x8847
MPLS_MULTICAST: Final = 0x8848
PPPOE: Final = 0x8864
PPP: Final = 0x880B
"""As GRE numbers it (RFC 2637)."""
MAX_TAGS: Final = 8
_LEAST_ETHERTYPE: Final = 0x0600  # below it the field is the length of an IEEE 802.3 frame

LINK_TYPE: Final = -1 - Undecoded.LINK_TYPE.value
OTHER: Final = -1 - Undecoded.NETWORK_PROTOCOL.value
TRUNCATED: Final = -1 - Undecoded.TRUNCATED.value
MALFORMED: Final = -1 - Undecoded.MALFORMED.value
_TAG_DEPTH: Final = np.int64(Anomaly.TAG_DEPTH.value)


@inlined
def behind_link(data: Array, at: Int, end: Int, link: Int, head: Record) -> tuple[Int, Int]:
    """Read the link header of a frame, with the tags behind it."""
    if link == 1:
        return behind_ethernet(data, at, end, head)
    if link in (12, 14, 101):
        return _raw(data, at, end)
    if link == 228:
        return IPV4, at
    if link == 229:
        return IPV6, at
    if link in (0, 108):
        return _loopback(data, at, end)
    if link == 113:
        return _cooked(data, at, end, head)
    if link == 276:
        return _cooked_v2(data, at, end, head)
    if link in (9, 50):
        return _ppp(data, at, end)
    return LINK_TYPE, at


@inlined
def behind_ethernet(data: Array, at: Int, end: Int, head: Record) -> tuple[Int, Int]:
    """Read an Ethernet header (IEEE 802.3 with SNAP, too)."""
    if at + 14 > end:
        return TRUNCATED, at
    head.destination_mac_at = at
    head.source_mac_at = at + 6
    ethertype = be16(data, at + 12)
    if ethertype in (IPV4, IPV6):
        return ethertype, at + 14
    return _behind_tags(data, at + 14, end, ethertype, head)


@called
def _behind_tags(data: Array, at: Int, end: Int, ethertype: Int, head: Record) -> tuple[Int, Int]:
    """Pass over IEEE 802.1Q and 802.1ad tags, SNAP, PPPoE (RFC 2516) and MPLS (RFC 3032), at most MAX_TAGS of them."""
    for _ in range(MAX_TAGS + 1):
        if ethertype in (0x8100, 0x88A8, 0x9100, 0x9200):
            if at + 4 > end:
                return TRUNCATED, at
            head.vlan = be16(data, at) & 0x0FFF
            ethertype = be16(data, at + 2)
            at += 4
        elif ethertype < _LEAST_ETHERTYPE:
            if at + 3 > end or not (data[at] == 0xAA and data[at + 1] == 0xAA and data[at + 2] == 3):
                return OTHER, at
            if at + 8 > end:
                return TRUNCATED, at
            ethertype = be16(data, at + 6)
            at += 8
            if ethertype < _LEAST_ETHERTYPE:
                return OTHER, at
        elif ethertype in (MPLS, MPLS_MULTICAST):
            if at + 5 > end:
                return TRUNCATED, at
            at += 4
            if data[at - 2] & 1:
                return _raw(data, at, end)
        elif ethertype == PPPOE:
            if at + 6 > end:
                return TRUNCATED, at
            return _ppp(data, at + 6, end)
        elif ethertype == PPP:
            return _ppp(data, at, end)
        else:
            return ethertype, at
    head.anomaly = _TAG_DEPTH
    return MALFORMED, at


@called
def behind_ethertype(data: Array, at: Int, end: Int, ethertype: Int, head: Record) -> tuple[Int, Int]:
    """Read on from an EtherType, as GRE and Linux cooked captures have it, down to the network protocol."""
    return _behind_tags(data, at, end, ethertype, head)


@called
def _raw(data: Array, at: Int, end: Int) -> tuple[Int, Int]:
    if at >= end:
        return TRUNCATED, at
    version = data[at] >> 4
    if version == 4:
        return IPV4, at
    if version == 6:
        return IPV6, at
    return OTHER, at


@called
def _loopback(data: Array, at: Int, end: Int) -> tuple[Int, Int]:
    """Read BSD loopback: the address family in four bytes, in the byte order of whoever captured."""
    if at + 4 > end:
        return TRUNCATED, at
    family = be16(data, at + 2)
    if data[at] or data[at + 1]:
        family = data[at] | (data[at + 1] << 8)
    if family == 2:
        return IPV4, at + 4
    if family in (10, 23, 24, 28, 30):  # AF_INET6 of the systems that write captures
        return IPV6, at + 4
    return OTHER, at


@called
def _cooked(data: Array, at: Int, end: Int, head: Record) -> tuple[Int, Int]:
    if at + 16 > end:
        return TRUNCATED, at
    if be16(data, at + 2) == 1 and be16(data, at + 4) == 6:
        head.source_mac_at = at + 6
    return _behind_tags(data, at + 16, end, be16(data, at + 14), head)


@called
def _cooked_v2(data: Array, at: Int, end: Int, head: Record) -> tuple[Int, Int]:
    if at + 20 > end:
        return TRUNCATED, at
    if be16(data, at + 8) == 1 and data[at + 11] == 6:
        head.source_mac_at = at + 12
    return _behind_tags(data, at + 20, end, be16(data, at), head)


@called
def _ppp(data: Array, at: Int, end: Int) -> tuple[Int, Int]:
    """Read PPP (RFC 1661), with or without the framing of HDLC (RFC 1662) and with compressed protocol numbers."""
    if at + 2 <= end and data[at] == 0xFF and data[at + 1] == 3:
        at += 2
    if at + 2 > end:
        return TRUNCATED, at
    protocol = data[at] if data[at] & 1 else be16(data, at)
    at += 1 if data[at] & 1 else 2
    if protocol == 0x21:
        return IPV4, at
    if protocol == 0x57:
        return IPV6, at
    return OTHER, at
