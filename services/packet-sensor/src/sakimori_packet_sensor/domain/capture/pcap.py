"""The classic libpcap format (draft-ietf-opsawg-pcap) in both byte orders, with micro- or nanoseconds."""

from struct import unpack
from typing import Final, NamedTuple

import numpy as np
import numpy.typing as npt

from sakimori_common.instants import MICROSECONDS
from sakimori_packet_sensor.compiled import compiled
from sakimori_packet_sensor.domain.capture.contract import MAX_FRAME_BYTES, MAX_WIRE_BYTES, CaptureError, Cut
from sakimori_packet_sensor.domain.capture.walking import Stop, word
from sakimori_packet_sensor.domain.capture.window import Columns, Window


class Format(NamedTuple):
    """What the magic number tells: byte order, fractions of a second per microsecond, bytes of a record's header."""

    is_big: bool
    per_microsecond: int
    header_bytes: int


FORMATS: Final[dict[bytes, Format]] = {
    b"\xd4\xc3\xb2\xa1": Format(False, 1, 16),
    b"\xa1\xb2\xc3\xd4": Format(True, 1, 16),
    b"\x4d\x3c\xb2\xa1": Format(False, 1000, 16),
    b"\xa1\xb2\x3c\x4d": Format(True, 1000, 16),
    b"\x34\xcd\xb2\xa1": Format(False, 1, 24),
    b"\xa1\xb2\xcd\x34": Format(True, 1, 24),
}
"""By magic number. The last two are Alexey Kuznetzov's: interface, protocol and packet type follow the lengths."""

FILE_HEADER_BYTES: Final = 24
_LINK_TYPE_BITS = 0xFFFF  # the upper half of the field tells of a frame check sequence
_FULL, _MORE, _DAMAGED = int(Stop.FULL), int(Stop.MORE), int(Stop.DAMAGED)


class PcapWalker:
    """The records behind the file header."""

    def __init__(self, window: Window) -> None:
        """Read the file header, which is known to begin with one of FORMATS. Raises CaptureError when it is cut."""
        if not window.has(FILE_HEADER_BYTES):
            raise CaptureError("ends within its file header of 24 bytes")
        header = window.take(FILE_HEADER_BYTES)
        self._format = FORMATS[header[:4]]
        (link_type,) = unpack(">I" if self._format.is_big else "<I", header[20:])
        self._link_type = link_type & _LINK_TYPE_BITS
        self._record = 1

    def walk(self, window: Window, columns: Columns) -> int:
        """Index records; see Walker."""
        while True:
            count, stop, need = self._index(window, columns)
            if count:
                self._record += count
                columns.link[:count] = self._link_type
                return count
            if stop == _DAMAGED:
                raise Cut(f"{self._place(window)} claims {need} bytes: damaged from here on")
            if not window.has(need):
                if window.left:
                    raise Cut(self._cut(window, need))
                return 0

    def _index(self, window: Window, columns: Columns) -> tuple[int, int, int]:
        count, window.at, stop, need = index(window.data, window.at, window.end, self._format, columns)
        return count, stop, need

    def _place(self, window: Window) -> str:
        return f"record {self._record} at byte {window.place}"

    def _cut(self, window: Window, need: int) -> str:
        header = self._format.header_bytes
        if window.left < header:
            return f"cut within the header of {self._place(window)}"
        return f"cut within {self._place(window)}: {window.left - header} of {need - header} bytes"


@compiled
def index(data: npt.NDArray[np.uint8], at: int, end: int, form: Format, columns: Columns) -> tuple[int, int, int, int]:
    """Index the records in [at, end): how many, where the next begins, why that is not read and its bytes.

    The bytes are how many it takes to read on or, of a damaged record, how many its header claims.
    """
    is_big, header_bytes, per_microsecond = form.is_big, form.header_bytes, form.per_microsecond
    count, room = 0, len(columns.at)
    while count < room:
        if at + header_bytes > end:
            return count, at, _MORE, header_bytes
        size = word(data, at + 8, is_big)
        if size > MAX_FRAME_BYTES:
            return count, at, _DAMAGED, size
        if at + header_bytes + size > end:
            return count, at, _MORE, header_bytes + size
        fraction = word(data, at + 4, is_big)
        if per_microsecond != 1:
            fraction //= per_microsecond
        columns.at[count] = at + header_bytes
        columns.captured[count] = size
        columns.wire[count] = min(word(data, at + 12, is_big), MAX_WIRE_BYTES)
        columns.time[count] = word(data, at, is_big) * MICROSECONDS + fraction
        count += 1
        at += header_bytes + size
    return count, at, _FULL, 0
