"""From the capture to the bus without ever holding the capture up: memory first, disk while the bus is away or slow."""

import asyncio
from collections import deque
from collections.abc import AsyncIterator, Callable, Sequence
from contextlib import asynccontextmanager
from typing import Final

import structlog

from sakimori_common.bus import BusUnavailable
from sakimori_common.bus.publisher import BATCH_EVENTS, EventPublisher
from sakimori_common.bus.spool import Spool, SpoolFull
from sakimori_common.contracts import Event
from sakimori_common.tasks import Background
from sakimori_packet_sensor.domain.pressure import Pressure
from sakimori_packet_sensor.metrics import SensorMetrics

MEMORY_EVENTS: Final = 50_000
"""Events that wait in memory, some 40 MB; beyond that they go to disk although the bus may be there."""
PUBLISH_EVENTS: Final = 4000
"""Events handed to the publisher at once: what it keeps in flight."""
FILE_EVENTS: Final = 2000
TICK_SECONDS: Final = 0.25
RETRY_SECONDS: Final = 1.0
DRAIN_SECONDS: Final = 5.0


class Outbox:
    """Publish events in order of arrival; a bounded spool on disk takes what the bus does not.

    Once a batch could not be published, what follows goes straight to disk until the bus has taken the spool again.
    When the spool is filled beyond a mark, `on_pressure(True)` is called, so that no new flows are followed; those that
    are followed find room in what is left. Below a low mark it is called with False.
    """

    def __init__(
        self,
        *,
        publisher: EventPublisher,
        spool: Spool,
        pressure: Pressure,
        metrics: SensorMetrics,
        log: structlog.stdlib.BoundLogger,
    ) -> None:
        self._publisher = publisher
        self._spool = spool
        self._pressure = pressure
        self._metrics = metrics
        self._log = log
        self._waiting: deque[Event] = deque()
        self._arrived = asyncio.Event()
        self._is_bus_away = spool.used_bytes > 0
        self._is_stopping = False
        self.on_pressure: Callable[[bool], None] = lambda _: None
        metrics.spool_bytes.set_function(lambda: spool.used_bytes)
        metrics.outbox_events.set_function(lambda: len(self._waiting))

    @property
    def is_pressed(self) -> bool:
        """Tell whether no new flows are to be followed."""
        return self._pressure.is_high

    def put(self, events: Sequence[Event]) -> None:
        """Take events; never waits for the bus."""
        self._waiting.extend(events)
        while len(self._waiting) > MEMORY_EVENTS:
            self._keep(self._next(FILE_EVENTS))
        if self._waiting:
            self._arrived.set()

    @asynccontextmanager
    async def running(self, background: Background) -> AsyncIterator[None]:
        """Publish until the block ends, then see all that waits to the bus or to disk."""
        publishing = background(self._publish(), "outbox-publishing")
        emptying = background(self._empty_spool(), "outbox-spool")
        self._weigh()
        try:
            yield
        finally:
            emptying.cancel()
            await asyncio.gather(emptying, return_exceptions=True)
            self._is_stopping = True
            self._arrived.set()
            await asyncio.wait({publishing}, timeout=DRAIN_SECONDS)
            publishing.cancel()
            await asyncio.gather(publishing, return_exceptions=True)
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
                while self._spool.used_bytes > 0 and await self._try_spool():
                    pass
            except OSError as error:
                self._log.error("spool_failed", reason=error.strerror)
            await asyncio.sleep(RETRY_SECONDS)

    async def _try_spool(self) -> bool:
        """Publish what is on disk; tells whether to go on at once, for more has come meanwhile."""
        sent = await self._spool.drain_into(self._publisher)
        self._weigh()
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
                self._metrics.events_dropped_total.labels("spool_full").inc(len(part))
            except OSError as error:
                self._log.error("spool_failed", reason=error.strerror)
                self._metrics.events_dropped_total.labels("spool_error").inc(len(part))
            else:
                self._metrics.events_spooled_total.inc(len(part))
        self._weigh()

    def _weigh(self) -> None:
        if self._pressure.weigh(self._spool.used_bytes):
            self._metrics.is_shedding.set(self._pressure.is_high)
            self._log.warning(
                "shedding_began" if self._pressure.is_high else "shedding_ended", spool_bytes=self._spool.used_bytes
            )
            self.on_pressure(self._pressure.is_high)
