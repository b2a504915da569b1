"""Captures in files and pipes, compressed or not."""

import gzip
import io
import zlib
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path
from typing import Final

from sakimori_packet_sensor.domain.capture import Block, CaptureError
from sakimori_packet_sensor.domain.capture.reader import Capture, read_capture

_GZIP: Final = b"\x1f\x8b"


class CaptureFile:
    """The packets of an opened capture; `cut` says afterwards where and why it could not be read to its end, if so."""

    def __init__(self, capture: Capture, source: "_Guarded") -> None:
        self._capture = capture
        self._source = source

    def __iter__(self) -> Iterator[Block]:
        return iter(self._capture)

    @property
    def cut(self) -> str | None:
        """None when everything was read."""
        return self._source.problem or self._capture.cut


@contextmanager
def open_capture(source: Path | io.BufferedReader, *, limit_bytes: int | None = None) -> Iterator[CaptureFile]:
    """Open a capture: a file, or a stream such as stdin; gzip is told by its first bytes.

    At most `limit_bytes` are read of it (of what it holds, when it is compressed). Raises CaptureError when it cannot
    be opened or is no capture.
    """
    with ExitStack() as stack:
        try:
            stream = stack.enter_context(source.open("rb")) if isinstance(source, Path) else source
            capture = _opened(stream, limit_bytes)
        except OSError as error:
            raise CaptureError(f"cannot be read: {error.strerror or error}") from None
        yield capture


def _opened(stream: io.BufferedReader, limit_bytes: int | None) -> CaptureFile:
    is_compressed = stream.peek(2)[:2] == _GZIP
    guarded = _Guarded(gzip.GzipFile(fileobj=stream) if is_compressed else stream, limit_bytes)
    try:
        return CaptureFile(read_capture(guarded), guarded)
    except CaptureError:
        if guarded.problem:
            raise CaptureError(f"cannot be read: {guarded.problem}") from None
        raise


class _Guarded(io.RawIOBase):
    """A stream that ends, rather than fails, where it is damaged or reaches its bound; `problem` then says why."""

    def __init__(self, stream: io.BufferedReader | gzip.GzipFile, limit_bytes: int | None) -> None:
        super().__init__()
        self._stream = stream
        self._left = limit_bytes
        self.problem: str | None = None

    def readable(self) -> bool:
        return True

    def readinto(self, buffer: memoryview, /) -> int:  # type: ignore[override]  # typeshed's WriteableBuffer has no slices
        size = len(buffer) if self._left is None else min(len(buffer), self._left + 1)
        if self.problem:
            return 0
        try:
            data = self._stream.read1(size)
        except (EOFError, gzip.BadGzipFile, zlib.error) as error:
            self.problem = f"the compression is cut or damaged ({error})"
            return 0
        except OSError as error:
            self.problem = f"reading failed ({error.strerror or error})"
            return 0
        if self._left is not None:
            if len(data) > self._left:
                self.problem = "holds more than may be read of one capture"
                data = data[: self._left]
            self._left -= len(data)
        buffer[: len(data)] = data
        return len(data)
