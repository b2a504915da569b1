"""A consumer of a queue and a watcher of a topic, each on a channel that is opened again with every session."""

import asyncio
from collections.abc import Awaitable, Callable, Sequence
from contextlib import suppress

from aiormq.abc import AbstractChannel, DeliveredMessage
from aiormq.exceptions import ChannelInvalidStateError
from pamqp.common import FieldTable

from sakimori_common.bus.amqp.connection import ConnectionLost, Link, Session, losses
from sakimori_common.bus.amqp.letters import redeliveries_of, to_message
from sakimori_common.bus.handling import Delivery, Handling
from sakimori_common.bus.port import Message, Subscription
from sakimori_common.bus.topology import Queue, Topic
from sakimori_common.bus.watching import BACKLOG, Watcher
from sakimori_common.metrics import ConsumerMetrics

PAUSE_SECONDS = 0.2
"""Between two attempts to consume on a session that refuses it."""

Bury = Callable[[Queue, Message, str], Awaitable[None]]


class Intake:
    """Open a channel on every session and let `open` consume on it, until `close`."""

    def __init__(self, link: Link, open: Callable[[AbstractChannel], Awaitable[None]], name: str) -> None:
        self._link = link
        self._open = open
        self.is_open = asyncio.Event()
        self._stop = asyncio.Event()
        self._task = asyncio.create_task(self._keep(), name=name)

    async def close(self) -> None:
        """Close the channel: what was delivered on it and is not settled goes back to its queue."""
        self._stop.set()
        self._task.cancel() if not self.is_open.is_set() else None
        await asyncio.gather(self._task, return_exceptions=True)

    async def _keep(self) -> None:
        while not self._stop.is_set():
            session = await self._link.session()
            with suppress(ConnectionLost):
                await self._run(session)
            self.is_open.clear()
            if not self._stop.is_set():
                await asyncio.sleep(PAUSE_SECONDS)

    async def _run(self, session: Session) -> None:
        async with session.channel() as channel:
            channel.on_consumer_cancel_callbacks.add(lambda _: self._abandon(channel))
            await self._open(channel)
            self.is_open.set()
            stop = asyncio.create_task(self._stop.wait())
            try:
                await asyncio.wait({stop, asyncio.ensure_future(channel.closing)}, return_when=asyncio.FIRST_COMPLETED)
            finally:
                stop.cancel()

    async def _abandon(self, channel: AbstractChannel) -> None:
        """Start anew when the broker ended the consumer (its queue was deleted, its node left)."""
        asyncio.get_running_loop().call_soon(lambda: asyncio.ensure_future(channel.close()))


class AmqpConsumer:
    """Consumer and Settlement of one subscription."""

    def __init__(self, link: Link, bury: Bury, subscription: Subscription, metrics: ConsumerMetrics | None) -> None:
        self._subscription = subscription
        self._bury = bury
        self._channel: AbstractChannel | None = None
        self._tag: str | None = None
        self._held: dict[int, Delivery] = {}
        self._handling = Handling(subscription, self, metrics)
        self.intake = Intake(link, self._open, f"intake-{subscription.queue}")
        self._watch = asyncio.create_task(self._leave_after_failure(), name=f"failure-of-{subscription.queue}")

    async def _open(self, channel: AbstractChannel) -> None:
        """Consume on a fresh channel. What was held on the one before is not ours any more: it will come again."""
        self._channel, self._tag, self._held = channel, None, {}
        await channel.basic_qos(prefetch_count=max(self._subscription.prefetch, self._subscription.group))
        result = await channel.basic_consume(self._subscription.queue, self._take)
        self._tag = result.consumer_tag

    async def _take(self, delivered: DeliveredMessage) -> None:
        tag = delivered.delivery_tag
        if tag is None or delivered.channel is not self._channel:
            return
        delivery = Delivery(to_message(delivered), redeliveries_of(delivered), tag, delivered.channel)
        self._held[tag] = delivery
        self._handling.offer(delivery)

    def is_held(self, delivery: Delivery) -> bool:
        """Tell whether it is unsettled and its channel open."""
        return self._held.get(delivery.tag) is delivery and self._channel is not None and not self._channel.is_closed

    async def acknowledge(self, deliveries: Sequence[Delivery]) -> None:
        """Settle with one frame where nothing unsettled lies below the highest tag, with one each otherwise."""
        channel = self._channel
        tags = sorted(delivery.tag for delivery in deliveries if self.is_held(delivery))
        for tag in tags:
            del self._held[tag]
        if not tags or channel is None:
            return
        with suppress(ChannelInvalidStateError):  # it will be delivered again
            if min(self._held, default=tags[-1] + 1) > tags[-1]:
                await channel.basic_ack(tags[-1], multiple=True, wait=False)
            else:
                for tag in tags:
                    await channel.basic_ack(tag, wait=False)

    async def bury(self, delivery: Delivery, reason: str) -> None:
        """Publish to the dead letters, wait for the confirmation, then settle: a crash between leaves two, not none."""
        await self._bury(self._subscription.queue, delivery.message, reason)
        await self.acknowledge([delivery])

    async def failure(self) -> BaseException:
        """Wait for a halt or a blown fuse."""
        return await self._handling.failure()

    async def drain(self) -> None:
        """Stop consuming, finish what is being handled, give the rest back by closing the channel."""
        self._handling.stop()
        await self._stop_deliveries()
        await self._handling.drain()
        await self.intake.close()
        self._watch.cancel()

    async def _stop_deliveries(self) -> None:
        if self._channel is not None and self._tag is not None and not self._channel.is_closed:
            with suppress(ConnectionLost):
                async with losses():
                    await self._channel.basic_cancel(self._tag)

    async def _leave_after_failure(self) -> None:
        await self._handling.failure()
        await self.intake.close()


class AmqpWatcher:
    """A queue of its own for as long as it is connected, handed to a `Watcher`."""

    def __init__(self, link: Link, topic: Topic, handler: Callable[[Message], Awaitable[None]]) -> None:
        self._topic = topic
        self._watcher = Watcher(topic, handler, on_drain=lambda: None)
        self.intake = Intake(link, self._open, f"intake-{topic}")

    async def _open(self, channel: AbstractChannel) -> None:
        arguments: FieldTable = {"x-max-length": BACKLOG, "x-overflow": "drop-head"}
        declared = await channel.queue_declare(exclusive=True, auto_delete=True, arguments=arguments)
        queue = str(declared.queue)
        await channel.queue_bind(queue, self._topic, routing_key="#")
        await channel.basic_consume(queue, self._take, no_ack=True)

    async def _take(self, delivered: DeliveredMessage) -> None:
        self._watcher.offer(to_message(delivered))

    async def failure(self) -> BaseException:
        """Never returns: a watcher does not stop by itself."""
        return await self._watcher.failure()

    async def drain(self) -> None:
        """Stop watching; its queue goes with the channel."""
        await self.intake.close()
        await self._watcher.drain()
