"""The pcapng format (draft-ietf-opsawg-pcapng): sections, interfaces and the three kinds of packet block."""

from collections.abc import Iterator
from struct import unpack, unpack_from
from typing import Final

import numpy as np
import numpy.typing as npt
from numba import njit

from sakimori_common.instants import LATEST
from sakimori_packet_sensor.domain.capture.contract import MAX_FRAME_BYTES, NO_LINK, CaptureError, Cut
from sakimori_packet_sensor.domain.capture.interfaces import Interfaces, Resolution, microseconds, resolution
from sakimori_packet_sensor.domain.capture.walking import Stop, word
from sakimori_packet_sensor.domain.capture.window import Columns, Window

MAGIC: Final = b"\x0a\x0d\x0d\x0a"
"""Type of the section header block, the same in both byte orders."""
MAX_BLOCK_BYTES: Final = 16 * 1024 * 1024
"""Wireshark's bound; a larger block is a damaged length."""

_BYTE_ORDERS = {b"\x4d\x3c\x2b\x1a": False, b"\x1a\x2b\x3c\x4d": True}
_SECTION, _INTERFACE, _OLD_PACKET, _SIMPLE_PACKET, _ENHANCED_PACKET = 0x0A0D0D0A, 1, 2, 3, 6
_TIME_RESOLUTION, _TIME_OFFSET = 9, 14  # options of an interface
_MICROSECOND = Resolution(1, 1, False, 0)

_FULL, _MORE, _DAMAGED, _OTHER = int(Stop.FULL), int(Stop.MORE), int(Stop.DAMAGED), int(Stop.OTHER)
_BAD_LENGTH, _BAD_END, _TOO_SHORT, _BAD_PACKET = range(4)
_DAMAGE = {
    _BAD_LENGTH: "claims {size} bytes: damaged from here on",
    _BAD_END: "does not end with its length: damaged from here on",
    _TOO_SHORT: "is too short for a packet",
    _BAD_PACKET: "claims a packet of {size} bytes: damaged from here on",
}


class PcapngWalker:
    """The blocks behind the first section header, section after section."""

    def __init__(self, window: Window) -> None:
        """Read the section header, whose type is known. Raises CaptureError when it is broken."""
        self._interfaces = Interfaces()
        self._time = 0
        self._block = 1
        try:
            self._begin_section(window)
        except Cut as cut:
            raise CaptureError(f"is no readable pcapng capture: {cut}") from None

    def walk(self, window: Window, columns: Columns) -> int:
        """Index packets; see Walker."""
        while True:
            count, stop, need, size = self._index(window, columns)
            if count:
                return count
            if stop == _DAMAGED:
                raise Cut(f"block {self._block} {_DAMAGE[need].format(size=size)}")
            if stop == _OTHER:
                self._describe(window)
            elif not window.has(need):
                if window.left:
                    raise Cut(self._cut(window, need))
                return 0

    def _index(self, window: Window, columns: Columns) -> tuple[int, int, int, int]:
        interfaces = self._interfaces
        count, blocks, window.at, stop, need, size, self._time = index(
            window.data, window.at, window.end, self._is_big, interfaces.table, interfaces.count, self._time,
            columns.at, columns.captured, columns.wire, columns.time, columns.link,
        )  # fmt: skip
        self._block += blocks
        return count, stop, need, size

    def _cut(self, window: Window, need: int) -> str:
        if window.left < 8:
            return f"block {self._block} is cut within its header"
        return f"block {self._block} is cut: {window.left} of {need} bytes"

    def _describe(self, window: Window) -> None:
        """Read a section header, of which the type is there, or an interface, which is there as a whole."""
        if bytes(window.data[window.at : window.at + 4]) == MAGIC:
            try:
                self._begin_section(window)
            except Cut as cut:
                raise Cut(f"block {self._block} is broken: {cut}") from None
            return
        (length,) = unpack_from(self._order + "I", window.data, window.at + 4)
        block = window.take(length + (-length & 3))
        if len(block) < 20 or not self._add_interface(block[8:-4]):
            raise Cut(f"block {self._block} describes no interface, or one too many")
        self._block += 1

    def _begin_section(self, window: Window) -> None:
        window.has(12)
        head = bytes(window.data[window.at : min(window.at + 12, window.end)])
        is_big = _BYTE_ORDERS.get(head[8:])
        if is_big is None:
            raise Cut("no byte-order magic in the section header")
        self._is_big, self._order = is_big, ">" if is_big else "<"
        (length,) = unpack(self._order + "I", head[4:8])
        if not 28 <= length <= MAX_BLOCK_BYTES:
            raise Cut(f"a section header of {length} bytes")
        padded = length + (-length & 3)
        if not window.has(padded):
            raise Cut("cut within a section header")
        window.at += padded
        self._interfaces = Interfaces()
        self._block += 1

    def _add_interface(self, body: bytes) -> bool:
        link_type, _, snap_bytes = unpack_from(self._order + "HHI", body)
        ticks, offset = _MICROSECOND, 0
        for code, value in self._options(body, 8):
            if code == _TIME_RESOLUTION and value:
                ticks = resolution(value[0])
            elif code == _TIME_OFFSET and len(value) == 8:
                (offset,) = unpack(self._order + "q", value)
        return self._interfaces.add(link_type, snap_bytes, ticks, offset)

    def _options(self, body: bytes, at: int) -> Iterator[tuple[int, bytes]]:
        while at + 4 <= len(body):
            code, length = unpack_from(self._order + "HH", body, at)
            if code == 0:
                return
            yield code, body[at + 4 : at + 4 + length]
            at += 4 + length + (-length & 3)


@njit(cache=True, nogil=True)  # type: ignore[misc]  # numba has no types
def index(  # noqa: C901, PLR0912, PLR0915  # one loop: a call a packet would cost more than what it does
    data: npt.NDArray[np.uint8],
    at: int,
    end: int,
    is_big: bool,
    interfaces: npt.NDArray[np.void],
    interface_count: int,
    moment: int,
    starts: npt.NDArray[np.int64],
    captured: npt.NDArray[np.int32],
    wire: npt.NDArray[np.int32],
    time: npt.NDArray[np.int64],
    link: npt.NDArray[np.int32],
) -> tuple[int, int, int, int, int, int, int]:
    """Index the packets in [at, end): packets, blocks, where the next block begins, why that is not read.

    Then: how many bytes it takes to read on or, of a damaged block, what is wrong with it; the size it claims; and the
    time of the last packet, which was `moment` before.
    """
    count = blocks = 0
    room = len(starts)
    while count < room:
        if at + 4 > end:
            return count, blocks, at, _MORE, 4, 0, moment
        kind = word(data, at, is_big)
        if kind == _SECTION:
            return count, blocks, at, _OTHER, 0, 0, moment
        if at + 8 > end:
            return count, blocks, at, _MORE, 8, 0, moment
        length = word(data, at + 4, is_big)
        if length < 12 or length > MAX_BLOCK_BYTES:
            return count, blocks, at, _DAMAGED, _BAD_LENGTH, length, moment
        padded = (length + 3) & ~3
        if at + padded > end:
            return count, blocks, at, _MORE, padded, 0, moment
        if word(data, at + padded - 4, is_big) != length:
            return count, blocks, at, _DAMAGED, _BAD_END, length, moment
        if kind == _INTERFACE:
            return count, blocks, at, _OTHER, 0, 0, moment
        if kind == _ENHANCED_PACKET or kind == _OLD_PACKET:  # noqa: PLR1714  # compiled as it stands
            if padded < 32:
                return count, blocks, at, _DAMAGED, _TOO_SHORT, length, moment
            size = word(data, at + 20, is_big)
            if size > min(padded - 32, MAX_FRAME_BYTES):
                return count, blocks, at, _DAMAGED, _BAD_PACKET, size, moment
            number = word(data, at + 8, is_big)
            if kind == _OLD_PACKET:  # two numbers of 16 bits: the interface, packets dropped
                number = number >> 16 if is_big else number & 0xFFFF
            ticks = np.uint64(word(data, at + 12, is_big)) << np.uint64(32) | np.uint64(word(data, at + 16, is_big))
            if number < interface_count:
                moment = microseconds(ticks, interfaces[number])
                link[count] = interfaces[number].link
            else:
                moment = np.int64(min(ticks, np.uint64(LATEST)))
                link[count] = NO_LINK
            starts[count] = at + 28
            captured[count] = size
            wire[count] = min(word(data, at + 24, is_big), 0x7FFFFFFF)
            time[count] = moment
            count += 1
        elif kind == _SIMPLE_PACKET:  # neither time nor interface: the first interface, the time of the packet before
            if padded < 16:
                return count, blocks, at, _DAMAGED, _TOO_SHORT, length, moment
            full = word(data, at + 8, is_big)
            size = min(full, padded - 16, MAX_FRAME_BYTES)
            link[count] = NO_LINK
            if interface_count:
                link[count] = interfaces[0].link
                if interfaces[0].snap:
                    size = min(size, interfaces[0].snap)
            starts[count] = at + 12
            captured[count] = size
            wire[count] = min(full, 0x7FFFFFFF)
            time[count] = moment
            count += 1
        blocks += 1
        at += padded
    return count, blocks, at, _FULL, 0, 0, moment
