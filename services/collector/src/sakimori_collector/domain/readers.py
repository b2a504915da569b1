"""Every way to read a line, by name: a rejected line is kept with the name, and read in the same way again."""

from collections.abc import Callable
from typing import Final

from sakimori_collector.domain.posted.documents import read_document
from sakimori_collector.domain.posted.gelf import read_gelf
from sakimori_collector.domain.posted.hec import read_hec
from sakimori_collector.domain.posted.ndjson import read_posted
from sakimori_collector.domain.reading import LINE_READER, Source
from sakimori_collector.domain.wire.posted_bodies import read_plain
from sakimori_common.contracts import Event

Reader = Callable[[Source, bytes, int], list[Event]]
"""Makes events of a line at a place. Raises LineRejected and nothing else."""


def read_file_line(source: Source, raw: bytes, place: int) -> list[Event]:
    """Read the line of a file that begins at the byte `place`. Raises LineRejected."""
    events = source.read(raw, place)
    for event in events:
        event.fields["log.offset"] = place
    return events


READERS: Final[dict[str, Reader]] = {
    LINE_READER: Source.read,
    "file": read_file_line,
    "posted": read_posted,
    "gelf": read_gelf,
    "plain": read_plain,
    "document": read_document,
    "hec": read_hec,
}

_NAMES: Final = {reader: name for name, reader in READERS.items()}


def reader_name(reader: Reader) -> str:
    """Name a reader; one that is not in READERS is taken for that of plain lines."""
    return _NAMES.get(reader, LINE_READER)
