"""One flow and what its counters say about it."""

from sakimori_packet_sensor.domain.decode.packet import ACK, FIN, NO_PORT, RST, SYN, IpPacket, Protocol
from sakimori_packet_sensor.domain.flows.community import community_id
from sakimori_packet_sensor.domain.flows.state import FlowState

_LETTERS = (("F", 0x01), ("S", 0x02), ("R", 0x04), ("P", 0x08), ("A", 0x10), ("U", 0x20))


class Flow:
    """Packets of one 5-tuple, both ways. The source is the side that spoke first.

    A flow that begins with SYN and ACK is an answer whose question was not captured: then the source is the other side.
    Bytes are those of IP packets. `number` is the place of its first packet in the capture, from 1. Times are in
    microseconds.
    """

    __slots__ = (
        "_community_id",
        "destination",
        "destination_bytes",
        "destination_flags",
        "destination_mac",
        "destination_packets",
        "destination_port",
        "last",
        "number",
        "opening_flags",
        "protocol",
        "protocol_name",
        "source",
        "source_bytes",
        "source_flags",
        "source_mac",
        "source_packets",
        "source_port",
        "start",
    )

    def __init__(self, packet: IpPacket, ports: tuple[int, int]) -> None:
        self.protocol = packet.protocol
        self.source, self.destination = packet.source, packet.destination
        self.source_port, self.destination_port = ports
        _, _, self.source_mac, self.destination_mac = packet.link
        if packet.tcp_flags & (SYN | ACK) == SYN | ACK:
            self._turn_round()
        self.opening_flags = packet.tcp_flags
        self.protocol_name = ""
        self._begin(packet)

    def _turn_round(self) -> None:
        self.source, self.destination = self.destination, self.source
        self.source_port, self.destination_port = self.destination_port, self.source_port
        self.source_mac, self.destination_mac = self.destination_mac, self.source_mac

    def _begin(self, packet: IpPacket) -> None:
        self._community_id = ""
        self.start = self.last = packet.time
        self.number = packet.number
        self.source_packets = self.source_bytes = self.source_flags = 0
        self.destination_packets = self.destination_bytes = self.destination_flags = 0

    def continued(self, packet: IpPacket) -> "Flow":
        """Begin the next part of a flow that is too long for one event: same sides, counters at zero."""
        part = Flow.__new__(Flow)
        for name in ("protocol", "protocol_name", "source", "destination", "source_port", "destination_port"):
            setattr(part, name, getattr(self, name))
        part.source_mac, part.destination_mac = self.source_mac, self.destination_mac
        part.opening_flags = ACK
        part._begin(packet)
        return part

    def add(self, packet: IpPacket, source_port: int) -> None:
        """Count a packet of this flow, whose port, or what stands for it, is `source_port`."""
        if source_port == self.source_port and packet.source == self.source:
            self.source_packets += 1
            self.source_bytes += packet.ip_bytes
            self.source_flags |= packet.tcp_flags
        else:
            self.destination_packets += 1
            self.destination_bytes += packet.ip_bytes
            self.destination_flags |= packet.tcp_flags
        if packet.time > self.last:  # noqa: PLR1730  # max() costs four times as much, and this is every packet
            self.last = packet.time

    @property
    def is_over(self) -> bool:
        """Whether TCP is done with it: FIN from both sides, or RST."""
        source, destination = self.source_flags, self.destination_flags
        return bool(source & destination & FIN or (source | destination) & RST)

    @property
    def state(self) -> FlowState:
        """What became of it.

        A first packet without ACK that is no SYN belongs to no connection: NULL, FIN and XMAS scans send it. It counts
        as an attempt like a SYN. A source that acknowledges got an answer, even if the capture saw one side only.
        """
        if self.protocol != Protocol.TCP or self.source_port == NO_PORT:
            return FlowState.ACTIVE
        if self.source_flags & self.destination_flags & FIN:
            return FlowState.CLOSED
        is_attempt = not self.opening_flags & ACK
        if is_attempt and not self.destination_packets and not self.source_flags & ACK:
            return FlowState.ATTEMPTED
        if is_attempt and self.destination_flags & RST and not self.destination_flags & SYN:
            return FlowState.REJECTED
        if (self.source_flags | self.destination_flags) & RST:
            return FlowState.RESET
        return FlowState.ESTABLISHED

    @property
    def tcp_flags(self) -> str:
        """Letters of the flags seen either way, in the order FSRPAU."""
        seen = self.source_flags | self.destination_flags
        return "".join(letter for letter, bit in _LETTERS if seen & bit)

    @property
    def community_id(self) -> str:
        """Name of the flow in other tools."""
        if not self._community_id:
            self._community_id = community_id(
                self.source, self.destination, self.protocol, self.source_port, self.destination_port
            )
        return self._community_id
