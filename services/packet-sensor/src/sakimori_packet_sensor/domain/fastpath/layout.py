"""What the compiled part and the rest of the sensor exchange: tables of flows, marks, and folded attempts."""

from enum import IntEnum
from typing import Final

import numpy as np

NO_PORT: Final = -1
"""Where a protocol has no ports, or a fragment does not carry them."""
SIZES: Final = 16
"""Packets of a flow whose sizes are kept, in order."""
HEAD_BYTES: Final = 32
"""First payload bytes of each side that are kept."""
SAMPLE_BYTES: Final = 2048
"""First payload bytes of each side whose entropy is measured: random ones come to some 7.9 bits a byte."""
SMALL_BYTES: Final = 100
"""IP packets of at most so many bytes are small."""
LARGE_BYTES: Final = 1000
"""IP packets of at least so many bytes are large."""
LINGER_SECONDS: Final = 5
"""How long a flow that TCP is done with still takes packets: the last ACK, a retransmitted FIN."""

FLOW: Final = np.dtype(
    [
        # The order is that of use: what every packet touches is in the first three cache lines.
        ("key", "u8", 5),  # of the fast path: both ends in an order that is the same for either direction
        ("last", "i8"),  # microseconds
        ("state", "u1"),  # of the slot: SlotState
        ("turned", "u1"),  # of the fast path: whether the source is the second end of `key`
        ("protocol", "u1"), ("version", "u1"),  # IP protocol; 4 or 6
        ("flags", "u1", 2), ("opening_flags", "u1"),
        ("tunnel", "u1"),  # IP protocol of the innermost tunnel around it (4, 41, 47), 0 for none
        ("watch", "u1", 2), ("has_base", "u1", 2),  # see Watch; has_base 2: from a SYN
        ("sampled", "u2", 2),  # payload bytes that count for `entropy`
        ("start", "i8"),  # microseconds
        ("packets", "i8", 2), ("bytes", "i8", 2), ("payload_bytes", "i8", 2),  # by side; bytes are those of IP packets
        ("base", "u4", 2),  # TCP: sequence number of the side's first payload byte
        ("skip_to", "u4", 2),  # see Watch; an offset from base
        ("gap_sum", "f8"), ("gap_squares", "f8"),  # microseconds between packets, either side: sum, sum of squares
        ("small_packets", "u4"), ("large_packets", "u4"),
        ("number", "i8"),  # place of its first packet in the capture, from 1
        ("source", "u1", 16), ("destination", "u1", 16),  # IPv4 in the first four bytes
        ("source_mac", "u1", 6), ("destination_mac", "u1", 6),  # zeros where the link has none
        ("source_port", "i4"), ("destination_port", "i4"),  # NO_PORT where there are none; ICMP: see flows.icmp
        ("vlan", "u2"),  # innermost tag, 0 for none
        ("head_bytes", "u1", 2), ("head", "u1", (2, HEAD_BYTES)),
        ("sizes", "i2", SIZES),  # IP bytes of the first packets, negative from the destination, 0 for none
        ("entropy", "f4", 2),  # bits a byte over the first payload bytes of each side, set when the flow ends; -1: none
        ("spare", "u1", 56),  # to whole cache lines
    ]
)  # fmt: skip
"""One flow; a side is 0 for its source, the one that spoke first, and 1 for its destination."""


class SlotState(IntEnum):
    """What a slot of the flow table holds."""

    FREE = 0
    ATTEMPT = 1
    """One side only spoke, and without payload (of TCP, UDP or SCTP)."""
    OPEN = 2
    CLOSING = 3
    """TCP is done with it; it lingers."""


class Watch(IntEnum):
    """What is wanted of a side's payload; written by those who decode, read by the fast path."""

    ALL = 0
    """Every packet with payload."""
    NONE = 1
    BEYOND = 2
    """TCP: packets that reach beyond `skip_to`."""


class Kind(IntEnum):
    """Why a packet is marked."""

    PAYLOAD = 0
    """TCP, UDP or SCTP payload of a flow that is watched; not of a later fragment."""
    ARP = 1
    """`payload` is the ARP message; `flow` is -1."""
    NEIGHBOUR = 2
    """`payload` is an ICMPv6 message of neighbour discovery (types 133 to 137), from its type on."""
    NEW_STATION = 3
    """The first packet of a source MAC address, or of it with a private IP address that it had not; again after an
    hour. `payload` is the whole frame; `mac`, `version` and `address` say which. Bounded a second."""
    ANOMALY = 4
    """A header that is wrong; `reason` (Anomaly) says how, `version` and `address` from whom, as far as it was read.
    `payload` is the whole frame. Bounded a second; all are counted."""


class Anomaly(IntEnum):
    """How a header is wrong."""

    NONE = 0
    HEADER_CUT = 1
    """The packet, not only what was captured of it, ends before its headers do."""
    IP_VERSION = 2
    """The link announces one version of IP, the header another."""
    IP_HEADER_LENGTH = 3
    IP_LENGTH = 4
    """The stated length is shorter than the header, or longer than what was on the wire."""
    IPV6_EXTENSIONS = 5
    """More extension headers than there are kinds."""
    TUNNEL_DEPTH = 6
    """Tunnels in tunnels beyond MAX_TUNNELS."""
    TAG_DEPTH = 7
    """More VLAN tags or MPLS labels than MAX_TAGS."""
    FRAGMENT_OVERLAP = 8
    FRAGMENT_LENGTH = 9
    """A fragment that ends beyond 65,535 bytes."""
    TCP_HEADER_LENGTH = 10
    UDP_LENGTH = 11
    """Shorter than its header, or longer than the packet."""
    ARP = 12
    """Other than IPv4 over Ethernet."""


MARK: Final = np.dtype(
    [
        ("number", "i8"), ("time", "i8"),  # of the packet: place in the capture, microseconds
        ("payload_at", "i8"), ("payload_bytes", "i4"),  # in the block's buffer
        ("index", "i4"),  # of the packet in the block
        ("flow", "i4"),  # slot in the table, -1 for none
        ("offset", "u4"),  # TCP: of the payload's first byte in the side's stream; a SYN seen makes that begin at 0
        ("missing", "i4"),  # payload bytes that were on the wire and not captured (snaplen)
        ("kind", "u1"), ("side", "u1"), ("flags", "u1"), ("reason", "u1"),
        ("vlan", "u2"),
        ("version", "u1"),  # 4 or 6: `address` is set; 0: it is not
        ("mac", "u1", 6),  # source; zeros for none
        ("address", "u1", 16),  # source, of NEW_STATION and ANOMALY only; IPv4 in the first four bytes
    ]
)  # fmt: skip
"""One packet worth a look, in capture order."""


class Ending(IntEnum):
    """Why a flow is reported."""

    OVER = 0
    """TCP is done with it."""
    IDLE = 1
    ACTIVE = 2
    """It goes on: this is a part, the next begins with its next packet, in the same slot."""
    EVICTED = 3
    FINISHED = 4
    """The capture ended."""


class Undecoded(IntEnum):
    """Why no flow could be found for a packet."""

    LINK_TYPE = 0
    """A link type that is not known here, or an interface that the capture does not describe."""
    NETWORK_PROTOCOL = 1
    """Neither IP nor ARP: spanning tree, LLDP, ... Nothing is wrong with it."""
    TRUNCATED = 2
    """What was captured ends before its headers do."""
    MALFORMED = 3
    """A header contradicts itself."""


FOLDED: Final = np.dtype(
    [
        ("count", "i8"), ("packets", "i8"), ("bytes", "i8"),
        ("first", "i8"), ("last", "i8"),  # microseconds
        ("number", "i8"),  # of the first packet of the example
        ("source", "u1", 16), ("destination", "u1", 16),  # an example source; the destination, zeros for various
        ("source_mac", "u1", 6), ("destination_mac", "u1", 6),  # of the example
        ("source_port", "i4"),  # of the example
        ("destination_port", "i4"),  # NO_PORT for none or various
        ("vlan", "u2"),
        ("protocol", "u1"), ("version", "u1"),  # version of the destination, 0 for various destinations
        ("flags", "u1"),
        ("sources", "f8"),  # distinct sources, an estimate (HyperLogLog, 256 registers: 6.5 % standard error)
    ]
)  # fmt: skip
"""Attempts that were given up for want of room, by destination, port and protocol."""
