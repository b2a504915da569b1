"""The bytes of a log file, plain or gzip. Everything here blocks."""

import gzip
import os
import zlib
from hashlib import blake2b
from typing import Final, Protocol

GZIP_MAGIC: Final = b"\x1f\x8b"
DIGEST_BYTES: Final = 256
_PIECE_BYTES: Final = 256 * 1024
_FREE_BYTES: Final = 256 << 20
_MAX_RATIO: Final = 250
"""Logs shrink to a tenth, at the very best to a hundredth; deflate can do 1,032 to 1. Asked of what unpacks to much."""


class Damaged(Exception):
    """The rest of a file cannot be read; the message says why."""


class Content(Protocol):
    """What is in a file."""

    is_packed: bool

    def pread(self, length: int, position: int) -> bytes:
        """Read up to so many bytes at a position, fewer only at the end. Raises OSError, Damaged.

        Of gzip, from a position not far before the last one: otherwise all is unpacked again.
        """


class PlainContent:
    """A file as it is."""

    is_packed = False

    def __init__(self, descriptor: int) -> None:
        self._descriptor = descriptor

    def pread(self, length: int, position: int) -> bytes:
        """Read at a position."""
        return os.pread(self._descriptor, length, position)


class GzipContent:
    """A gzip file as what was packed into it."""

    is_packed = True

    def __init__(self, descriptor: int) -> None:
        self._descriptor = descriptor
        self._file = os.fdopen(os.dup(descriptor), "rb")
        self.damage: Damaged | None = None
        """Why there is no more, where it does not end as it should."""
        self.start_over()

    def pread(self, length: int, position: int) -> bytes:
        """Unpack up to a position and read there; what lies before some damage is given first."""
        if position < self._window_at:
            self.start_over()
        while self._window_at + len(self._window) < position + length:
            self._forget(position)
            try:
                piece = self._unpack()
            except Damaged as error:
                self.damage = error
                if self._window_at + len(self._window) <= position:
                    raise
                break
            if not piece:
                break
            self._window += piece
        start = position - self._window_at
        return self._window[start : start + length]

    def start_over(self) -> None:
        """Look at the file anew, since it has grown."""
        self._file.seek(0)
        self._stream = gzip.GzipFile(fileobj=self._file)
        self._window, self._window_at = b"", 0
        self.damage = None

    def close(self) -> None:
        """Close the second descriptor."""
        self._file.close()

    def _forget(self, position: int) -> None:
        """Keep little more than what is before the position in memory."""
        surplus = min(position - self._window_at - 2 * DIGEST_BYTES, len(self._window))
        if surplus > 0:
            self._window = self._window[surplus:]
            self._window_at += surplus

    def _unpack(self) -> bytes:
        unpacked = self._window_at + len(self._window)
        if unpacked > _FREE_BYTES and unpacked > _MAX_RATIO * os.fstat(self._descriptor).st_size:
            raise Damaged(f"gzip that unpacks to over {_MAX_RATIO} times its size: not read beyond {unpacked} bytes")
        try:
            return self._stream.read1(_PIECE_BYTES)
        except (EOFError, zlib.error, gzip.BadGzipFile) as error:
            raise Damaged(f"damaged gzip: {error}") from None


def content_of(descriptor: int) -> PlainContent | GzipContent:
    """Tell by its first bytes what a file is."""
    is_gzip = os.pread(descriptor, len(GZIP_MAGIC), 0) == GZIP_MAGIC
    return GzipContent(descriptor) if is_gzip else PlainContent(descriptor)


def digest_of(content: Content, length: int, position: int) -> str:
    """Write length and digest of the bytes at a position, `256:9f...`."""
    found = content.pread(length, position)
    return f"{len(found)}:{blake2b(found, digest_size=16).hexdigest()}"


def head_of(content: Content, end: int) -> str:
    """Digest how a file begins, as far as `end`."""
    return digest_of(content, min(end, DIGEST_BYTES), 0)


def tail_of(content: Content, position: int) -> str:
    """Digest what stands right before a position."""
    length = min(position, DIGEST_BYTES)
    return digest_of(content, length, position - length)


def begins_so(content: Content, fingerprint: str) -> bool:
    """Tell whether a file begins as it did."""
    length = fingerprint.partition(":")[0]
    return length.isdecimal() and digest_of(content, int(length), 0) == fingerprint
