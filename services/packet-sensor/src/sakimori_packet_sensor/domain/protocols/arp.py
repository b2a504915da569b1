"""ARP messages (RFC 826) for IPv4 over Ethernet, with what RFC 5227 calls a probe and an announcement."""

from struct import Struct
from typing import Final

from sakimori_packet_sensor.domain.addresses import ip_text, mac_text
from sakimori_packet_sensor.domain.protocols.contract import Fields
from sakimori_packet_sensor.domain.protocols.malformed import Malformed

_MESSAGE = Struct("!HHBBH6s4s6s4s")
_ETHERNET, _IPV4 = 1, 0x0800
_NOWHERE: Final = b"\x00\x00\x00\x00"
_NOBODY: Final = bytes(6)
_OPERATIONS: Final = {1: "request", 2: "reply", 3: "reverse_request", 4: "reverse_reply", 8: "inverse_request",
                      9: "inverse_reply"}  # fmt: skip


def decode_arp(payload: bytes) -> Fields:
    """Decode a message into `arp.*`. Raises Malformed: cut, or not about IPv4 and MAC addresses."""
    if len(payload) < _MESSAGE.size:
        raise Malformed("shorter than an ARP message")
    hardware, network, mac_bytes, ip_bytes, operation, sender_mac, sender_ip, target_mac, target_ip = (
        _MESSAGE.unpack_from(payload)
    )
    if (network, mac_bytes, ip_bytes) != (_IPV4, 6, 4) or hardware not in {_ETHERNET, 6}:  # 6: IEEE 802
        raise Malformed("no ARP message about IPv4 and MAC addresses")
    fields: Fields = {
        "arp.operation": _OPERATIONS.get(operation) or str(operation),
        "arp.sender_mac": mac_text(sender_mac),
        "arp.sender_ip": ip_text(sender_ip),
        "arp.target_ip": ip_text(target_ip),
        "arp.is_gratuitous": sender_ip == target_ip and sender_ip != _NOWHERE,
        "arp.is_probe": operation == 1 and sender_ip == _NOWHERE,
    }
    if target_mac != _NOBODY:
        fields["arp.target_mac"] = mac_text(target_mac)
    return fields
