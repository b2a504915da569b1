"""The classic libpcap format (draft-ietf-opsawg-pcap): both byte orders, micro- and nanoseconds."""

from collections.abc import Iterator
from struct import Struct
from typing import Final

from sakimori_packet_sensor.domain.capture.frame import MAX_FRAME_BYTES, CaptureError, Cut, Frame, Stream

FORMATS: Final[dict[bytes, tuple[str, int]]] = {
    b"\xd4\xc3\xb2\xa1": ("<", 1),
    b"\xa1\xb2\xc3\xd4": (">", 1),
    b"\x4d\x3c\xb2\xa1": ("<", 1000),
    b"\xa1\xb2\x3c\x4d": (">", 1000),
}
"""Magic number to byte order and fractions of a second per microsecond."""

_HEADER_BYTES = 20  # behind the magic number
_LINK_TYPE_BITS = 0xFFFF  # the upper half of the field tells of a frame check sequence


def read(stream: Stream, magic: bytes) -> Iterator[Frame]:
    """Read a capture whose magic number was just read. Raises CaptureError for an incomplete file header."""
    order, per_microsecond = FORMATS[magic]
    header = stream.read(_HEADER_BYTES)
    if len(header) < _HEADER_BYTES:
        raise CaptureError("ends within its file header of 24 bytes")
    _, _, _, _, _, link_type = Struct(f"{order}HHiIII").unpack(header)
    return _records(stream, Struct(f"{order}IIII"), per_microsecond, link_type & _LINK_TYPE_BITS)


def _records(stream: Stream, layout: Struct, per_microsecond: int, link_type: int) -> Iterator[Frame]:
    read, unpack = stream.read, layout.unpack
    number, at = 1, 24
    while header := read(16):
        if len(header) < 16:
            raise Cut(f"cut within the header of record {number} at byte {at}")
        seconds, fraction, captured, wire_bytes = unpack(header)
        if captured > MAX_FRAME_BYTES:
            raise Cut(f"record {number} at byte {at} claims {captured} bytes: damaged from here on")
        data = read(captured)
        if len(data) < captured:
            raise Cut(f"cut within record {number} at byte {at}: {len(data)} of {captured} bytes")
        yield Frame(seconds * 1_000_000 + fraction // per_microsecond, link_type, wire_bytes, data)
        number += 1
        at += 16 + captured
