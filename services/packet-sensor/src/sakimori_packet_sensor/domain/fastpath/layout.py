"""What the compiled part and the rest of the sensor exchange: two tables."""

from enum import IntEnum
from typing import Final

import numpy as np

SIZES: Final = 16
"""Packets of a flow whose sizes are kept, in order."""
HEAD_BYTES: Final = 32
"""First payload bytes of each side that are kept."""

FLOW: Final = np.dtype(
    [
        ("start", "i8"), ("last", "i8"),  # microseconds
        ("number", "i8"),  # place of its first packet in the capture, from 1
        ("source", "u1", 16), ("destination", "u1", 16),  # IPv4 in the first four bytes
        ("source_mac", "u1", 6), ("destination_mac", "u1", 6),  # zeros where the link has none
        ("source_port", "i4"), ("destination_port", "i4"),  # NO_PORT where there are none; ICMP: see flows.icmp
        ("packets", "i8", 2), ("bytes", "i8", 2), ("payload_bytes", "i8", 2),  # by side; bytes are those of IP packets
        ("flags", "u1", 2), ("opening_flags", "u1"),
        ("protocol", "u1"), ("version", "u1"),  # IP protocol; 4 or 6
        ("vlan", "u2"),  # innermost tag, 0 for none
        ("state", "u1"),  # of the slot: free, open, closing
        ("gap_sum", "f8"), ("gap_squares", "f8"),  # microseconds between packets, either side: sum, sum of squares
        ("small_packets", "i8"), ("large_packets", "i8"),
        ("sizes", "i2", SIZES),  # IP bytes of the first packets, negative from the destination, 0 for none
        ("head", "u1", (2, HEAD_BYTES)), ("head_bytes", "u1", 2),
        ("entropy", "f4", 2),  # bits a byte over the first payload bytes of each side, set when the flow ends; -1: none
        ("base", "u4", 2), ("has_base", "u1", 2),  # TCP: sequence number of the side's first payload byte
        ("watch", "u1", 2), ("skip_to", "u4", 2),  # see Watch; skip_to as an offset from base
    ]
)  # fmt: skip
"""One flow; a side is 0 for its source, the one that spoke first, and 1 for its destination."""


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
    """TCP, UDP or SCTP payload of a flow that is watched."""
    ARP = 1
    """`payload` is the ARP message; `flow` is -1."""
    NEIGHBOUR = 2
    """`payload` is an ICMPv6 message of neighbour discovery (types 133 to 137)."""
    NEW_STATION = 3
    """The first packet of a source MAC address, or of it with a private IP address that it had not; `payload` is the whole frame."""
    ANOMALY = 4
    """A header that is wrong; `reason` says how. Bounded in number, all are counted."""


MARK: Final = np.dtype(
    [
        ("number", "i8"), ("time", "i8"),  # of the packet: place in the capture, microseconds
        ("payload_at", "i8"), ("payload_bytes", "i4"),  # in the block's buffer
        ("index", "i4"),  # of the packet in the block
        ("flow", "i4"),  # slot in the table, -1 for none
        ("offset", "u4"),  # TCP: of the payload's first byte in the side's stream; a SYN seen makes that begin at 0
        ("missing", "i4"),  # payload bytes that were on the wire and not captured (snaplen)
        ("kind", "u1"), ("side", "u1"), ("flags", "u1"), ("reason", "u1"),
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
