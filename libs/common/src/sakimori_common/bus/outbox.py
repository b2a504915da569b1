"""From a service to the bus without ever holding it up: memory first, disk while the bus is away or slow."""

import asyncio
from collections import deque
from collections.abc import AsyncIterator, Callable, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass
from typing import Final

import structlog
from prometheus_client import Counter, Gauge

from sakimori_common.bus.errors import BusUnavailable
from sakimori_common.bus.publisher import BATCH_EVENTS, EventPublisher
from sakimori_common.bus.spool import Spool, SpoolFull
from sakimori_common.contracts import Event
from sakimori_common.tasks import Background, end_tasks

PUBLISH_EVENTS: Final = 4000
"""Events handed to the publisher at once: what it keeps in flight."""
FILE_EVENTS: Final = 2000
TICK_SECONDS: Final = 0.25
RETRY_SECONDS: Final = 1.0
DRAIN_SECONDS: Final = 5.0


@dataclass(frozen=True, slots=True)
class OutboxMetrics:
    """A service's own metrics: events lost by `reason` (spool_full, spool_error), events that went to disk, fills."""

    dropped_total: Counter
    spooled_total: Counter
    spool_bytes: Gauge
    waiting: Gauge


class Outbox:
    """Publish events in order of arrival; a bounded spool on disk takes what the bus does not.

    Once a batch could not be published, what follows goes straight to disk until the bus has taken the spool again, so
    that nobody waits and memory does not grow for an outage. `memory_events` bounds what waits in memory: beyond it the
    oldest go to disk although the bus may be there. `on_level` is told the spool's bytes when they may have changed.
    """

    def __init__(
        self,
        *,
        publisher: EventPublisher,
        spool: Spool,
        memory_events: int,
        metrics: OutboxMetrics,
        log: structlog.stdlib.BoundLogger,
        on_level: Callable[[int], None] = lambda _: None,
    ) -> None:
        self._publisher = publisher
        self._spool = spool
        self._memory_events = memory_events
        self._metrics = metrics
        self._log = log
        self._on_level = on_level
        self._waiting: deque[Event] = deque()
        self._arrived = asyncio.Event()
        self._is_bus_away = spool.used_bytes > 0
        self._is_stopping = False
        metrics.spool_bytes.set_function(lambda: spool.used_bytes)
        metrics.waiting.set_function(lambda: len(self._waiting))

    def put(self, events: Sequence[Event]) -> None:
        """Take events; never waits for the bus."""
        self._waiting.extend(events)
        while len(self._waiting) > self._memory_events:
            self._keep(self._next(FILE_EVENTS))
        if self._waiting:
            self._arrived.set()

    @asynccontextmanager
    async def running(self, background: Background) -> AsyncIterator[None]:
        """Publish until the block ends, then see all that waits to the bus or to disk."""
        publishing = background(self._publish(), "outbox-publishing")
        emptying = background(self._empty_spool(), "outbox-spool")
        self._on_level(self._spool.used_bytes)
        try:
            yield
        finally:
            await end_tasks(emptying)
            self._is_stopping = True
            self._arrived.set()
            await asyncio.wait({publishing}, timeout=DRAIN_SECONDS)
            await end_tasks(publishing)
            while self._waiting:
                self._keep(self._next(FILE_EVENTS))

    async def _publish(self) -> None:
        while not (self._is_stopping and not self._waiting):
            await self._arrived.wait()
            if self._is_bus_away and not self._is_stopping:
                await asyncio.sleep(TICK_SECONDS)  # one file for all that comes meanwhile
            self._arrived.clear()
            while self._waiting:
                await self._settle()

    async def _settle(self) -> None:
        if self._is_bus_away:
            self._keep(self._next(FILE_EVENTS))
            return
        batch = self._next(PUBLISH_EVENTS)
        try:
            refused = await self._refused(batch)
        except asyncio.CancelledError:
            self._waiting.extendleft(reversed(batch))
            raise
        if refused:
            self._is_bus_away = True
            self._log.warning("bus_unavailable", spool_bytes=self._spool.used_bytes)
            self._keep(refused)

    async def _refused(self, batch: list[Event]) -> list[Event]:
        """Publish a batch message by message; returns what the bus did not confirm, so that the rest goes out once."""
        parts = [batch[start : start + BATCH_EVENTS] for start in range(0, len(batch), BATCH_EVENTS)]
        results = await asyncio.gather(*map(self._publisher.publish, parts), return_exceptions=True)
        refused: list[Event] = []
        for part, result in zip(parts, results, strict=True):
            if isinstance(result, BusUnavailable):
                refused += part
            elif isinstance(result, BaseException):
                raise result
        return refused

    async def _empty_spool(self) -> None:
        while True:
            try:
                while (self._is_bus_away or self._spool.used_bytes > 0) and await self._try_spool():
                    pass
            except OSError as error:
                self._log.error("spool_failed", reason=error.strerror)
            await asyncio.sleep(RETRY_SECONDS)

    async def _try_spool(self) -> bool:
        """Publish what is on disk; tells whether to go on at once, for more has come meanwhile."""
        sent = await self._spool.drain_into(self._publisher)
        self._on_level(self._spool.used_bytes)
        if self._spool.used_bytes == 0:
            self._is_bus_away = False  # or so it seems: the next batch will tell
            if sent:
                self._log.info("spool_emptied", events=sent)
        return sent > 0

    def _next(self, most: int) -> list[Event]:
        return [self._waiting.popleft() for _ in range(min(most, len(self._waiting)))]

    def _keep(self, batch: list[Event]) -> None:
        for start in range(0, len(batch), FILE_EVENTS):
            part = batch[start : start + FILE_EVENTS]
            try:
                self._spool.put(part)
            except SpoolFull:
                self._metrics.dropped_total.labels("spool_full").inc(len(part))
            except OSError as error:
                self._log.error("spool_failed", reason=error.strerror)
                self._metrics.dropped_total.labels("spool_error").inc(len(part))
            else:
                self._metrics.spooled_total.inc(len(part))
        self._on_level(self._spool.used_bytes)
