"""Captures in files and pipes, compressed or not."""

import gzip
import os
import select
import stat
import zlib
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from io import BufferedReader
from pathlib import Path
from typing import Final

from sakimori_packet_sensor.domain.capture import Block, CaptureError
from sakimori_packet_sensor.domain.capture.bpf import PacketFilter
from sakimori_packet_sensor.domain.capture.reader import Capture, read_capture

_GZIP: Final = b"\x1f\x8b"
_PIPE_SECONDS: Final = 10.0
_PIECE_BYTES: Final = 1 << 18
"""What is unpacked before it is walked; a gzip stream hands out some 20 KB at a time."""


class CaptureFile:
    """The packets of an opened capture; `cut` says afterwards where and why it could not be read to its end, if so."""

    def __init__(self, capture: Capture, source: "_Guarded", packet_filter: PacketFilter | None) -> None:
        self._capture = capture
        self._source = source
        self._filter = packet_filter

    def __iter__(self) -> Iterator[Block]:
        if self._filter is None:
            return iter(self._capture)
        return (block for block in map(self._filter.apply, self._capture) if len(block.at))

    @property
    def cut(self) -> str | None:
        """None when everything was read."""
        return self._source.problem or self._capture.cut


@contextmanager
def open_capture(
    source: Path | BufferedReader,
    *,
    limit_bytes: int | None = None,
    packet_filter: PacketFilter | None = None,
    pipe_seconds: float = _PIPE_SECONDS,
) -> Iterator[CaptureFile]:
    """Open a capture: a file, a named pipe, or a stream such as stdin; gzip is told by its first bytes.

    Reads pieces of a megabyte: a mapped file costs twice as much in page faults, and kills who reads it when somebody
    cuts it. At most `limit_bytes` are read of it (of what it holds, when it is compressed), and only what the filter
    accepts is handed out. Raises CaptureError when it cannot be opened or is no capture, or when nobody writes into the
    pipe for `pipe_seconds`; reading on, only when the filter cannot be compiled for a link type.
    """
    with ExitStack() as stack:
        try:
            stream = stack.enter_context(_open(source, pipe_seconds)) if isinstance(source, Path) else source
            capture = _begin(stream, limit_bytes, packet_filter)
        except OSError as error:
            raise CaptureError(f"cannot be read: {error.strerror or error}") from None
        yield capture


def _open(path: Path, pipe_seconds: float) -> BufferedReader:
    """Open without waiting, as opening a pipe that nobody writes into would do for ever."""
    descriptor = os.open(path, os.O_RDONLY | os.O_NONBLOCK | os.O_CLOEXEC)
    try:
        mode = os.fstat(descriptor).st_mode
        if stat.S_ISFIFO(mode):
            _await_writer(descriptor, pipe_seconds)
        elif stat.S_ISDIR(mode):
            raise CaptureError("is a folder, no capture")
        elif not stat.S_ISREG(mode):
            raise CaptureError("is neither a file nor a pipe")
    except BaseException:
        os.close(descriptor)
        raise
    return os.fdopen(descriptor, "rb")


def _await_writer(pipe: int, seconds: float) -> None:
    poll = select.poll()
    poll.register(pipe, select.POLLIN)
    if not poll.poll(seconds * 1000):
        raise CaptureError(f"is a pipe that nobody wrote into for {seconds:g} s")
    os.set_blocking(pipe, True)


def _begin(stream: BufferedReader, limit_bytes: int | None, packet_filter: PacketFilter | None) -> CaptureFile:
    is_compressed = stream.peek(2)[:2] == _GZIP
    guarded = _Guarded(gzip.GzipFile(fileobj=stream) if is_compressed else stream, limit_bytes)
    try:
        return CaptureFile(read_capture(guarded), guarded, packet_filter)
    except CaptureError:
        if guarded.problem:
            raise CaptureError(f"cannot be read: {guarded.problem}") from None
        raise


class _Guarded:
    """A stream that ends, rather than fails, where it is damaged or reaches its bound; `problem` then says why."""

    def __init__(self, stream: BufferedReader | gzip.GzipFile, limit_bytes: int | None) -> None:
        self._stream = stream
        self._left = limit_bytes
        self.problem: str | None = None

    def readinto(self, buffer: memoryview, /) -> int:
        """Read what there is; what is compressed in pieces worth walking."""
        filled = self._read(buffer)
        if isinstance(self._stream, gzip.GzipFile):
            enough = min(_PIECE_BYTES, len(buffer))
            while filled < enough and (count := self._read(buffer[filled:])):
                filled += count
        return filled

    def _read(self, buffer: memoryview) -> int:
        if self.problem:
            return 0
        try:
            count = self._stream.readinto1(buffer if self._left is None else buffer[: self._left + 1])
        except (EOFError, gzip.BadGzipFile, zlib.error) as error:
            self.problem = f"the compression is cut or damaged ({error})"
            return 0
        except OSError as error:
            self.problem = f"reading failed ({error.strerror or error})"
            return 0
        if self._left is not None:
            if count > self._left:
                self.problem = "holds more than may be read of one capture"
                count = self._left
            self._left -= count
        return count
