"""Devices, as ARP and DHCP give them away."""

from collections import OrderedDict
from dataclasses import dataclass, replace
from typing import Final, Literal

from sakimori_common.instants import MICROSECONDS
from sakimori_packet_sensor.domain.addresses import is_device
from sakimori_packet_sensor.domain.decode import ArpPacket
from sakimori_packet_sensor.domain.protocols.dhcp import DhcpMessage, DhcpType

REPEAT_SECONDS: Final = 3600
"""A sighting that says nothing new is reported again only after so long: often enough to know who is there."""
_REMEMBERED: Final = 65_536

_NOWHERE: Final = b"\x00\x00\x00\x00"
_ETHERNET_ID: Final = b"\x01"


@dataclass(frozen=True, slots=True)
class Sighting:
    """A device was seen: its MAC address, its IP address (empty when it has none yet) and what it says of itself."""

    mac: bytes
    ip: bytes
    evidence: Literal["arp", "dhcp"]
    hostname: str = ""
    vendor_class: str = ""
    fingerprint: str = ""


class Devices:
    """Remember what is known, so that only news are reported: a new pair of addresses, a changed name or kind."""

    def __init__(self) -> None:
        self._reported: OrderedDict[tuple[bytes, bytes, str], tuple[Sighting, int]] = OrderedDict()
        self._described: OrderedDict[bytes, Sighting] = OrderedDict()

    def from_arp(self, packet: ArpPacket) -> Sighting | None:
        """Take the sender of a request, an answer, a probe (RFC 5227: no address yet) or an announcement."""
        if not is_device(packet.sender_mac):
            return None
        ip = b"" if packet.sender_ip == _NOWHERE else packet.sender_ip
        return self._news(Sighting(packet.sender_mac, ip, "arp"), packet.time)

    def from_dhcp(self, message: DhcpMessage, time: int) -> Sighting | None:
        """Take the client of what it sends itself and of what a server confirms."""
        mac = _client(message)
        if not is_device(mac):
            return None
        if message.is_from_client:
            wanted = message.requested_ip if message.kind is DhcpType.REQUEST else b""
            ip = wanted or message.client_ip
        elif message.kind is DhcpType.ACK:
            ip = message.your_ip or message.client_ip
        else:
            return None
        if message.kind in {DhcpType.RELEASE, DhcpType.DECLINE}:
            ip = b""
        return self._news(self._describe(mac, ip, message), time)

    def _describe(self, mac: bytes, ip: bytes, message: DhcpMessage) -> Sighting:
        """Say all that the client has said of itself: the server's confirmation repeats none of it."""
        known = self._described.pop(mac, Sighting(mac, b"", "dhcp"))
        if message.is_from_client:
            known = replace(
                known,
                hostname=message.hostname or known.hostname,
                vendor_class=message.vendor_class or known.vendor_class,
                fingerprint=message.fingerprint or known.fingerprint,
            )
        while len(self._described) >= _REMEMBERED:
            self._described.popitem(last=False)
        self._described[mac] = known
        return replace(known, ip=ip)

    def _news(self, sighting: Sighting, time: int) -> Sighting | None:
        key = (sighting.mac, sighting.ip, sighting.evidence)
        known = self._reported.get(key)
        if known is not None and known[0] == sighting and time - known[1] < REPEAT_SECONDS * MICROSECONDS:
            return None
        while known is None and len(self._reported) >= _REMEMBERED:
            self._reported.popitem(last=False)
        self._reported[key] = (sighting, time)
        self._reported.move_to_end(key)
        return sighting


def _client(message: DhcpMessage) -> bytes:
    if message.client_mac:
        return message.client_mac
    return message.client_id[1:] if message.client_id[:1] == _ETHERNET_ID else b""
