"""A bus that publishes, or does not, as the test says; for whoever publishes. Consumers are tested on MemoryBus."""

import asyncio
from collections.abc import Awaitable, Callable, Sequence

from sakimori_common.bus import (
    BusUnavailable,
    Consumer,
    DeadLetter,
    Message,
    Queue,
    Subscription,
    Topic,
)
from sakimori_common.bus.memory import MemoryBus
from sakimori_common.metrics import ConsumerMetrics


class RecordingBus:
    """Remember what was published. `fails` takes the bus away; while `gate` is cleared confirmations do not come."""

    def __init__(self) -> None:
        self.published: list[tuple[Topic, Message]] = []
        self.fails = False
        self.gate = asyncio.Event()
        self.gate.set()
        self.in_flight = 0
        self._memory = MemoryBus()

    async def publish(self, topic: Topic, message: Message) -> None:
        """Record, and wait for the gate. Raises BusUnavailable when `fails`."""
        self.in_flight += 1
        try:
            await self.gate.wait()
        finally:
            self.in_flight -= 1
        if self.fails:
            raise BusUnavailable("not confirmed within 0 s")
        self.published.append((topic, message))

    async def consume(self, subscription: Subscription, metrics: ConsumerMetrics | None = None) -> Consumer:
        """Consume from queues that stay empty but for what is revived."""
        return await self._memory.consume(subscription, metrics)

    async def watch(self, topic: Topic, handler: Callable[[Message], Awaitable[None]]) -> Consumer:
        """Watch a topic on which nothing comes."""
        return await self._memory.watch(topic, handler)

    async def bury(self, queue: Queue, message: Message, reason: str) -> None:
        """Bury as MemoryBus does."""
        await self._memory.bury(queue, message, reason)

    async def dead(self, queue: Queue, limit: int) -> list[DeadLetter]:
        """List what was buried."""
        return await self._memory.dead(queue, limit)

    async def revive(self, queue: Queue, ids: Sequence[str] | None, limit: int) -> int:
        """Revive as MemoryBus does."""
        return await self._memory.revive(queue, ids, limit)

    async def check(self) -> None:
        """Raise BusUnavailable when `fails`."""
        if self.fails:
            raise BusUnavailable("no answer within 0 s")

    async def depth(self, queue: str) -> int:
        """Count as MemoryBus does."""
        return await self._memory.depth(queue)

    async def close(self) -> None:
        """Close the bus beneath."""
        await self._memory.close()
