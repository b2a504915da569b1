"""From the chat to the bus without ever holding up a request: memory first, disk when the bus is away."""

import asyncio
import math
import time
from collections import deque
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

import structlog

from sakimori_chat.domain.aggregation import Aggregator
from sakimori_chat.domain.occurrences import Occurrence
from sakimori_chat.metrics import ChatMetrics
from sakimori_common.bus import BusUnavailable
from sakimori_common.bus.publisher import EventPublisher
from sakimori_common.bus.spool import Spool, SpoolFull
from sakimori_common.contracts import Event, Severity
from sakimori_common.ids import random_event_id
from sakimori_common.instants import now
from sakimori_common.log import SecurityLogger
from sakimori_common.tasks import Background, end_tasks

MAX_WAITING = 10_000
"""Events in memory; some 10 MB. Reached only when neither bus nor disk keep up."""
BATCH_EVENTS = 200
UNLOGGED = frozenset({"source.ip", "chat.message.text", "chat.check.reasons"})
"""Fields that events may have and logs never: addresses, and words of messages (CHAT_EVENTS_WITH_TEXT)."""
TICK_SECONDS = 0.25
RETRY_SECONDS = 1.0
DRAIN_SECONDS = 3.0


class Outbox:
    """Report occurrences: log line, event, bus; a bounded spool on disk while the bus is away.

    Once a batch could not be published, all that follows goes straight to disk until the spool has been emptied into
    the bus again, so that a request never waits and memory does not grow for an outage.
    """

    def __init__(
        self,
        *,
        publisher: EventPublisher,
        spool: Spool,
        aggregator: Aggregator,
        metrics: ChatMetrics,
        log: structlog.stdlib.BoundLogger,
        streams: SecurityLogger,
        observer: str,
    ) -> None:
        self._publisher = publisher
        self._spool = spool
        self._aggregator = aggregator
        self._metrics = metrics
        self._log = log
        self._streams = streams
        self._observer = observer
        self._waiting: deque[Event] = deque()
        self._arrived = asyncio.Event()
        self._is_bus_away = spool.used_bytes > 0
        self._is_stopping = False
        metrics.measure_outbox(lambda: spool.used_bytes, lambda: len(self._waiting))

    def report(self, occurrence: Occurrence) -> None:
        """See Reporter."""
        if self._aggregator.offer(occurrence, time.monotonic()):
            self._accept(occurrence)

    @asynccontextmanager
    async def running(self, background: Background) -> AsyncIterator[None]:
        """Publish until the block ends, then see all that waits to the bus or to disk.

        `background` starts a task that lasts as long as the service (`ServiceContext.background`).
        """
        publishing = background(self._publish(), "outbox-publishing")
        others = [background(self._sum_up(), "outbox-sums"), background(self._empty_spool(), "outbox-spool")]
        try:
            yield
        finally:
            await end_tasks(*others)
            await self._drain(publishing)

    def _accept(self, occurrence: Occurrence) -> None:
        if occurrence.severity is not Severity.INFO:
            self._log_line(occurrence)
        if len(self._waiting) >= MAX_WAITING:
            self._metrics.events_dropped_total.labels("queue_full").inc()
            return
        at = now()
        fields = {**occurrence.fields, "observer.name": self._observer}
        self._waiting.append(Event(random_event_id(at), at, occurrence.dataset, fields))
        self._arrived.set()

    def _log_line(self, occurrence: Occurrence) -> None:
        fields = occurrence.fields
        self._streams.log_security(
            occurrence.action.value,
            occurrence.address,
            level="error" if occurrence.severity.rank >= Severity.HIGH.rank else "warning",
            user=str(fields.get("user.id") or fields.get("device.id") or ""),
            outcome=str(fields["event.outcome"]),
            reason=occurrence.reason,
        )
        told = {name.replace(".", "_"): value for name, value in fields.items() if name not in UNLOGGED}
        self._log.warning("security_event_reported", **told)

    async def _publish(self) -> None:
        while not (self._is_stopping and not self._waiting):
            await self._arrived.wait()
            if self._is_bus_away and not self._is_stopping:
                await asyncio.sleep(TICK_SECONDS)  # one file for all that comes meanwhile
            self._arrived.clear()
            while self._waiting:
                await self._settle(self._next_batch())

    async def _settle(self, batch: list[Event]) -> None:
        try:
            if not self._is_bus_away:
                await self._publisher.publish(batch)
                return
        except BusUnavailable:
            self._is_bus_away = True
            self._log.warning("bus_unavailable", spool_bytes=self._spool.used_bytes)
        except asyncio.CancelledError:
            self._waiting.extendleft(reversed(batch))
            raise
        self._keep(batch)

    async def _sum_up(self) -> None:
        while True:
            await asyncio.sleep(TICK_SECONDS)
            for occurrence in self._aggregator.due(time.monotonic()):
                self._accept(occurrence)

    async def _empty_spool(self) -> None:
        while True:
            try:
                while self._is_bus_away and await self._try_spool():
                    pass
            except OSError as error:
                self._log.error("spool_failed", reason=error.strerror)
            await asyncio.sleep(RETRY_SECONDS)

    async def _try_spool(self) -> bool:
        """Publish what is on disk; tells whether to go on at once, for more has come meanwhile."""
        sent = await self._spool.drain_into(self._publisher)
        if self._spool.used_bytes == 0:
            self._is_bus_away = False  # or so it seems: the next batch will tell
            if sent:
                self._log.info("spool_emptied", events=sent)
        return sent > 0

    def _next_batch(self) -> list[Event]:
        return [self._waiting.popleft() for _ in range(min(BATCH_EVENTS, len(self._waiting)))]

    def _keep(self, batch: list[Event]) -> None:
        try:
            self._spool.put(batch)
        except SpoolFull:
            self._drop(batch, "spool_full")
        except OSError as error:
            self._log.error("spool_failed", reason=error.strerror)
            self._drop(batch, "spool_error")
        else:
            self._metrics.events_spooled_total.inc(len(batch))

    def _drop(self, batch: list[Event], reason: str) -> None:
        self._metrics.events_dropped_total.labels(reason).inc(len(batch))

    async def _drain(self, publishing: "asyncio.Task[None]") -> None:
        for occurrence in self._aggregator.due(math.inf):
            self._accept(occurrence)
        self._is_stopping = True
        self._arrived.set()
        await asyncio.wait({publishing}, timeout=DRAIN_SECONDS)
        publishing.cancel()
        await asyncio.gather(publishing, return_exceptions=True)
        while self._waiting:
            self._keep(self._next_batch())
