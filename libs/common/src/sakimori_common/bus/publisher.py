"""Gathers events into batches and publishes them, several at once."""

import asyncio
import time
import uuid
from collections import Counter
from collections.abc import Iterator, Sequence

from sakimori_common.bus.errors import BusUnavailable
from sakimori_common.bus.port import Bus, Message
from sakimori_common.bus.topology import Topic
from sakimori_common.contracts import EVENTS, SCHEMA_VERSION, Event
from sakimori_common.metrics import PublisherMetrics

BATCH_EVENTS = 200
LINGER_SECONDS = 0.005
"""200 events or 5 ms: beyond 130 KB a message RabbitMQ gains nothing more, and 5 ms is what a user cannot see."""
MAX_BODY_BYTES = 4 << 20
"""RabbitMQ 4 refuses messages of over 16 MiB, and 200 log lines of an attacker's making can be longer than that."""
IN_FLIGHT = 20
"""Batches that wait for their confirmation at once; one by one would cost a fifth of the rate."""


class EventPublisher:
    """Publish events in batches; `publish` returns when the bus has them safe.

    Concurrent callers share batches: whatever comes within the linger goes out as one message. When as many batches as
    may be in flight wait for confirmation, callers wait too: that is the back-pressure.
    """

    def __init__(self, bus: Bus, source: str, metrics: PublisherMetrics) -> None:
        self._bus = bus
        self._headers = {"schema": SCHEMA_VERSION, "source": source}
        self._metrics = metrics
        self._slots = asyncio.Semaphore(IN_FLIGHT)
        self._pending: list[Event] = []
        self._settled: asyncio.Future[None] | None = None
        self._linger: asyncio.TimerHandle | None = None
        self._tasks: set[asyncio.Task[None]] = set()

    async def publish(self, events: Sequence[Event]) -> None:
        """Publish events and wait for the confirmation. Raises BusUnavailable: publish the same again later."""
        if not events:
            return
        if len(events) <= BATCH_EVENTS:
            await asyncio.shield(self._add(events))  # single posts by the thousand: gathering costs as much again
            return
        waits = []
        for start in range(0, len(events), BATCH_EVENTS):
            waits.append(self._add(events[start : start + BATCH_EVENTS]))
        await asyncio.gather(*(asyncio.shield(wait) for wait in waits))

    def _add(self, events: Sequence[Event]) -> "asyncio.Future[None]":
        loop = asyncio.get_running_loop()
        if self._settled is None:
            self._settled = loop.create_future()
            self._settled.add_done_callback(_retrieve)
            self._linger = loop.call_later(LINGER_SECONDS, self._flush)
        settled = self._settled
        self._pending.extend(events)
        if len(self._pending) >= BATCH_EVENTS:
            self._flush()
        return settled

    def _flush(self) -> None:
        events, settled = self._pending, self._settled
        if self._linger is not None:
            self._linger.cancel()
        self._pending, self._settled, self._linger = [], None, None
        if settled is not None:
            task = asyncio.create_task(self._send(events, settled), name="publish-batch")
            self._tasks.add(task)
            task.add_done_callback(self._tasks.discard)

    async def _send(self, events: list[Event], settled: "asyncio.Future[None]") -> None:
        try:
            async with self._slots:
                started = time.perf_counter()
                await asyncio.gather(*(self._bus.publish(Topic.EVENTS, message) for message in self._messages(events)))
                self._metrics.publish_seconds.observe(time.perf_counter() - started)
        except Exception as error:  # noqa: BLE001  # whoever waits must learn of it, whatever it is
            self._metrics.publish_failures_total.inc()
            if not settled.done():
                settled.set_exception(error if isinstance(error, BusUnavailable) else BusUnavailable(repr(error)))
            return
        for dataset, count in Counter(event.dataset for event in events).items():
            self._metrics.events_published_total.labels(dataset).inc(count)
        if not settled.done():
            settled.set_result(None)

    def _messages(self, events: list[Event]) -> Iterator[Message]:
        """Make one message, or more where it would be too long."""
        body = EVENTS.encode(events)
        if len(body) <= MAX_BODY_BYTES or len(events) == 1:
            yield Message(str(uuid.uuid4()), body, self._headers)
            return
        middle = len(events) // 2
        yield from self._messages(events[:middle])
        yield from self._messages(events[middle:])

    async def drain(self) -> None:
        """Send what is pending and wait for what is in flight."""
        self._flush()
        while self._tasks:
            await asyncio.gather(*self._tasks, return_exceptions=True)


def _retrieve(settled: "asyncio.Future[None]") -> None:
    if not settled.cancelled():
        settled.exception()
