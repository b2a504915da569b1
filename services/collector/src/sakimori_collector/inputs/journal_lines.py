"""What every way of getting systemd's journal has in common: entries become lines of the format `journald`."""

from collections.abc import Sequence
from typing import Final

from sakimori_collector.domain.reading import Source
from sakimori_collector.domain.wire.journal_export import BadExport, Entry, as_json
from sakimori_collector.intake import Batch

NAME: Final = "journald"
IDENTITY: Final = "journal"
"""Of all journals: an entry's cursor tells it from all others, and it is part of the line."""


def batch_of(source: Source, entries: Sequence[Entry]) -> Batch:
    """Make a batch of entries. Those that are too long, or no entries, go to the quarantine as they came.

    All stand at the same place: entries that are sent again come in other parts.
    """
    lines: list[tuple[int, bytes]] = []
    lengths: dict[int, int] = {}
    for number, entry in enumerate(entries, start=1):
        if entry.length > len(entry.raw):
            lines.append((number, entry.raw))
            lengths[number] = entry.length
        else:
            lines.append((0, _line(entry.raw)))
    return Batch(source, lines, lengths=lengths)


def _line(raw: bytes) -> bytes:
    try:
        return as_json(raw)
    except BadExport:
        return raw
