"""One incarnation of a log file: the lines in it, and whether it is still the same. Everything here blocks."""

import os
import time
from collections.abc import Iterator
from dataclasses import dataclass, replace
from typing import Final

from sakimori_collector.adapters.contents import (
    DIGEST_BYTES,
    Damaged,
    GzipContent,
    begins_so,
    content_of,
    head_of,
    tail_of,
)
from sakimori_collector.domain.wire.joining import FileLine
from sakimori_collector.ports import Checkpoint

READ_BYTES: Final = 256 * 1024
MAX_LINE_BYTES: Final = 16 << 20
"""The longest line that is held in memory; of a longer one the beginning is kept with the rejected lines."""
KEPT_BYTES: Final = 64 * 1024
_SETTLED_SECONDS: Final = 10.0
"""Gzip that ends too early is still being written, unless it was not touched for so long."""
_WIDE: Final = {b"\xff\xfe": "utf-16-le", b"\xfe\xff": "utf-16-be"}
_BOM: Final = b"\xef\xbb\xbf"


class Truncated(Exception):
    """The file was emptied or written anew; what was not read yet is gone, or in a copy of it."""


@dataclass(frozen=True, slots=True)
class Lines:
    """Lines, and the offset behind the last of them."""

    lines: list[FileLine]
    position: int


class LogFile:
    """An open file, how far it was read (`position`) and how far that is safe (`checkpoint`).

    It stays readable when it is renamed or deleted.
    """

    def __init__(self, descriptor: int, checkpoint: Checkpoint) -> None:
        self.checkpoint = checkpoint
        self.position = checkpoint.position
        self.is_over = False
        """Whether the rest was given up."""
        self._descriptor = descriptor
        self._content = content_of(descriptor)
        self._encoding = _WIDE.get(self._content.pread(2, 0))

    @property
    def is_packed(self) -> bool:
        """Whether it is gzip, which nobody appends to."""
        return self._content.is_packed

    @property
    def is_unfinished(self) -> bool:
        """Whether it is gzip that somebody may be writing still."""
        is_short = isinstance(self._content, GzipContent) and self._content.damage is not None
        return is_short and time.time() - os.fstat(self._descriptor).st_mtime < _SETTLED_SECONDS

    def read(self, *, is_final: bool = False) -> Lines:
        """Read the next lines; half a line at the end waits unless it `is_final`.

        Raises Truncated, OSError, Damaged.
        """
        self._check()
        position, want = self.position, READ_BYTES
        while not self.is_over:
            block = self._block(want, position)
            end = self._end(block)
            if end:
                return self._lines(block[:end], position)
            if len(block) < want:
                return self._lines(block, position) if is_final and block else Lines([], position)
            if want >= MAX_LINE_BYTES:
                return self._overlong(block[:KEPT_BYTES], position)
            want *= 4
        return Lines([], position)

    def holds(self, checkpoint: Checkpoint) -> bool:
        """Tell whether there is in this file what was read up to a checkpoint. Raises OSError, Damaged."""
        if not begins_so(self._content, checkpoint.fingerprint):
            return False
        if not checkpoint.tail:
            return len(self._content.pread(1, max(checkpoint.position - 1, 0))) == 1
        return tail_of(self._content, checkpoint.position) == checkpoint.tail

    def reached(self, position: int) -> Checkpoint:
        """Describe the file as read up to a position."""
        status = os.fstat(self._descriptor)
        old, fingerprint = self.checkpoint, self.checkpoint.fingerprint
        if int(fingerprint.partition(":")[0]) < min(position, DIGEST_BYTES):
            fingerprint = head_of(self._content, position)
        tail = tail_of(self._content, position)
        return replace(old, position=position, fingerprint=fingerprint, tail=tail, modified_ns=status.st_mtime_ns)

    def place(self) -> tuple[int, int]:
        """Device and inode."""
        status = os.fstat(self._descriptor)
        return status.st_dev, status.st_ino

    def is_at(self, path: str) -> bool:
        """Whether a path leads here."""
        try:
            found = os.stat(path)  # noqa: PTH116
        except OSError:
            return False
        return (found.st_dev, found.st_ino) == self.place()

    def modified_ns(self) -> int:
        """When it was last written."""
        return os.fstat(self._descriptor).st_mtime_ns

    def close(self) -> None:
        """Close the file."""
        if isinstance(self._content, GzipContent):
            self._content.close()
        os.close(self._descriptor)

    def _check(self) -> None:
        """A file that begins otherwise, or has other bytes before the place, is another one with this one's inode."""
        if isinstance(self._content, GzipContent):
            if self.is_unfinished:
                self._content.start_over()
            return
        if os.fstat(self._descriptor).st_size < self.position or not self.holds(self.checkpoint):
            raise Truncated

    def _block(self, want: int, position: int) -> bytes:
        try:
            return self._content.pread(want, position)
        except Damaged:
            if not self.is_unfinished:
                raise
            return b""

    def _end(self, block: bytes) -> int:
        """Find the end of the last whole line in a block, 0 when there is none."""
        if self._encoding is None:
            return block.rfind(b"\n") + 1
        newline, at = "\n".encode(self._encoding), len(block)
        while (at := block.rfind(newline, 0, at)) >= 0:
            if at % 2 == 0:
                return at + 2
            at += 1
        return 0

    def _first_end(self, block: bytes) -> int:
        """Find the end of the first line in a block, 0 when there is none."""
        if self._encoding is None:
            return block.find(b"\n") + 1
        at = _find_newline(block, "\n".encode(self._encoding), 0)
        return at + 2 if at >= 0 else 0

    def _lines(self, block: bytes, position: int) -> Lines:
        self.position = position + len(block)
        split = _split(block, position) if self._encoding is None else _split_wide(block, position, self._encoding)
        return Lines(list(split), self.position)

    def _overlong(self, kept: bytes, start: int) -> Lines:
        """Look for the end of a line that is too long to hold."""
        position = start
        while block := self._block(1 << 20, position):
            end = self._first_end(block)
            if end:
                self.position = position + end
                raw = kept if self._encoding is None else kept.decode(self._encoding, "replace").encode()
                return Lines([FileLine(start, raw[:KEPT_BYTES], self.position - start - 1)], self.position)
            position += len(block)
        return Lines([], start)


def _find_newline(block: bytes, newline: bytes, start: int) -> int:
    """Find the next newline of a wide encoding, which begins at an even place; -1 when there is none."""
    at = block.find(newline, start)
    while at >= 0 and at % 2:
        at = block.find(newline, at + 1)
    return at


def _split(block: bytes, position: int) -> Iterator[FileLine]:
    for line in block.split(b"\n"):
        content = (line.removeprefix(_BOM) if position == 0 else line).rstrip(b"\r")
        if content:
            yield FileLine(position, content, len(content))
        position += len(line) + 1


def _split_wide(block: bytes, position: int, encoding: str) -> Iterator[FileLine]:
    newline, start = "\n".encode(encoding), 0
    while start < len(block):
        end = _find_newline(block, newline, start)
        if end < 0:
            end = len(block)
        text = block[start:end].decode(encoding, "replace").removeprefix("\ufeff").rstrip("\r")
        if text:
            raw = text.encode("utf-8", "backslashreplace")
            yield FileLine(position + start, raw, len(raw))
        start = end + 2
