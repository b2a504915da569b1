"""Parsing without a broker: what `sakimori parse` does."""

from collections.abc import Iterator
from dataclasses import dataclass
from typing import BinaryIO

from sakimori_collector.domain.formats import LineRejected, Reference
from sakimori_collector.domain.reading import Rejected, Source
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

    `format` must be known (check_format). Raises OSError when the stream cannot be read.
    """
    source = Source(path, f"file:{path}", format, reference, {"log.file.path": path}, path)
    for number, offset, raw, length in lines_of(stream):
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
