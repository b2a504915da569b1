"""The one way in: lines become events, events go to the bus, what is no event to the quarantine, and all are counted.

Every input hands its lines to `Intake`; nothing else publishes events of the collector's.
"""

import asyncio
from collections.abc import AsyncIterator, Callable, Iterator, Mapping, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from typing import Final

import structlog

from sakimori_collector.backlog import Backlog, Ledger
from sakimori_collector.domain.format import LineRejected
from sakimori_collector.domain.privacy import mask_text
from sakimori_collector.domain.readers import Reader, reader_name
from sakimori_collector.domain.reading import Rejected, Source
from sakimori_collector.metrics import CollectorMetrics
from sakimori_collector.ports import LineSpool, Publisher, RejectedLines
from sakimori_common.contracts import Event
from sakimori_common.log import logger
from sakimori_common.tasks import Background

AT_ONCE: Final = 1000
"""Lines worked on together: 10 to 20 ms, the longest that everything else waits for them."""

Line = tuple[int, bytes]
"""Where a line stands in its source (byte offset, line number), and the line without its end."""


"""Runs work under a name (`ServiceContext.background`): should it fail, so does the service."""


@dataclass(frozen=True, slots=True)
class Batch:
    """Lines of one source. `name` of the source is also the label they are counted under, so it is one of few.

    `read` is one of READERS, or the line cannot be replayed as it was read. `lengths`, by place, are the true lengths
    of lines that were too long for the input to hold; of those the beginning goes to the quarantine.
    """

    source: Source
    lines: Sequence[Line]
    read: Reader = Source.read
    lengths: Mapping[int, int] = field(default_factory=dict)


@dataclass(slots=True)
class Taken:
    """What became of a batch, in lines: `published` + `rejected` + `dropped` + `spooled` are all of them."""

    published: int = 0
    dropped: int = 0
    spooled: int = 0
    rejected: list[tuple[int, Rejected]] = field(default_factory=list)
    """Beside the place of each."""


@dataclass(slots=True)
class _Read:
    events: list[Event] = field(default_factory=list)
    rejected: list[tuple[int, Rejected]] = field(default_factory=list)
    published: int = 0
    dropped: int = 0


@dataclass(frozen=True, slots=True)
class Treatment:
    """What is done to events before anybody else sees them.

    `drops` tells those that the operator does not want; `change` enriches and masks a list of them in place.
    """

    drops: Callable[[Event], bool] | None = None
    change: Callable[[Sequence[Event]], None] | None = None


@dataclass(frozen=True, slots=True)
class Spools:
    """Where lines wait that can't be held back. Without, `take_or_spool` drops (and counts) them."""

    events: LineSpool[Event] | None = None
    rejected: LineSpool[Rejected] | None = None


class Intake:
    """Take batches of lines from inputs."""

    def __init__(
        self,
        publisher: Publisher,
        quarantine: RejectedLines,
        metrics: CollectorMetrics,
        treatment: Treatment,
        *,
        spools: Spools | None = None,
        log: structlog.stdlib.BoundLogger | None = None,
    ) -> None:
        spools, log = spools or Spools(), log or logger("collector")
        self._publisher = publisher
        self._quarantine = quarantine
        self._treatment = treatment
        self._ledger = ledger = Ledger(metrics)
        self._events = Backlog(publisher.publish, spools.events, ledger, ledger.published, log)
        self._rejected = Backlog(quarantine.keep, spools.rejected, ledger, ledger.rejected, log)

    @asynccontextmanager
    async def draining(self, background: Background) -> AsyncIterator[None]:
        """Empty the spools whenever bus and database are there, until the block ends."""
        tasks = [
            background(self._events.keep_draining(), "spool-events"),
            background(self._rejected.keep_draining(), "spool-rejected"),
        ]
        try:
            yield  # not in a TaskGroup, which wraps what is raised here: a port that is taken ends the start as OSError
        finally:
            for task in tasks:
                task.cancel()
            await asyncio.gather(*tasks, return_exceptions=True)

    async def drain(self) -> None:
        """Deliver what waits in the spools, as far as bus and database take it."""
        await self._events.drain()
        await self._rejected.drain()

    async def take(self, batch: Batch) -> Taken:
        """Return when every line is safe: its events confirmed by the bus, or itself in the quarantine.

        Raises BusUnavailable or Unavailable: nothing is counted, and the input hands in the same lines again, which
        are stored once since their ids are a function of source, place and line.
        """
        taken = Taken()
        for part in self._parts(batch):
            await self._publisher.publish(part.events)
            if part.rejected:
                await self._quarantine.keep([line for _, line in part.rejected])
            taken.published += part.published
            taken.dropped += part.dropped
            taken.rejected += part.rejected
            await asyncio.sleep(0)
        self._count(batch.source.name, taken)
        return taken

    async def take_or_spool(self, batch: Batch) -> Taken:
        """Take what can't be held back: what bus or database do not take in two seconds waits on disk, within a bound.

        Beyond the bound lines are dropped. Whatever becomes of a line, it is counted so, and nothing is raised.
        """
        taken, source = Taken(), batch.source.name
        for part in self._parts(batch):
            if part.dropped:
                self._ledger.settle(source, part.dropped, self._ledger.dropped)
                taken.dropped += part.dropped
            if part.published:
                account = await self._events.take(source, part.published, part.events)
                self._tally(taken, part.published, account is self._ledger.published, account is None)
            if part.rejected:
                account = await self._rejected.take(source, len(part.rejected), [line for _, line in part.rejected])
                if account is self._ledger.rejected:
                    taken.rejected += part.rejected
                else:
                    self._tally(taken, len(part.rejected), False, account is None)
        return taken

    def drop(self, source: str, lines: int) -> None:
        """Count lines that an input does not read for a reason of its own (a limit)."""
        self._ledger.settle(source, lines, self._ledger.dropped)

    @staticmethod
    def _tally(taken: Taken, lines: int, is_published: bool, is_spooled: bool) -> None:
        taken.published += lines * is_published
        taken.spooled += lines * is_spooled
        taken.dropped += lines * (not is_published and not is_spooled)

    def _parts(self, batch: Batch) -> Iterator[_Read]:
        for start in range(0, len(batch.lines), AT_ONCE):
            part = self._read(batch, batch.lines[start : start + AT_ONCE])
            if self._treatment.change is not None:
                self._treatment.change(part.events)
            yield part

    def _read(self, batch: Batch, lines: Sequence[Line]) -> _Read:
        part, drops = _Read(), self._treatment.drops
        for place, raw in lines:
            try:
                if place in batch.lengths:
                    raise LineRejected(f"{batch.lengths[place]} bytes in one line, of which no input holds so many")
                events = batch.read(batch.source, raw, place)
            except LineRejected as error:
                part.rejected.append((place, _rejected(batch, raw, place, str(error))))
                continue
            if drops is not None and events:
                events = [event for event in events if not drops(event)]
                if not events:
                    part.dropped += 1
                    continue
            part.events += events
            part.published += 1
        return part

    def _count(self, source: str, taken: Taken) -> None:
        """All at once, so that the sum holds whenever anybody looks."""
        for lines, account in (
            (taken.published, self._ledger.published),
            (len(taken.rejected), self._ledger.rejected),
            (taken.dropped, self._ledger.dropped),
        ):
            self._ledger.settle(source, lines, account)


def _rejected(batch: Batch, raw: bytes, place: int, reason: str) -> Rejected:
    """Say why, without what the line holds in confidence: reasons quote it, and are not encrypted as it is."""
    return batch.source.reject(
        raw, place, mask_text(reason), reader=reader_name(batch.read), length=batch.lengths.get(place)
    )
