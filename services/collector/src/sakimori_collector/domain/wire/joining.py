"""Lines that belong together made one: stack traces, and what a container runtime cut into pieces."""

from collections.abc import Callable, Iterator, Sequence
from typing import Any, Final, NamedTuple, Protocol

import msgspec

from sakimori_collector.domain.formats import FORMATS
from sakimori_collector.domain.text import decode

DOCKER: Final = "docker"
"""The format of the files that Docker writes, one container each."""
MAX_LINES: Final = 500
MAX_BYTES: Final = 1 << 20
"""Of what is joined: beyond either bound the rest is a record of its own."""


class FileLine(NamedTuple):
    """A line of a file: its byte offset, its bytes (UTF-8) without the line end, and its length.

    The length is larger where the bytes were cut.
    """

    offset: int
    raw: bytes
    length: int


class Joiner(Protocol):
    """Joins the lines of one file, in order. It holds back what may go on."""

    @property
    def start(self) -> int | None:
        """Offset of the first line that is held back."""

    def feed(self, lines: Sequence[FileLine]) -> list[FileLine]:
        """Take lines, give those that are whole."""

    def flush(self) -> list[FileLine]:
        """Give what is held back."""


class NoJoiner:
    """Leaves each line alone."""

    start: int | None = None

    def feed(self, lines: Sequence[FileLine]) -> list[FileLine]:
        """Give them back."""
        return list(lines)

    def flush(self) -> list[FileLine]:
        """Give nothing."""
        return []


class LineJoiner:
    """Joins lines to the one they go on with, as `continues` tells of a line."""

    def __init__(self, continues: Callable[[str], bool]) -> None:
        self._continues = continues
        self._held: list[FileLine] = []
        self._held_bytes = 0

    @property
    def start(self) -> int | None:
        """Offset of the first line that is held back."""
        return self._held[0].offset if self._held else None

    def feed(self, lines: Sequence[FileLine]) -> list[FileLine]:
        """Give what a new first line, or a bound, ends."""
        return list(self._fed(lines))

    def flush(self) -> list[FileLine]:
        """Give what is held back as one line."""
        held, self._held, self._held_bytes = self._held, [], 0
        if not held:
            return []
        raw = b"\n".join(line.raw for line in held)
        length = sum(line.length for line in held) + len(held) - 1
        return [FileLine(held[0].offset, raw, length)]

    def _fed(self, lines: Sequence[FileLine]) -> Iterator[FileLine]:
        for line in lines:
            is_full = len(self._held) >= MAX_LINES or self._held_bytes + len(line.raw) > MAX_BYTES
            if is_full or not self._continues(decode(line.raw)):
                yield from self.flush()
            self._held.append(line)
            self._held_bytes += len(line.raw)


class DockerJoiner:
    """Joins the pieces of 16 KiB that Docker's json-file driver makes of a long line: only the last ends in a newline.

    What comes out is one line of the same form, with the time of the first piece. The streams are apart from one
    another, as their pieces may come in turn.
    """

    def __init__(self) -> None:
        self._held: dict[str, tuple[FileLine, dict[str, Any], list[str]]] = {}

    @property
    def start(self) -> int | None:
        """Offset of the first line that is held back."""
        return min((line.offset for line, _, _ in self._held.values()), default=None)

    def feed(self, lines: Sequence[FileLine]) -> list[FileLine]:
        """Give lines that are whole, and those that are none of Docker's as they are."""
        return [whole for line in lines for whole in self._fed(line)]

    def flush(self) -> list[FileLine]:
        """Give the pieces that are there, by where they begin."""
        streams = sorted(self._held, key=lambda stream: self._held[stream][0].offset)
        return [self._joined(stream) for stream in streams]

    def _fed(self, line: FileLine) -> Iterator[FileLine]:
        entry = _entry(line.raw)
        stream = str(entry.get("stream", ""))[:16] if entry is not None else ""
        if entry is None or (entry["log"].endswith("\n") and stream not in self._held):
            yield line
            return
        first, envelope, pieces = self._held.setdefault(stream, (line, entry, []))
        pieces.append(entry["log"])
        size = sum(map(len, pieces))
        self._held[stream] = FileLine(first.offset, first.raw, line.length), envelope, pieces
        if entry["log"].endswith("\n") or size > MAX_BYTES or len(pieces) > MAX_LINES:
            yield self._joined(stream)

    def _joined(self, stream: str) -> FileLine:
        first, envelope, pieces = self._held.pop(stream)
        if len(pieces) == 1:
            return FileLine(first.offset, first.raw, len(first.raw))
        raw = msgspec.json.encode({**envelope, "log": "".join(pieces)})
        return FileLine(first.offset, raw, len(raw))


def joiner_of(format: str) -> Joiner:
    """Make what joins the lines of files in a format; `auto` joins none."""
    if format == DOCKER:
        return DockerJoiner()
    known = FORMATS.get(format)
    return LineJoiner(known.continues) if known is not None and known.continues is not None else NoJoiner()


def _entry(raw: bytes) -> dict[str, Any] | None:
    try:
        entry = msgspec.json.decode(raw)
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError):
        return None
    return entry if isinstance(entry, dict) and isinstance(entry.get("log"), str) else None
