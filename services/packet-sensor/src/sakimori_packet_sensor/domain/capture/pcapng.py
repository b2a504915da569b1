"""The pcapng format (draft-ietf-opsawg-pcapng): sections, interfaces and the three kinds of packet block."""

from collections.abc import Iterator
from struct import Struct
from typing import Final, NamedTuple

from sakimori_packet_sensor.domain.capture.frame import (
    MAX_FRAME_BYTES,
    NO_LINK,
    CaptureError,
    Cut,
    Frame,
    Stream,
    bounded_time,
)

MAGIC: Final = b"\x0a\x0d\x0d\x0a"
"""Type of the section header block, the same in both byte orders."""

_SECTION, _INTERFACE, _OLD_PACKET, _SIMPLE_PACKET, _ENHANCED_PACKET = 0x0A0D0D0A, 1, 2, 3, 6
_BYTE_ORDERS = {b"\x4d\x3c\x2b\x1a": "<", b"\x1a\x2b\x3c\x4d": ">"}
_MAX_BLOCK_BYTES = 16 * 1024 * 1024  # Wireshark's bound; a larger block is a damaged length
_MAX_INTERFACES = 65_536
_TIME_RESOLUTION, _TIME_OFFSET = 9, 14  # options of an interface


class Interface(NamedTuple):
    """Where packets came from, and how their times are to be read: `offset_seconds + ticks / per_second`."""

    link_type: int
    snap_bytes: int
    per_second: int
    offset_seconds: int


_UNDESCRIBED = Interface(NO_LINK, 0, 1_000_000, 0)


class _Damaged(Exception):
    """A block does not hold what its type says."""


def read(stream: Stream) -> Iterator[Frame]:
    """Read a capture whose first block type was just read. Raises CaptureError when its section header is broken."""
    try:
        order, rest = _section_start(stream)
        _skip(stream, rest)
    except Cut as cut:
        raise CaptureError(f"is no readable pcapng capture: {cut}") from None
    return _Sections(stream, order).frames()


def _section_start(stream: Stream) -> tuple[str, int]:
    """Read length and byte-order magic of a section header; returns the byte order and how many bytes remain."""
    head = stream.read(8)
    order = _BYTE_ORDERS.get(head[4:])
    if order is None:
        raise Cut("no byte-order magic in the section header")
    length = int.from_bytes(head[:4], "little" if order == "<" else "big")
    if not 28 <= length <= _MAX_BLOCK_BYTES:
        raise Cut(f"a section header of {length} bytes")
    return order, length - 12


def _skip(stream: Stream, count: int) -> None:
    if len(stream.read(count)) < count:
        raise Cut("cut within a section header")


class _Layouts:
    """The fixed parts of blocks in one byte order."""

    def __init__(self, order: str) -> None:
        self.word = Struct(f"{order}I")
        self.interface = Struct(f"{order}HHI")
        self.enhanced = Struct(f"{order}IIIII")
        self.old = Struct(f"{order}HHIIII")
        self.option = Struct(f"{order}HH")
        self.signed = Struct(f"{order}q")


class _Sections:
    """The blocks behind the first section header, section after section."""

    def __init__(self, stream: Stream, order: str) -> None:
        self._stream = stream
        self._layouts = _Layouts(order)
        self._interfaces: list[Interface] = []
        self._time = 0

    def frames(self) -> Iterator[Frame]:
        number = 1
        while kind_bytes := self._stream.read(4):
            number += 1
            try:
                frame = self._block(kind_bytes)
            except _Damaged as damage:
                raise Cut(f"block {number} {damage}") from None
            if frame is not None:
                yield frame

    def _block(self, kind_bytes: bytes) -> Frame | None:
        if kind_bytes == MAGIC:
            order, rest = _section_start(self._stream)
            _skip(self._stream, rest)
            self._layouts, self._interfaces = _Layouts(order), []
            return None
        if len(kind_bytes) < 4:
            raise _Damaged("is cut within its header")
        (kind,) = self._layouts.word.unpack(kind_bytes)
        body = self._body()
        if kind == _ENHANCED_PACKET:
            return self._enhanced(body)
        if kind == _INTERFACE:
            self._add_interface(body)
        elif kind == _SIMPLE_PACKET:
            return self._simple(body)
        elif kind == _OLD_PACKET:
            return self._old(body)
        return None

    def _body(self) -> bytes:
        head = self._stream.read(4)
        if len(head) < 4:
            raise _Damaged("is cut within its header")
        (length,) = self._layouts.word.unpack(head)
        if not 12 <= length <= _MAX_BLOCK_BYTES:
            raise _Damaged(f"claims {length} bytes: damaged from here on")
        padded = length + (-length & 3)
        body = self._stream.read(padded - 8)
        if len(body) < padded - 8:
            raise _Damaged(f"is cut: {len(body) + 8} of {padded} bytes")
        if body[-4:] != head:
            raise _Damaged("does not end with its length: damaged from here on")
        return body[:-4]

    def _add_interface(self, body: bytes) -> None:
        if len(body) < 8 or len(self._interfaces) >= _MAX_INTERFACES:
            raise _Damaged("describes no interface, or one too many")
        link_type, _, snap_bytes = self._layouts.interface.unpack_from(body)
        per_second, offset = 1_000_000, 0
        for code, value in self._options(body, 8):
            if code == _TIME_RESOLUTION and value:
                per_second = 2 ** (value[0] & 0x7F) if value[0] & 0x80 else 10 ** value[0]
            elif code == _TIME_OFFSET and len(value) == 8:
                (offset,) = self._layouts.signed.unpack(value)
        self._interfaces.append(Interface(link_type, snap_bytes, per_second, offset))

    def _options(self, body: bytes, at: int) -> Iterator[tuple[int, bytes]]:
        while at + 4 <= len(body):
            code, length = self._layouts.option.unpack_from(body, at)
            if code == 0:
                return
            yield code, body[at + 4 : at + 4 + length]
            at += 4 + length + (-length & 3)

    def _enhanced(self, body: bytes) -> Frame:
        if len(body) < 20:
            raise _Damaged("is too short for a packet")
        number, high, low, captured, wire_bytes = self._layouts.enhanced.unpack_from(body)
        return self._frame(number, high << 32 | low, wire_bytes, body, captured)

    def _old(self, body: bytes) -> Frame:
        if len(body) < 20:
            raise _Damaged("is too short for a packet")
        number, _, high, low, captured, wire_bytes = self._layouts.old.unpack_from(body)
        return self._frame(number, high << 32 | low, wire_bytes, body, captured)

    def _frame(self, number: int, ticks: int, wire_bytes: int, body: bytes, captured: int) -> Frame:
        if captured > min(len(body) - 20, MAX_FRAME_BYTES):
            raise _Damaged(f"claims a packet of {captured} bytes: damaged from here on")
        interface = self._interfaces[number] if number < len(self._interfaces) else _UNDESCRIBED
        self._time = bounded_time(ticks * 1_000_000 // interface.per_second + interface.offset_seconds * 1_000_000)
        return Frame(self._time, interface.link_type, wire_bytes, body[20 : 20 + captured])

    def _simple(self, body: bytes) -> Frame:
        """Read a block that has neither time nor interface: the first interface, the time of the packet before."""
        if len(body) < 4:
            raise _Damaged("is too short for a packet")
        (wire_bytes,) = self._layouts.word.unpack_from(body)
        interface = self._interfaces[0] if self._interfaces else _UNDESCRIBED
        captured = min(wire_bytes, interface.snap_bytes or wire_bytes, len(body) - 4, MAX_FRAME_BYTES)
        return Frame(self._time, interface.link_type, wire_bytes, body[4 : 4 + captured])
