"""Compressed bodies: what comes out is bounded while it comes out."""

import zlib
from collections.abc import Iterator
from typing import Final

_WINDOWS: Final = {"gzip": 31, "x-gzip": 31, "deflate": 15}
CODINGS: Final = ("identity", *_WINDOWS)
"""What `Content-Encoding` may say (RFC 9110, 8.4.1)."""
_AT_ONCE: Final = 1 << 20
_MAX_MEMBERS: Final = 1000
"""A gzip file may consist of several (RFC 1952, 2.2); half a million empty ones in 10 MB would take seconds."""


class Damaged(ValueError):
    """The body is not what its Content-Encoding says, or was cut off; the message says which."""


class TooLarge(ValueError):
    """More comes out than may."""


class Inflater:
    """Decompress one body, piece by piece. `limit_bytes` bounds what comes out of it."""

    def __init__(self, coding: str, limit_bytes: int) -> None:
        self._window = _WINDOWS[coding]
        self._room = limit_bytes
        self._stream = zlib.decompressobj(self._window)
        self._members = 1
        self._is_begun = False

    def feed(self, piece: bytes) -> Iterator[bytes]:
        """Take in the next bytes and give out up to 1 MiB at a time. Raises TooLarge, Damaged."""
        self._is_begun = self._is_begun or bool(piece)
        is_full = False
        while piece or is_full:
            if self._stream.eof:
                self._next_member()
            limit = min(_AT_ONCE, self._room + 1)
            try:
                out = self._stream.decompress(piece, limit)
            except zlib.error as error:
                raise Damaged(f"not {'gzip' if self._window == 31 else 'deflate'}: {error}") from None
            self._room -= len(out)
            if self._room < 0:
                raise TooLarge
            if out:
                yield out
            piece = self._stream.unused_data if self._stream.eof else self._stream.unconsumed_tail
            is_full = len(out) == limit and not self._stream.eof  # all may be read and not all be out

    def end(self) -> None:
        """Tell that nothing follows. Raises Damaged when more should."""
        if self._is_begun and not self._stream.eof:
            raise Damaged("cut off before its end")

    def _next_member(self) -> None:
        self._members += 1
        if self._members > _MAX_MEMBERS:
            raise Damaged(f"over {_MAX_MEMBERS} gzip members")
        self._stream = zlib.decompressobj(self._window)
