"""The way down a frame."""

import struct

from sakimori_packet_sensor.domain.decode.link import ARP, IPV4, IPV6, LINK_LAYERS
from sakimori_packet_sensor.domain.decode.network import arp, ipv4, ipv6
from sakimori_packet_sensor.domain.decode.packet import ArpPacket, IpPacket, Undecodable, Undecoded


def decode(link_type: int, data: bytes, wire_bytes: int) -> IpPacket | ArpPacket:
    """Decode a frame whose first bytes, up to `wire_bytes`, are `data`. Raises Undecodable, whatever the bytes are.

    A length on the wire below the number of captured bytes is impossible and not believed.
    """
    read_link = LINK_LAYERS.get(link_type)
    if read_link is None:
        raise Undecodable(Undecoded.LINK_TYPE)
    try:
        link = read_link(data)
        ethertype = link[0]
        if ethertype == IPV4:
            return ipv4(data, max(wire_bytes, len(data)), link)
        if ethertype == IPV6:
            return ipv6(data, max(wire_bytes, len(data)), link)
        if ethertype == ARP:
            return arp(data, link)
    except (struct.error, IndexError):
        raise Undecodable(Undecoded.TRUNCATED) from None
    raise Undecodable(Undecoded.NETWORK_PROTOCOL)
