"""Parsing without a broker: what `sakimori parse` does."""

import gzip
import io
import zlib
from collections.abc import Iterator
from dataclasses import dataclass
from typing import BinaryIO

from sakimori_collector.domain.formats import LineRejected, Reference
from sakimori_collector.domain.reading import Rejected, Source
from sakimori_collector.domain.wire.joining import FileLine, NoJoiner, joiner_of
from sakimori_common.contracts import Event

MAX_LINE_BYTES = 16 << 20
"""The longest line that is held in memory; of a longer one the beginning is kept with the rejected."""


@dataclass(frozen=True, slots=True)
class RejectedAt:
    """A rejected line and where it stood: line number from 1, byte offset from 0."""

    line: int
    offset: int
    rejected: Rejected


def parse_stream(
    stream: BinaryIO, path: str, format: str, reference: Reference
) -> Iterator[tuple[list[Event], RejectedAt | None]]:
    """Read a stream line by line: for each either its events or why there are none; empty lines give nothing.

    Gzip is unpacked, and lines that the format says go on are joined. `format` must be known (check_format). Raises
    OSError when the stream cannot be read, or not to its end.
    """
    source = Source(path, f"file:{path}", format, reference, {"log.file.path": path}, path)
    for number, offset, raw, length in _records_of(_unpacked(stream), format):
        try:
            if length > len(raw):
                raise LineRejected(f"{length} bytes in one line, over {MAX_LINE_BYTES}")
            events = source.read(raw, offset)
        except LineRejected as error:
            yield [], RejectedAt(number, offset, source.reject(raw, offset, str(error)))
            continue
        for event in events:
            event.fields["log.offset"] = offset
        yield events, None


def _unpacked(stream: BinaryIO) -> BinaryIO:
    if isinstance(stream, io.BufferedReader) and stream.peek(2)[:2] == b"\x1f\x8b":
        return gzip.GzipFile(fileobj=stream)  # type: ignore[return-value]  # as far as it is used here, it is one
    return stream


def _records_of(stream: BinaryIO, format: str) -> Iterator[tuple[int, int, bytes, int]]:
    """Join the lines that go on, each record with the number of its first line."""
    joiner, numbers = joiner_of(format), dict[int, int]()
    try:
        if isinstance(joiner, NoJoiner):
            yield from lines_of(stream)
            return
        for number, offset, raw, length in lines_of(stream):
            numbers[offset] = number
            for whole in joiner.feed([FileLine(offset, raw, length)]):
                yield numbers[whole.offset], *whole
                start = joiner.start
                numbers = {at: known for at, known in numbers.items() if start is not None and at >= start}
    except (EOFError, zlib.error) as error:
        raise OSError(f"damaged gzip: {error}") from None
    for whole in joiner.flush():
        yield numbers[whole.offset], *whole


def lines_of(stream: BinaryIO) -> Iterator[tuple[int, int, bytes, int]]:
    """Split into lines: number, offset, bytes without the line end, and length (more than the bytes if cut)."""
    offset, number = 0, 0
    while raw := stream.readline(MAX_LINE_BYTES + 1):
        number += 1
        length = len(raw)
        if length > MAX_LINE_BYTES and not raw.endswith(b"\n"):
            kept, length = raw[: 64 * 1024], length + _skip_line(stream)
            yield number, offset, kept, length
        else:
            line = raw.rstrip(b"\r\n")
            if line:
                yield number, offset, line, len(line)
        offset += length


def _skip_line(stream: BinaryIO) -> int:
    skipped = 0
    while piece := stream.readline(1 << 20):
        skipped += len(piece)
        if piece.endswith(b"\n"):
            break
    return skipped
