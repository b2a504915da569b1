"""Bodies of HTTP/1 messages (RFC 9112, 6 and 7): where they end, and their first bytes. The rest is skipped unseen."""

import re
from typing import Final

from sakimori_packet_sensor.domain.protocols.file_magic import MAGIC_BYTES
from sakimori_packet_sensor.domain.protocols.malformed import Malformed

UNTIL_CLOSE: Final = 1 << 60
"""As a length: all that follows."""
_MAX_LINE: Final = 8192
_CHUNK: Final = re.compile(rb"[ \t]*([0-9a-fA-F]{1,12})[ \t]*(?:;[^\n]*)?\r?")
_DATA, _CHUNK_LINE, _CHUNK_END, _TRAILER = range(4)


class Body:
    """One body. `size` in bytes is -1 until it is known; `first` its first bytes; `is_seen`: no more of those come."""

    __slots__ = ("_left", "_state", "_sum", "first", "is_encoded", "is_over", "is_seen", "size")

    def __init__(self, length: int, *, is_chunked: bool = False, is_encoded: bool = False) -> None:
        self._state = _CHUNK_LINE if is_chunked else _DATA
        self._left = 0 if is_chunked else length
        self._sum = 0
        self.size = -1 if is_chunked or length == UNTIL_CLOSE else length
        self.first = b""
        self.is_encoded = is_encoded
        self.is_seen = self.is_over = self._state == _DATA and not length

    def skip(self, data: bytes, at: int) -> int:
        """Step over what is there of the body at an offset; returns how far, the same when too little is there.

        That may be behind the data. Raises Malformed when a chunk does not begin with its size.
        """
        if self._state == _DATA:
            return self._skip_data(data, at)
        end = data.find(b"\n", at, at + _MAX_LINE)
        if end < 0:
            if len(data) - at >= _MAX_LINE:
                raise Malformed("no end of a chunk's size")
            return at
        line = data[at:end]
        if self._state == _CHUNK_LINE:
            self._begin_chunk(line)
        elif self._state == _CHUNK_END:
            if line not in {b"", b"\r"}:
                raise Malformed("a chunk is longer than its size")
            self._state = _CHUNK_LINE
        elif line in {b"", b"\r"}:
            self.is_over = self.is_seen = True
        return end + 1

    def _skip_data(self, data: bytes, at: int) -> int:
        if not self.is_seen:
            wanted = min(MAGIC_BYTES, self._left)
            self.first = data[at : at + wanted]
            if len(self.first) < wanted:
                return at
            self.is_seen = True
        behind = at + self._left
        self._left = 0
        if self.size < 0 and self._sum:
            self._state = _CHUNK_END
        else:
            self.is_over = True
        return behind

    def _begin_chunk(self, line: bytes) -> None:
        found = _CHUNK.fullmatch(line)
        if found is None:
            raise Malformed("a chunk without its size")
        self._left = int(found[1], 16)
        if self._left:
            self._sum += self._left
            self._state = _DATA
        else:
            self.size = min(self._sum, UNTIL_CLOSE)
            self._state = _TRAILER
