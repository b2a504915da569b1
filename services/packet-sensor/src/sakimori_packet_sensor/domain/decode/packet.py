"""What decoding a frame yields."""

from dataclasses import dataclass
from enum import IntEnum, StrEnum
from typing import Final

NO_PORT: Final = -1
"""Where a protocol has no ports, or a fragment does not carry them."""

FIN, SYN, RST, PSH, ACK, URG = 0x01, 0x02, 0x04, 0x08, 0x10, 0x20


class Protocol(IntEnum):
    """IP protocol numbers that this sensor looks into."""

    ICMP = 1
    TCP = 6
    UDP = 17
    ICMPV6 = 58
    SCTP = 132


class Undecoded(StrEnum):
    """Why a frame could not be decoded; a label of the metric, so a small closed set."""

    LINK_TYPE = "link_type"
    """A link type that is not known here, or an interface that the capture does not describe."""
    NETWORK_PROTOCOL = "network_protocol"
    """Neither IP nor ARP: spanning tree, LLDP, ... Nothing is wrong with it."""
    TRUNCATED = "truncated"
    """The frame ends before its headers do."""
    MALFORMED = "malformed"
    """A header contradicts itself."""


class Undecodable(Exception):
    """A frame that is counted and not looked at further."""

    def __init__(self, reason: Undecoded) -> None:
        super().__init__(reason)
        self.reason = reason


Link = tuple[int, int, bytes, bytes]
"""What the link layer says: the protocol inside (EtherType), where it begins, and source and destination MAC address,
6 bytes each or empty. A plain tuple, since there is one a packet."""


@dataclass(slots=True)
class IpPacket:
    """An IP packet. Addresses are 4 or 16 bytes.

    `ip_bytes` is the length the IP header states (header included), bounded by what was on the wire. What the transport
    carries is `data[payload_at:payload_end]`, less than was sent where the capture cut it. Ports are NO_PORT where
    there are none; of ICMP they hold type and code. `tcp_flags` and `sequence` are 0 unless this is TCP. `time` and
    `number` (from 1) tell when and at which place of the capture it was.
    """

    source: bytes
    destination: bytes
    protocol: int
    ip_bytes: int
    data: bytes
    payload_at: int
    payload_end: int
    link: Link
    source_port: int = NO_PORT
    destination_port: int = NO_PORT
    tcp_flags: int = 0
    sequence: int = 0
    fragment: "Fragment | None" = None
    time: int = 0
    number: int = 0

    @property
    def payload(self) -> bytes:
        """What the transport carries, as far as captured."""
        return self.data[self.payload_at : self.payload_end]


@dataclass(slots=True)
class Fragment:
    """One fragment of a larger packet; only the first has the ports."""

    identification: int
    is_first: bool


@dataclass(slots=True)
class ArpPacket:
    """An ARP packet for IPv4 over Ethernet (RFC 826); `operation` 1 asks, 2 answers; time and place as in IpPacket."""

    operation: int
    sender_mac: bytes
    sender_ip: bytes
    target_mac: bytes
    target_ip: bytes
    time: int = 0
    number: int = 0
