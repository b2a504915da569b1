"""What decoding a frame yields."""

from dataclasses import dataclass

from sakimori_packet_sensor.domain.fastpath.layout import NO_PORT, Anomaly, Undecoded

FIN, SYN, RST, ACK = 0x01, 0x02, 0x04, 0x10


class Refused(Exception):
    """A frame that is counted and not looked at further; `sender` is the IP address that was read by then."""

    def __init__(self, reason: Undecoded, anomaly: Anomaly = Anomaly.NONE) -> None:
        super().__init__(reason, anomaly)
        self.reason = reason
        self.anomaly = anomaly


@dataclass
class Link:
    """What the link layer says: the protocol inside (EtherType), and what follows it, on the wire and captured."""

    ethertype: int
    data: bytes
    wire: int
    source_mac: bytes = b""
    destination_mac: bytes = b""
    vlan: int = 0
    at: int = 0
    """Where in the frame `data` begins."""
    is_whole: bool = True
    """Whether all of the packet was captured: then a header that ends early is wrong, not cut."""


@dataclass
class Fragment:
    """A part of a larger packet."""

    identification: int
    begin: int
    length: int

    @property
    def is_first(self) -> bool:
        """The first has the ports."""
        return self.begin == 0


@dataclass
class IpPacket:
    """An IP packet, the innermost of a frame; `payload` is what was captured of what the transport carries."""

    source: bytes
    destination: bytes
    ip_bytes: int
    protocol: int = 0
    source_port: int = NO_PORT
    destination_port: int = NO_PORT
    flags: int = 0
    sequence: int = 0
    fragment: Fragment | None = None
    transport: bytes = b""
    payload: bytes = b""
    payload_wire: int = 0
    payload_later: int = 0
    """Bytes of a datagram that later fragments have."""
    payload_at: int = 0
    tunnel: int = 0
    anomaly: Anomaly = Anomaly.NONE

    def note(self, anomaly: Anomaly) -> None:
        """Keep the first thing that is wrong."""
        self.anomaly = self.anomaly or anomaly


@dataclass
class ArpPacket:
    """An ARP message."""

    message: bytes
