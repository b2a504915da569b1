"""What files hand over: lines to the intake, then how far they were read to the checkpoints, with patience."""

import asyncio
import time
from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass, replace
from datetime import tzinfo
from typing import Final, TypeVar

import structlog

from sakimori_collector.domain.format import LineRejected, Reference
from sakimori_collector.domain.formats import FORMATS
from sakimori_collector.domain.readers import read_file_line
from sakimori_collector.domain.reading import Source
from sakimori_collector.inputs.follower import Part
from sakimori_collector.intake import Batch, Intake
from sakimori_collector.metrics import CollectorMetrics
from sakimori_collector.ports import Checkpoint, Checkpoints
from sakimori_collector.settings import FollowedFiles
from sakimori_common.bus import BusUnavailable, Unavailable
from sakimori_common.contracts import Event, FieldValue

T = TypeVar("T")

_FIRST_BACKOFF_SECONDS: Final = 0.25
_LONGEST_BACKOFF_SECONDS: Final = 10.0


@dataclass(frozen=True, slots=True)
class FileDesk:
    """Takes in what files have, for all of them."""

    intake: Intake
    checkpoints: Checkpoints
    metrics: CollectorMetrics
    log: structlog.stdlib.BoundLogger
    instance: str
    zone: tzinfo
    clock: Callable[[], float] = time.time


@dataclass(frozen=True, slots=True)
class FileReception:
    """Safe (follower.py) for one path: waits while bus or database are away, and tries the very same again."""

    desk: FileDesk
    path: str
    entry: FollowedFiles
    stamp: Mapping[str, FieldValue]

    async def load(self, path: str) -> Checkpoint | None:
        """Read a checkpoint."""
        return await self._patiently(lambda: self.desk.checkpoints.load(path))

    async def save(self, checkpoint: Checkpoint) -> None:
        """Write a checkpoint."""
        await self._patiently(lambda: self.desk.checkpoints.save(checkpoint))

    async def deliver(self, part: Part) -> Checkpoint:
        """Take lines in, then advance."""
        reached = await self._patiently(lambda: self._take(part))
        await self.save(reached)
        return reached

    def note(self, event: str, path: str, **facts: object) -> None:
        """Log something that happened to a file."""
        self.desk.log.info(event, path=path, **facts)

    async def _take(self, part: Part) -> Checkpoint:
        """Take lines in; what headers say is read from the checkpoint anew at each try."""
        source, reached = self._source(part), part.reached
        cut = {line.offset: line.length for line in part.lines if line.length > len(line.raw)}
        lines = [(line.offset, line.raw) for line in part.lines]
        await self.desk.intake.take(Batch(source, lines, read_file_line, cut))
        if part.reason:
            await self.desk.intake.take(Batch(source, [(reached.position, part.reason.encode())], refuse))
        header = source.header_of.name if source.header_of is not None else ""
        return replace(reached, context=source.reference.context, context_format=header)

    def _source(self, part: Part) -> Source:
        desk, reached = self.desk, part.reached
        return Source(
            name=self.entry.pattern,
            identity=part.identity,
            format=self.entry.format,
            reference=Reference(int(desk.clock() * 1_000_000), desk.zone, reached.context, reached.path),
            stamp=self.stamp,
            path=reached.path,
            header_of=FORMATS.get(reached.context_format),
        )

    async def _patiently(self, work: Callable[[], Awaitable[T]]) -> T:
        backoff = _FIRST_BACKOFF_SECONDS
        while True:
            try:
                return await work()
            except (BusUnavailable, Unavailable) as error:
                self.desk.metrics.input_stalls_total.labels(self.entry.pattern).inc()
                self.desk.log.warning("file_waiting", path=self.path, reason=str(error), seconds=backoff)
                await asyncio.sleep(backoff)
                backoff = min(backoff * 2, _LONGEST_BACKOFF_SECONDS)


def refuse(_: Source, raw: bytes, __: int) -> list[Event]:
    """Reject what stands for a part of a file that cannot be read: the line is the reason. Raises LineRejected."""
    raise LineRejected(raw.decode("utf-8", "replace"))
