"""Rejected lines read again, with the formats as they are today."""

import zoneinfo
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, tzinfo
from typing import Final

from sakimori_collector.domain.format import LineRejected, Reference
from sakimori_collector.domain.formats import AUTO, FORMATS
from sakimori_collector.domain.readers import READERS
from sakimori_collector.domain.reading import LINE_READER, Rejected, Source
from sakimori_collector.intake import Batch, Intake, Treatment
from sakimori_collector.metrics import CollectorMetrics
from sakimori_collector.ports import KeptLine, LineFilter, LinePlace, Publisher, Quarantine
from sakimori_common.contracts import Event

REPLAYED: Final = "quarantine"
"""The source under which replayed lines are counted: by their own they have been counted already."""
AT_ONCE: Final = 500


@dataclass(frozen=True, slots=True)
class Replayed:
    """How a replay went. `at` is where to go on, when there may be more."""

    published: int
    rejected: int
    at: LinePlace | None


class Replayer:
    """Read rejected lines again; what becomes an event leaves the quarantine, the rest stays with its new reason.

    At least once: a line is forgotten when the bus has its events. Their ids are those that the line would have had at
    first, so a line that is replayed twice is stored once.
    """

    def __init__(
        self, quarantine: Quarantine, publisher: Publisher, metrics: CollectorMetrics, treatment: Treatment
    ) -> None:
        self._quarantine = quarantine
        self._intake = Intake(publisher, _Kept(), metrics, treatment)

    async def replay(
        self, wanted: LineFilter, limit: int, *, format: str | None = None, at: LinePlace | None = None
    ) -> Replayed:
        """Replay up to `limit` lines, oldest first. Raises BusUnavailable or Unavailable: what was done stays done."""
        published = rejected = 0
        while (left := limit - published - rejected) > 0:
            lines = await self._quarantine.page(wanted, min(AT_ONCE, left), at, is_newest_first=False)
            if not lines:
                return Replayed(published, rejected, None)
            failed = await self._again(lines, format)
            published, rejected, at = published + len(lines) - failed, rejected + failed, lines[-1].place
        return Replayed(published, rejected, at)

    async def _again(self, lines: Sequence[KeptLine], format: str | None) -> int:
        def read(_: Source, __: bytes, number: int) -> list[Event]:
            return read_again(lines[number], format)

        source = Source(REPLAYED, REPLAYED, AUTO, Reference(0), {})
        batch = Batch(source, [(number, line.rejected.raw) for number, line in enumerate(lines)], read)
        taken = await self._intake.take(batch)
        reasons = {number: rejected.reason for number, rejected in taken.rejected}
        await self._quarantine.failed([(lines[number].rejected.id, reason) for number, reason in reasons.items()])
        await self._quarantine.remove([line.rejected.id for n, line in enumerate(lines) if n not in reasons])
        return len(reasons)


def read_again(line: KeptLine, format: str | None = None) -> list[Event]:
    """Read a kept line as it was read at first, or in another format. Raises LineRejected."""
    rejected, replay = line.rejected, line.rejected.replay
    if not line.is_readable:
        raise LineRejected("encrypted with another PRIVACY_KEY, or damaged")
    if rejected.length > len(rejected.raw):
        raise LineRejected(f"only the first {len(rejected.raw)} of {rejected.length} bytes were kept")
    chosen = format or (rejected.format if rejected.format in FORMATS else AUTO)
    source = Source(
        name=rejected.source,
        identity=replay.identity,
        format=chosen,
        reference=Reference(replay.now, _zone(replay.zone), replay.context, replay.path),
        stamp=replay.stamp,
        path=replay.path,
        header_of=FORMATS[chosen] if replay.context and chosen in FORMATS else None,
    )
    return READERS.get(replay.reader, READERS[LINE_READER])(source, rejected.raw, replay.place)


class _Kept:
    """RejectedLines for lines that are in the quarantine already."""

    async def keep(self, lines: Sequence[Rejected]) -> None:
        """Do nothing."""


def _zone(name: str) -> tzinfo:
    try:
        return zoneinfo.ZoneInfo(name)
    except (ValueError, OSError, zoneinfo.ZoneInfoNotFoundError):
        return UTC
