"""What becomes of a delivered message, whichever broker delivered it: grouping, retries, dead letters, the fuse.

A consumer of either bus feeds a `Handling` with deliveries and does for it what only the broker's side can do: settle.
"""

import asyncio
import heapq
import itertools
import time
import traceback
from collections import deque
from collections.abc import Iterator, Sequence
from contextlib import suppress
from dataclasses import dataclass
from typing import Protocol

from sakimori_common.bus.errors import BusUnavailable, Halt, Reject, Retry, Unavailable
from sakimori_common.bus.port import Message, Subscription
from sakimori_common.contracts.wire import SCHEMA_VERSION
from sakimori_common.log import logger
from sakimori_common.metrics import ConsumerMetrics

DELIVERY_LIMIT_REASON = "delivery limit"
"""Why a message died that no handler ever returned from: whoever took it crashed or lost its connection each time."""
REASON_CHARACTERS = 500
"""Reasons travel in a header; longer ones are cut."""


@dataclass(slots=True, eq=False)
class Delivery:
    """A message in a consumer's hands. `tag` and `origin` are for the broker's side only.

    `redeliveries` is what the broker counted, `tries` what this consumer did.
    """

    message: Message
    redeliveries: int = 0
    tag: int = 0
    origin: object = None
    tries: int = 0


class Settlement(Protocol):
    """The broker's side of a consumer."""

    def is_held(self, delivery: Delivery) -> bool:
        """Tell whether the delivery is still ours: not settled, and the connection that it came by is up."""

    async def acknowledge(self, deliveries: Sequence[Delivery]) -> None:
        """Settle as done; does nothing for those that are not held any more."""

    async def bury(self, delivery: Delivery, reason: str) -> None:
        """Make safe in the dead letters, then settle. Raises BusUnavailable: it is still held, try again."""


class Handling:
    """Run the handler of a subscription over deliveries, one group at a time, in order of arrival.

    A message that is to be retried steps aside meanwhile. `offer` never blocks: the prefetch bounds what is held.
    """

    def __init__(self, subscription: Subscription, settlement: Settlement, metrics: ConsumerMetrics | None) -> None:
        self._subscription = subscription
        self._settlement = settlement
        self._metrics = metrics.of(subscription.queue) if metrics else None
        self._log = logger("bus").bind(queue=str(subscription.queue))
        self._inbox: deque[Delivery] = deque()
        self._aside: list[tuple[float, int, Delivery]] = []
        self._numbers = itertools.count()
        self._bugs = 0
        self._wake = asyncio.Event()
        self._is_draining = False
        self._failed: asyncio.Future[BaseException] = asyncio.get_running_loop().create_future()
        self._task = asyncio.create_task(self._run(), name=f"consume-{subscription.queue}")

    def offer(self, delivery: Delivery) -> None:
        """Take a delivery in."""
        self._inbox.append(delivery)
        self._wake.set()

    def fail(self, reason: BaseException) -> None:
        """Stop for a reason of the broker's side."""
        self.stop()
        if not self._failed.done():
            self._failed.set_result(reason)

    async def failure(self) -> BaseException:
        """Wait until the handling stopped by itself and return why."""
        return await asyncio.shield(self._failed)

    def stop(self) -> None:
        """Begin nothing more."""
        self._is_draining = True
        self._wake.set()

    async def drain(self) -> None:
        """Finish and settle what is being handled and begin nothing more. What is held then is for others."""
        self.stop()
        await asyncio.shield(asyncio.gather(self._task, return_exceptions=True))

    async def _run(self) -> None:
        try:
            while not self._is_draining:
                group = await self._next_group()
                if group:
                    await self._handle(await self._admitted(group))
        except Halt as reason:
            self._log.error("consumer_halted", reason=str(reason))
            self.fail(reason)
        except Exception as error:  # noqa: BLE001  # the consumer must not end without a word
            self._log.exception("consumer_failed")
            self.fail(error)

    async def _next_group(self) -> list[Delivery]:
        """Wait for a group; empty when there is nothing to do but look again (or drain)."""
        if self._aside and self._aside[0][0] <= time.monotonic():
            return [heapq.heappop(self._aside)[2]]
        if not self._inbox:
            await self._sleep(self._aside[0][0] if self._aside else None)
            return []
        size = self._subscription.group
        if len(self._inbox) < size and self._subscription.linger_seconds:
            deadline = time.monotonic() + self._subscription.linger_seconds
            while len(self._inbox) < size and time.monotonic() < deadline and not self._is_draining:
                await self._sleep(deadline)
            if self._is_draining:
                return []
        return [self._inbox.popleft() for _ in range(min(size, len(self._inbox)))]

    async def _sleep(self, until: float | None) -> None:
        """Sleep until something arrives, draining begins or the instant (of the monotonic clock) has come."""
        self._wake.clear()
        if self._is_draining:
            return
        with suppress(TimeoutError):
            async with asyncio.timeout(None if until is None else max(0.0, until - time.monotonic())):
                await self._wake.wait()

    async def _admitted(self, group: Sequence[Delivery]) -> list[Delivery]:
        """Leave out what is not held any more, and bury what need not be tried."""
        admitted = []
        for delivery in group:
            schema = delivery.message.headers.get("schema")
            if not self._settlement.is_held(delivery):
                continue
            if schema != SCHEMA_VERSION:
                said = "no header says the schema" if schema is None else f"schema {schema[:20]!r} is unknown"
                await self._bury(delivery, f"{said}; this version reads schema {SCHEMA_VERSION!r}")
            elif delivery.redeliveries >= self._subscription.delivery_limit:
                await self._bury(delivery, DELIVERY_LIMIT_REASON)
            else:
                admitted.append(delivery)
        return admitted

    async def _handle(self, group: Sequence[Delivery]) -> None:
        pauses = self._pauses()
        while held := [delivery for delivery in group if self._settlement.is_held(delivery)]:
            try:
                await self._call(held)
            except Halt:
                raise
            except Unavailable as error:
                if await self._is_draining_after(self._pause_for(error, pauses)):
                    return
            except Exception as error:  # noqa: BLE001  # sorted out below, one message at a time
                await self._settle_failures(held, error)
                return
            else:
                self._bugs = 0
                await self._settlement.acknowledge(held)
                return

    async def _settle_failures(self, held: Sequence[Delivery], error: Exception) -> None:
        if len(held) == 1:
            await self._settle_failure(held[0], error)
        else:
            for delivery in held:
                await self._handle([delivery])

    def _pause_for(self, error: Unavailable, pauses: Iterator[float]) -> float:
        if self._metrics:
            self._metrics.waits.inc()
        self._log.warning("dependency_unavailable", reason=str(error)[:REASON_CHARACTERS])
        return next(pauses)

    async def _call(self, held: Sequence[Delivery]) -> None:
        started = time.perf_counter()
        messages = [_numbered(delivery) for delivery in held]
        try:
            await self._subscription.handler(messages)
        finally:
            if self._metrics:
                self._metrics.seconds.observe(time.perf_counter() - started)
        if self._metrics:
            self._metrics.handled.inc(len(messages))

    async def _settle_failure(self, delivery: Delivery, error: Exception) -> None:
        if isinstance(error, Retry):
            self._bugs = 0
            await self._step_aside(delivery, error)
        elif isinstance(error, Reject):
            self._bugs = 0
            await self._bury(delivery, str(error) or "rejected without a reason")
        else:
            await self._settle_bug(delivery, error)

    async def _settle_bug(self, delivery: Delivery, error: Exception) -> None:
        frame = traceback.extract_tb(error.__traceback__)[-1]
        place = f"{frame.filename.rpartition('/')[2]}:{frame.lineno} {frame.name}"
        self._log.error("handler_failed", kind=type(error).__name__, place=place, message_id=delivery.message.id)
        await self._bury(delivery, f"{type(error).__name__} at {place}: {error}")
        self._bugs += 1
        if self._bugs >= self._subscription.fuse:
            raise Halt(f"{self._bugs} messages in a row met a bug, the last one {type(error).__name__} at {place}")

    async def _step_aside(self, delivery: Delivery, error: Retry) -> None:
        delivery.tries += 1
        attempts = delivery.redeliveries + delivery.tries
        if attempts >= self._subscription.delivery_limit:
            await self._bury(delivery, f"{error} (given up after {attempts} attempts)")
            return
        if self._metrics:
            self._metrics.retried.inc()
        pause = next(itertools.islice(self._pauses(), delivery.tries - 1, None))
        heapq.heappush(self._aside, (time.monotonic() + pause, next(self._numbers), delivery))

    async def _bury(self, delivery: Delivery, reason: str) -> None:
        pauses = self._pauses()
        while self._settlement.is_held(delivery):
            try:
                await self._settlement.bury(delivery, reason[:REASON_CHARACTERS])
            except BusUnavailable:
                if await self._is_draining_after(next(pauses)):
                    return
            else:
                if self._metrics:
                    self._metrics.dead.inc()
                self._log.warning("message_died", message_id=delivery.message.id)
                return

    async def _is_draining_after(self, pause_seconds: float) -> bool:
        """Wait, but not longer than until draining begins."""
        deadline = time.monotonic() + pause_seconds
        while not self._is_draining and time.monotonic() < deadline:
            await self._sleep(deadline)
        return self._is_draining

    def _pauses(self) -> Iterator[float]:
        """Back off: `retry_seconds`, doubling, at most `retry_limit_seconds`."""
        first, limit = self._subscription.retry_seconds, self._subscription.retry_limit_seconds
        doubling = itertools.takewhile(lambda pause: pause < limit, (first * 2.0**n for n in itertools.count()))
        return itertools.chain(doubling, itertools.repeat(limit))


def _numbered(delivery: Delivery) -> Message:
    attempt = delivery.redeliveries + delivery.tries + 1
    message = delivery.message
    return message if message.attempt == attempt else Message(message.id, message.body, message.headers, attempt)
