"""One incarnation of a log file: the lines in it, and whether it is still the same. Everything here blocks."""

import os
import stat
from collections.abc import Iterator
from dataclasses import dataclass
from hashlib import blake2b
from pathlib import Path

from sakimori_collector.ports import Checkpoint

READ_BYTES = 256 * 1024
MAX_LINE_BYTES = 16 << 20
"""The longest line that is held in memory; of a longer one the beginning is kept with the rejected lines."""
KEPT_BYTES = 64 * 1024
_FINGERPRINT_BYTES = 256


class Truncated(Exception):
    """The file was emptied or written anew; what was not read yet is gone."""


@dataclass(frozen=True, slots=True)
class Lines:
    """Lines as (offset, bytes without the line end, length); the length is larger where the bytes were cut.

    `position` is the offset behind the last of them.
    """

    lines: list[tuple[int, bytes, int]]
    position: int


class LogFile:
    """An open file and how far it was read. It stays readable when it is renamed or deleted."""

    def __init__(self, path: str, descriptor: int, checkpoint: Checkpoint) -> None:
        self.path = path
        self.checkpoint = checkpoint
        self._descriptor = descriptor

    @property
    def identity(self) -> str:
        """Name this incarnation, the same at every start."""
        return f"file:{self.checkpoint.device}:{self.checkpoint.inode}:{self.checkpoint.fingerprint}"

    def read(self, *, is_final: bool = False) -> Lines:
        """Read the next lines; half a line at the end waits unless it `is_final`. Raises Truncated, OSError."""
        self._check()
        position, want = self.checkpoint.position, READ_BYTES
        while True:
            block = os.pread(self._descriptor, want, position)
            end = block.rfind(b"\n") + 1
            if end:
                return Lines(list(_split(block[:end], position)), position + end)
            if len(block) < want:
                if is_final and block:
                    return Lines(list(_split(block, position)), position + len(block))
                return Lines([], position)
            if want >= MAX_LINE_BYTES:
                return self._overlong(block[:KEPT_BYTES], position)
            want *= 4

    def is_at(self, path: str) -> bool:
        """Whether a path leads here (or to nothing yet), not to a file that took this one's place and has content."""
        try:
            found = Path(path).stat()
        except FileNotFoundError:
            return True
        return (found.st_dev, found.st_ino) == self._place() or found.st_size == 0

    def close(self) -> None:
        """Close the file."""
        os.close(self._descriptor)

    def _place(self) -> tuple[int, int]:
        return self.checkpoint.device, self.checkpoint.inode

    def _check(self) -> None:
        if os.fstat(self._descriptor).st_size < self.checkpoint.position or not has_fingerprint(
            self._descriptor, self.checkpoint.fingerprint
        ):
            raise Truncated

    def _overlong(self, kept: bytes, start: int) -> Lines:
        """Look for the end of a line that is too long to hold."""
        position = start
        while block := os.pread(self._descriptor, 1 << 20, position):
            end = block.find(b"\n") + 1
            if end:
                position += end
                return Lines([(start, kept, position - start - 1)], position)
            position += len(block)
        return Lines([], start)


def open_log(path: str, checkpoint: Checkpoint | None) -> LogFile | None:
    """Open what is to be read next for a path: the file of the checkpoint, wherever it was moved to, else the path.

    None where there is nothing to read yet. Raises OSError.
    """
    if checkpoint is not None:
        for candidate in _candidates(path, checkpoint):
            descriptor = os.open(candidate, os.O_RDONLY)
            status = os.fstat(descriptor)
            is_same = (status.st_dev, status.st_ino) == (checkpoint.device, checkpoint.inode)
            if (
                is_same
                and has_fingerprint(descriptor, checkpoint.fingerprint)
                and status.st_size >= checkpoint.position
            ):
                return LogFile(path, descriptor, checkpoint)
            os.close(descriptor)
    try:
        descriptor = os.open(path, os.O_RDONLY | os.O_NONBLOCK)
    except FileNotFoundError:
        return None
    status = os.fstat(descriptor)
    if not stat.S_ISREG(status.st_mode):
        os.close(descriptor)
        raise OSError(f"{path}: not a regular file")
    if status.st_size == 0:
        os.close(descriptor)
        return None
    fingerprint = _fingerprint(descriptor, min(status.st_size, _FINGERPRINT_BYTES))
    return LogFile(path, descriptor, Checkpoint(path, status.st_dev, status.st_ino, fingerprint, 0))


def has_fingerprint(descriptor: int, fingerprint: str) -> bool:
    """Whether a file still begins as it did."""
    length = fingerprint.partition(":")[0]
    return length.isdecimal() and _fingerprint(descriptor, int(length)) == fingerprint


def _fingerprint(descriptor: int, length: int) -> str:
    beginning = os.pread(descriptor, length, 0)
    return f"{len(beginning)}:{blake2b(beginning, digest_size=16).hexdigest()}"


def _candidates(path: str, checkpoint: Checkpoint) -> Iterator[Path]:
    """The path itself, then what lies beside it under a longer name: `access.log.1`, `access.log-20260116`."""
    given = Path(path)
    beside = sorted(given.parent.glob(f"{_literal(given.name)}?*")) if given.parent.is_dir() else []
    for candidate in (given, *beside):
        try:
            status = candidate.stat()
        except OSError:
            continue
        if (status.st_dev, status.st_ino) == (checkpoint.device, checkpoint.inode) and stat.S_ISREG(status.st_mode):
            yield candidate


def _literal(name: str) -> str:
    return "".join(f"[{letter}]" if letter in "*?[" else letter for letter in name)


def _split(block: bytes, position: int) -> Iterator[tuple[int, bytes, int]]:
    for line in block.split(b"\n"):
        content = line.rstrip(b"\r")
        if content:
            yield position, content, len(content)
        position += len(line) + 1
