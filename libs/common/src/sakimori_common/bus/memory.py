"""The bus inside one process: for `make run`, for development and for unit tests of services."""

import asyncio
import contextvars
from collections import deque
from collections.abc import Awaitable, Callable, Sequence
from contextlib import suppress
from dataclasses import dataclass, field, replace

from sakimori_common.bus.errors import BusUnavailable
from sakimori_common.bus.handling import Delivery, Handling
from sakimori_common.bus.port import Consumer, DeadLetter, Handler, Message, Subscription
from sakimori_common.bus.topology import QUEUES, Queue, Topic, dead_letters_of
from sakimori_common.bus.watching import Watcher
from sakimori_common.instants import now_text
from sakimori_common.metrics import ConsumerMetrics

CAPACITY = 1_000
"""Messages (batches) that wait in a queue before publishers wait too."""
NESTED_CAPACITY = 10_000
"""The same for publishers inside handlers: they wait less, for they hold up a queue of their own meanwhile."""

FINISH_SECONDS = 5.0
"""How long the last consumer of a queue goes on with what handlers published, when it is to drain."""

_is_handling: contextvars.ContextVar[bool] = contextvars.ContextVar("sakimori_bus_is_handling", default=False)


@dataclass(slots=True, eq=False)
class _Entry:
    """A message in a queue. `is_awaited`: its publisher waits for it, and would publish it again."""

    message: Message
    settled: asyncio.Future[None]
    is_awaited: bool = True
    redeliveries: int = 0


@dataclass(slots=True)
class _MemoryQueue:
    """One consumer group. An id that waits here already is not queued twice: its publisher gave up and tries again."""

    name: Queue
    waiting: deque[_Entry] = field(default_factory=deque)
    unsettled: dict[str, _Entry] = field(default_factory=dict)
    dead: dict[str, DeadLetter] = field(default_factory=dict)
    consumers: list["_MemoryConsumer"] = field(default_factory=list)
    room: asyncio.Condition = field(default_factory=asyncio.Condition)

    async def put(self, message: Message, capacity: int, *, is_awaited: bool = True) -> asyncio.Future[None]:
        """Queue a message as soon as there is room; returns what is done when it is settled."""
        known = self.unsettled.get(message.id)
        if known is None:
            async with self.room:
                await self.room.wait_for(lambda: len(self.waiting) < capacity)
            known = self.unsettled.get(message.id) or self._append(message, is_awaited)
        return known.settled

    def _append(self, message: Message, is_awaited: bool) -> _Entry:
        entry = _Entry(message, asyncio.get_running_loop().create_future(), is_awaited)
        self.unsettled[message.id] = entry
        self.waiting.append(entry)
        self.deal()
        return entry

    def deal(self) -> None:
        """Hand what waits to the consumers that have room, in turn."""
        while self.waiting:
            consumer = max(self.consumers, key=lambda each: each.room_left, default=None)
            if consumer is None or consumer.room_left <= 0:
                return
            consumer.take(self.waiting.popleft())

    async def settle(self, entry: _Entry) -> None:
        """Forget a message and tell its publisher."""
        if self.unsettled.get(entry.message.id) is entry:
            del self.unsettled[entry.message.id]
        if not entry.settled.done():
            entry.settled.set_result(None)
        self.deal()
        await self.make_room()

    async def finish_unawaited(self, timeout_seconds: float) -> None:
        """Wait until what handlers published is settled too: with the last consumer it would be gone."""
        with suppress(TimeoutError):
            async with asyncio.timeout(timeout_seconds), self.room:
                await self.room.wait_for(lambda: all(entry.is_awaited for entry in self.unsettled.values()))

    async def make_room(self) -> None:
        """Wake the publishers that wait for room."""
        async with self.room:
            self.room.notify_all()

    def give_back(self, entries: Sequence[_Entry]) -> None:
        """Put messages back where they were: at the front, in order."""
        self.waiting.extendleft(reversed(entries))
        self.deal()


class _MemoryConsumer:
    """Consumer and Settlement of one subscription."""

    def __init__(self, queue: _MemoryQueue, subscription: Subscription, metrics: ConsumerMetrics | None) -> None:
        self._queue = queue
        self._prefetch = max(subscription.prefetch, subscription.group)
        self._held: dict[_Entry, Delivery] = {}
        self._handling = Handling(_marked(subscription), self, metrics)
        self._watch = asyncio.create_task(self._leave_after_failure(), name=f"failure-of-{subscription.queue}")

    @property
    def room_left(self) -> int:
        """How many messages more this consumer may hold."""
        return self._prefetch - len(self._held)

    def take(self, entry: _Entry) -> None:
        """Hold a message and have it handled."""
        delivery = Delivery(entry.message, entry.redeliveries, origin=entry)
        self._held[entry] = delivery
        self._handling.offer(delivery)

    def is_held(self, delivery: Delivery) -> bool:
        """Tell whether it is neither settled nor given back."""
        return delivery.origin in self._held

    async def acknowledge(self, deliveries: Sequence[Delivery]) -> None:
        """Tell the publishers that it is done."""
        for delivery in deliveries:
            entry = delivery.origin
            if isinstance(entry, _Entry) and entry in self._held:
                del self._held[entry]
                await self._queue.settle(entry)

    async def bury(self, delivery: Delivery, reason: str) -> None:
        """Keep it among the dead letters; its publisher is done with it."""
        message = delivery.message
        self._queue.dead[message.id] = DeadLetter(message, self._queue.name, reason, now_text())
        await self.acknowledge([delivery])

    async def failure(self) -> BaseException:
        """Wait for a halt or a blown fuse."""
        return await self._handling.failure()

    async def drain(self) -> None:
        """Finish what is being handled; what is held goes back to the front of the queue."""
        if self._queue.consumers == [self]:
            await self._queue.finish_unawaited(FINISH_SECONDS)
        self._leave()
        await self._handling.drain()
        self._give_back()
        self._watch.cancel()

    async def _leave_after_failure(self) -> None:
        await self._handling.failure()
        self._leave()
        self._give_back()

    def _leave(self) -> None:
        with suppress(ValueError):
            self._queue.consumers.remove(self)

    def _give_back(self) -> None:
        entries = list(self._held)
        for entry, delivery in self._held.items():
            entry.redeliveries += delivery.tries
        self._held.clear()
        self._queue.give_back(entries)


class MemoryBus:
    """Topics and queues in this process. What is in it ends with the process, so `publish` waits for the handlers."""

    def __init__(self, *, publish_timeout_seconds: float = 10.0, capacity: int = CAPACITY) -> None:
        self._publish_timeout_seconds = publish_timeout_seconds
        self._capacity = capacity
        self._queues = {queue: _MemoryQueue(queue) for queue in QUEUES}
        self._watchers: dict[Topic, list[Watcher]] = {topic: [] for topic in Topic}

    async def publish(self, topic: Topic, message: Message) -> None:
        """Queue a message and wait until every consumer group settled it. Copies go to watchers at once."""
        for watcher in self._watchers[topic]:
            watcher.offer(message)
        is_nested = _is_handling.get()
        capacity = max(self._capacity, NESTED_CAPACITY) if is_nested else self._capacity
        queues = [queue for name, queue in self._queues.items() if QUEUES[name] is topic]
        try:
            async with asyncio.timeout(self._publish_timeout_seconds):
                settled = await asyncio.gather(
                    *(queue.put(message, capacity, is_awaited=not is_nested) for queue in queues)
                )
                if not is_nested:
                    await asyncio.gather(*map(asyncio.shield, settled))
        except TimeoutError:
            raise BusUnavailable(
                f"{topic}: not settled by every consumer within {self._publish_timeout_seconds:g} s"
            ) from None

    async def consume(self, subscription: Subscription, metrics: ConsumerMetrics | None = None) -> Consumer:
        """Compete for the messages of a queue."""
        queue = self._queues[subscription.queue]
        consumer = _MemoryConsumer(queue, subscription, metrics)
        queue.consumers.append(consumer)
        queue.deal()
        return consumer

    async def watch(self, topic: Topic, handler: Callable[[Message], Awaitable[None]]) -> Consumer:
        """See what is published from now on."""
        watchers = self._watchers[topic]
        watcher = Watcher(topic, handler, on_drain=lambda: watchers.remove(watcher))
        watchers.append(watcher)
        return watcher

    async def bury(self, queue: Queue, message: Message, reason: str) -> None:
        """Keep a message among the dead letters."""
        self._queues[queue].dead[message.id] = DeadLetter(message, queue, reason, now_text())

    async def dead(self, queue: Queue, limit: int) -> list[DeadLetter]:
        """List dead letters, oldest first."""
        return list(self._queues[queue].dead.values())[:limit]

    async def revive(self, queue: Queue, ids: Sequence[str] | None, limit: int) -> int:
        """Queue dead letters again."""
        target = self._queues[queue]
        chosen = [each for each in target.dead if ids is None or each in ids][:limit]
        for each in chosen:
            await target.put(target.dead[each].message, NESTED_CAPACITY)
            del target.dead[each]
        return len(chosen)

    async def check(self) -> None:
        """Return: the bus is as alive as the process."""

    async def depth(self, queue: str) -> int:
        """Count what waits."""
        for name, each in self._queues.items():
            if queue == name:
                return len(each.waiting)
            if queue == dead_letters_of(name):
                return len(each.dead)
        raise BusUnavailable(f"there is no queue {queue}")

    async def close(self) -> None:
        """Drain whoever still consumes or watches."""
        for queue in self._queues.values():
            for consumer in list(queue.consumers):
                await consumer.drain()
        for watchers in self._watchers.values():
            for watcher in list(watchers):
                await watcher.drain()


def _marked(subscription: Subscription) -> Subscription:
    """Let `publish` know when it is called from inside a handler."""
    handler: Handler = subscription.handler

    async def _handle(messages: Sequence[Message]) -> None:
        token = _is_handling.set(True)
        try:
            await handler(messages)
        finally:
            _is_handling.reset(token)

    return replace(subscription, handler=_handle)
