"""One flow and its counters."""

from collections import Counter
from dataclasses import dataclass, field
from math import log2

from sakimori_packet_sensor.domain.fastpath.layout import HEAD_BYTES, SAMPLE_BYTES, SIZES, Ending
from sensor_reference.packet import ACK, FIN, RST, SYN, IpPacket

STREAMS = {6, 17, 132}
"""Protocols whose payload somebody decodes."""


@dataclass
class Side:
    """What one side sent."""

    packets: int = 0
    ip_bytes: int = 0
    payload_bytes: int = 0
    flags: int = 0
    head: bytes = b""
    sample: bytes = b""

    @property
    def entropy(self) -> float:
        """Bits a byte, -1 where there was no payload."""
        total = len(self.sample)
        if not total:
            return -1
        return -sum(count / total * log2(count / total) for count in Counter(self.sample).values())


@dataclass
class Flow:
    """Packets of one 5-tuple, both ways; the source is who spoke first."""

    source: tuple[bytes, int]
    destination: tuple[bytes, int]
    source_mac: bytes
    destination_mac: bytes
    protocol: int
    vlan: int
    tunnel: int
    opening_flags: int
    start: int
    last: int
    number: int
    is_closing: bool = False
    is_attempt: bool = True
    base: list[int | None] = field(default_factory=lambda: [None, None])
    sides: tuple[Side, Side] = field(default_factory=lambda: (Side(), Side()))
    gap_squares: float = 0.0
    small: int = 0
    large: int = 0
    sizes: list[int] = field(default_factory=list)

    @classmethod
    def begin(cls, packet: IpPacket, macs: tuple[bytes, bytes], vlan: int, time: int, number: int) -> "Flow":
        """Begin with a first packet; SYN and ACK is an answer whose question nobody captured."""
        ends = (packet.source, packet.source_port), (packet.destination, packet.destination_port)
        if packet.flags & (SYN | ACK) == SYN | ACK and ends[0] != ends[1]:
            ends, macs = ends[::-1], macs[::-1]
        return cls(*ends, *macs, packet.protocol, vlan, packet.tunnel, packet.flags, time, time, number)

    def next_part(self, time: int, number: int) -> "Flow":
        """Go on with counters at zero."""
        part = Flow(
            self.source, self.destination, self.source_mac, self.destination_mac, self.protocol, self.vlan, self.tunnel,
            ACK, time, time, number,
        )  # fmt: skip
        part.base, part.is_attempt = self.base, self.is_attempt
        return part

    def side_of(self, packet: IpPacket) -> int:
        """Tell who sent a packet."""
        return 0 if (packet.source, packet.source_port) == self.source else 1

    def place_base(self, side: int, packet: IpPacket) -> None:
        """Learn where a side's stream begins."""
        if packet.flags & SYN:
            if self.base[side] is None or not self.sides[side].payload_bytes:
                self.base[side] = (packet.sequence + 1) % 2**32
        elif self.base[side] is None and not packet.flags & RST:
            self.base[side] = packet.sequence

    def count(self, side: int, packet: IpPacket, time: int) -> None:
        """Count a packet."""
        by = self.sides[side]
        if len(self.sizes) < SIZES:
            size = min(packet.ip_bytes, 32_767)
            self.sizes.append(-size if side else size)
        by.packets += 1
        by.ip_bytes += packet.ip_bytes
        by.flags |= packet.flags
        self.small += packet.ip_bytes <= 100
        self.large += packet.ip_bytes >= 1000
        if time > self.last:
            self.gap_squares += (time - self.last) ** 2
            self.last = time
        by.payload_bytes += packet.payload_wire
        if packet.payload:
            if self.protocol == 6 or not by.head:
                by.head = (by.head + packet.payload)[:HEAD_BYTES]
            by.sample = (by.sample + packet.payload)[:SAMPLE_BYTES]
        if (packet.payload_wire and self.protocol in STREAMS) or all(side.packets for side in self.sides):
            self.is_attempt = False
        flags = self.sides[0].flags, self.sides[1].flags
        if (
            self.protocol == 6
            and packet.flags & (FIN | RST)
            and (flags[0] & flags[1] & FIN or (flags[0] | flags[1]) & RST)
        ):
            self.is_closing = True

    def row(self, ending: Ending) -> dict[str, object]:
        """Say everything that a report of this flow holds."""
        return {
            "ending": ending, "number": self.number, "start": self.start, "last": self.last,
            "source": self.source, "destination": self.destination,
            "macs": (self.source_mac or bytes(6), self.destination_mac or bytes(6)),
            "protocol": self.protocol, "vlan": self.vlan, "tunnel": self.tunnel, "opening_flags": self.opening_flags,
            "packets": [side.packets for side in self.sides], "bytes": [side.ip_bytes for side in self.sides],
            "payload_bytes": [side.payload_bytes for side in self.sides],
            "flags": [side.flags for side in self.sides], "head": [side.head for side in self.sides],
            "entropy": [round(side.entropy, 3) + 0.0 for side in self.sides],
            "sampled": [len(side.sample) for side in self.sides],
            "gap_sum": self.last - self.start, "gap_squares": self.gap_squares,
            "small": self.small, "large": self.large, "sizes": self.sizes,
        }  # fmt: skip
