"""Frames to packets: link, network and transport headers. What the payload says is the protocols' matter."""

from sakimori_packet_sensor.domain.decode.frame import decode
from sakimori_packet_sensor.domain.decode.packet import NO_PORT, ArpPacket, IpPacket, Undecodable, Undecoded

__all__ = ["NO_PORT", "ArpPacket", "IpPacket", "Undecodable", "Undecoded", "decode"]
