"""The pcapng format (draft-ietf-opsawg-pcapng): sections, interfaces and the three kinds of packet block."""

from collections.abc import Iterator
from struct import unpack, unpack_from
from typing import Final, NamedTuple

import numpy as np
import numpy.typing as npt

from sakimori_packet_sensor.compiled import compiled
from sakimori_packet_sensor.domain.capture.contract import MAX_FRAME_BYTES, MAX_WIRE_BYTES, CaptureError, Cut
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

_GO_ON, _FULL, _MORE, _DAMAGED, _OTHER = map(int, Stop)
_BAD_LENGTH, _BAD_END, _TOO_SHORT, _BAD_PACKET = range(1, 5)
_DAMAGE = {
    _BAD_LENGTH: "claims {size} bytes: damaged from here on",
    _BAD_END: "does not end with its length: damaged from here on",
    _TOO_SHORT: "is too short for a packet",
    _BAD_PACKET: "claims a packet of {size} bytes: damaged from here on",
}
_WORD_BITS = np.uint64(32)


class Section(NamedTuple):
    """What packets are read with. The interface at `undescribed` stands for all that are not described.

    A packet without a time gets that of the one before it: the first of a block `moment`.
    """

    is_big: bool
    interfaces: npt.NDArray[np.void]
    undescribed: int
    moment: int


class PcapngWalker:
    """The blocks behind the first section header, section after section."""

    def __init__(self, window: Window) -> None:
        """Read the section header, whose type is known. Raises CaptureError when it is broken."""
        self._interfaces = Interfaces()
        self._moment = 0
        self._block = 1
        try:
            self._begin_section(window)
        except Cut as cut:
            raise CaptureError(f"is no readable pcapng capture: {cut}") from None

    def walk(self, window: Window, columns: Columns) -> int:
        """Index packets; see Walker."""
        while True:
            section = Section(self._is_big, self._interfaces.table, self._interfaces.count, self._moment)
            count, blocks, window.at, stop, need = index(window.data, window.at, window.end, section, columns)
            self._block += blocks
            if count:
                self._moment = int(columns.time[count - 1])
                return count
            if stop == _DAMAGED:
                raise Cut(f"block {self._block} {self._damage(window, need)}")
            if stop == _OTHER:
                self._describe(window)
            elif not window.has(need):
                if window.left:
                    raise Cut(self._cut(window, need))
                return 0

    def _damage(self, window: Window, fault: int) -> str:
        size = word(window.data, window.at + (20 if fault == _BAD_PACKET else 4), self._is_big)
        return _DAMAGE[fault].format(size=size)

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
        length = word(window.data, window.at + 4, self._is_big)
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


@compiled
def index(
    data: npt.NDArray[np.uint8], at: int, end: int, section: Section, columns: Columns
) -> tuple[int, int, int, int, int]:
    """Index the packets of the blocks in [at, end): packets, blocks, where the next begins, why that is not read.

    Last comes how many bytes it takes to read on or, of a damaged block, what is wrong.
    """
    count, blocks, room = 0, 0, len(columns.at)
    while count < room:
        stop, need, kind = _look(data, at, end, section.is_big)
        fault = 0
        if stop:
            return count, blocks, at, stop, need
        if kind == _SIMPLE_PACKET:
            fault = _simple_packet(data, at, section, columns, count)
            columns.time[count] = columns.time[count - 1] if count else section.moment
            count += fault == 0
        elif kind in (_ENHANCED_PACKET, _OLD_PACKET):
            fault = _timed_packet(data, at, section, columns, count)
            count += fault == 0
        if fault:
            return count, blocks, at, _DAMAGED, fault
        blocks += 1
        at += need
    return count, blocks, at, _FULL, 0


@compiled
def _look(data: npt.NDArray[np.uint8], at: int, end: int, is_big: bool) -> tuple[int, int, int]:
    """Look at a block: why it cannot be passed or _GO_ON; the bytes it takes, or what is wrong; its type."""
    if at + 8 > end:
        return _MORE, 8, 0
    kind = word(data, at, is_big)
    if kind == _SECTION:
        return _OTHER, 0, kind
    length = word(data, at + 4, is_big)
    if length < 12 or length > MAX_BLOCK_BYTES:
        return _DAMAGED, _BAD_LENGTH, kind
    padded = (length + 3) & ~3
    if at + padded > end:
        return _MORE, padded, kind
    if word(data, at + padded - 4, is_big) != length:
        return _DAMAGED, _BAD_END, kind
    return _OTHER if kind == _INTERFACE else _GO_ON, padded, kind


@compiled
def _timed_packet(data: npt.NDArray[np.uint8], at: int, section: Section, columns: Columns, count: int) -> int:
    """Enter an enhanced or an old packet block; 0, or what is wrong with it."""
    is_big = section.is_big
    room = ((word(data, at + 4, is_big) + 3) & ~3) - 32
    if room < 0:
        return _TOO_SHORT
    size = word(data, at + 20, is_big)
    if size > min(room, MAX_FRAME_BYTES):
        return _BAD_PACKET
    number = word(data, at + 8, is_big)
    if word(data, at, is_big) == _OLD_PACKET:  # two numbers of 16 bits: the interface, packets dropped
        number = number >> 16 if is_big else number & 0xFFFF
    ticks = np.uint64(word(data, at + 12, is_big)) << _WORD_BITS | np.uint64(word(data, at + 16, is_big))
    interface = section.interfaces[min(number, section.undescribed)]
    columns.at[count] = at + 28
    columns.captured[count] = size
    columns.wire[count] = min(word(data, at + 24, is_big), MAX_WIRE_BYTES)
    columns.time[count] = microseconds(ticks, interface)
    columns.link[count] = interface["link"]
    return 0


@compiled
def _simple_packet(data: npt.NDArray[np.uint8], at: int, section: Section, columns: Columns, count: int) -> int:
    """Enter a simple packet block, which means the first interface; 0, or what is wrong with it."""
    room = ((word(data, at + 4, section.is_big) + 3) & ~3) - 16
    if room < 0:
        return _TOO_SHORT
    interface = section.interfaces[0]
    full = word(data, at + 8, section.is_big)
    columns.at[count] = at + 12
    columns.captured[count] = min(full, room, interface["snap"], MAX_FRAME_BYTES)
    columns.wire[count] = min(full, MAX_WIRE_BYTES)
    columns.link[count] = interface["link"]
    return 0
