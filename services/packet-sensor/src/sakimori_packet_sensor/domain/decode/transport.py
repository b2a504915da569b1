"""TCP (RFC 9293), UDP (RFC 768), SCTP ports (RFC 9260), ICMP types (RFC 792, RFC 4443)."""

from struct import Struct

from sakimori_packet_sensor.domain.decode.packet import IpPacket, Protocol, Undecodable, Undecoded

_TCP = Struct("!HHI4xBB")  # without window, checksum and urgent pointer: a cut header still tells its flow
_UDP = Struct("!HHH")
_PORTS = Struct("!HH")

_TCP_NUMBER, _UDP_NUMBER = int(Protocol.TCP), int(Protocol.UDP)  # looking an enumeration up costs ten times as much
_ICMP_NUMBERS = frozenset({int(Protocol.ICMP), int(Protocol.ICMPV6)})
_SCTP_NUMBER = int(Protocol.SCTP)


def read_transport(packet: IpPacket) -> None:
    """Fill in what the transport header says, which begins where the payload of `packet` did so far."""
    at, protocol = packet.payload_at, packet.protocol
    if protocol == _TCP_NUMBER:
        _require(packet, 14)
        packet.source_port, packet.destination_port, packet.sequence, offset, packet.tcp_flags = _TCP.unpack_from(
            packet.data, at
        )
        if offset < 0x50:
            raise Undecodable(Undecoded.MALFORMED)
        packet.payload_at = at + (offset >> 4) * 4
    elif protocol == _UDP_NUMBER:
        _require(packet, 6)
        packet.source_port, packet.destination_port, length = _UDP.unpack_from(packet.data, at)
        if length >= 8:
            packet.payload_end = min(packet.payload_end, at + length)
        packet.payload_at = at + 8
    elif protocol in _ICMP_NUMBERS:
        _require(packet, 2)
        packet.source_port, packet.destination_port = packet.data[at], packet.data[at + 1]
        packet.payload_at = at + 8
    elif protocol == _SCTP_NUMBER:
        _require(packet, 4)
        packet.source_port, packet.destination_port = _PORTS.unpack_from(packet.data, at)
        packet.payload_at = at + 12


def _require(packet: IpPacket, count: int) -> None:
    if packet.payload_at + count > packet.payload_end:
        raise Undecodable(Undecoded.TRUNCATED)
