"""What the kernel writes into a TPACKET_V3 ring (linux/if_packet.h), in the byte order of the machine."""

import sys
from typing import Final, NamedTuple

import numpy as np
import numpy.typing as npt

from sakimori_common.instants import MICROSECONDS
from sakimori_packet_sensor.compiled import compiled
from sakimori_packet_sensor.domain.capture.contract import MAX_FRAME_BYTES, NO_LINK
from sakimori_packet_sensor.domain.capture.walking import word
from sakimori_packet_sensor.domain.capture.window import Columns

STATUS_AT: Final = 8
"""Where in a ring block its status stands: 0 while it is the kernel's, bit 0 set when it is ours."""
TAG_BYTES: Final = 4
"""Room to be reserved before each packet, into which a VLAN tag goes that the network card had taken out."""
MIN_PACKET_BYTES: Final = 80
"""Less than any packet takes in a ring: header of 48, address of 20, alignment."""

_IS_BIG = sys.byteorder == "big"
_COUNT_AT, _FIRST_AT = 12, 16  # of a block
_ADDRESS_AT = 48  # of a packet: behind its header stands a sockaddr_ll of 20 bytes
_VLAN_VALID, _TPID_VALID = 1 << 4, 1 << 6
_IPV4, _IPV6 = 0x0800, 0x86DD


class Source(NamedTuple):
    """What a ring's packets are: their link type, and whether they come without a link header (`is_cooked`)."""

    link_type: int
    is_cooked: bool


@compiled
def index(ring: npt.NDArray[np.uint8], begin: int, end: int, source: Source, columns: Columns) -> int:
    """Index the packets of the ring block in [begin, end), putting VLAN tags back; returns how many.

    Follows the chain of packets, never beyond the block or the room there is. What comes over a cooked socket and is no
    IP gets NO_LINK.
    """
    number = min(word(ring, begin + _COUNT_AT, _IS_BIG), len(columns.at))
    at = begin + word(ring, begin + _FIRST_AT, _IS_BIG)
    count = 0
    while count < number and at + _ADDRESS_AT + 20 <= end:
        size, full = word(ring, at + 12, _IS_BIG), word(ring, at + 16, _IS_BIG)
        start = at + _half(ring, at + 24)
        if start + size > end:
            break
        size = min(size, MAX_FRAME_BYTES - TAG_BYTES)  # what the kernel has put together may be larger
        status = word(ring, at + 20, _IS_BIG)
        if status & _VLAN_VALID and size >= 12 and not source.is_cooked:
            _put_tag_back(ring, start, _half(ring, at + 36) if status & _TPID_VALID else 0x8100, _half(ring, at + 32))
            start, size, full = start - TAG_BYTES, size + TAG_BYTES, full + TAG_BYTES
        protocol = np.int64(ring[at + _ADDRESS_AT + 2]) << 8 | ring[at + _ADDRESS_AT + 3]
        is_known = not source.is_cooked or protocol in (_IPV4, _IPV6)
        columns.link[count] = source.link_type if is_known else NO_LINK
        columns.at[count], columns.captured[count], columns.wire[count] = start, size, full
        columns.time[count] = word(ring, at + 4, _IS_BIG) * MICROSECONDS + word(ring, at + 8, _IS_BIG) // 1000
        count += 1
        at += word(ring, at, _IS_BIG)
    return count


@compiled
def _half(ring: npt.NDArray[np.uint8], at: int) -> int:
    """Read 16 bits in the byte order of the machine."""
    pair = word(ring, at, _IS_BIG)
    return pair >> 16 if _IS_BIG else pair & 0xFFFF


@compiled
def _put_tag_back(ring: npt.NDArray[np.uint8], start: int, protocol: int, tag: int) -> None:
    """Move both addresses forward by four bytes and write the tag behind them."""
    for i in range(12):
        ring[start - TAG_BYTES + i] = ring[start + i]
    ring[start + 8], ring[start + 9] = protocol >> 8, protocol & 0xFF
    ring[start + 10], ring[start + 11] = (tag >> 8) & 0xFF, tag & 0xFF
