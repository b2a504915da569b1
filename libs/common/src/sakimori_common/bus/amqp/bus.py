"""The bus on RabbitMQ."""

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable, Mapping, Sequence
from contextlib import asynccontextmanager, suppress

from aiormq.abc import AbstractChannel, DeliveredMessage
from pamqp.commands import Basic

from sakimori_common.bus.amqp.connection import ConnectionLost, Link, NotAccepted, Session
from sakimori_common.bus.amqp.consumer import AmqpConsumer, AmqpWatcher
from sakimori_common.bus.amqp.letters import headers_of_the_dead, to_dead_letter, to_message
from sakimori_common.bus.errors import BusUnavailable
from sakimori_common.bus.port import Consumer, DeadLetter, Message, Subscription
from sakimori_common.bus.topology import Queue, Topic, dead_letters_of
from sakimori_common.metrics import ConsumerMetrics

_PAUSE_SECONDS = 0.1
"""Between two attempts to publish what the broker did not take."""


class AmqpBus:
    """Topics and queues on RabbitMQ, over two connections.

    Two, because a broker short of memory or disk stops reading from those who publish: acknowledgements, which would
    relieve it, must not wait behind publishes.
    """

    def __init__(self, publishing: Link, consuming: Link, publish_timeout_seconds: float) -> None:
        self._publishing = publishing
        self._consuming = consuming
        self._timeout_seconds = publish_timeout_seconds
        self._consumers: list[AmqpConsumer | AmqpWatcher] = []

    @classmethod
    async def connect(cls, url: str, *, service: str, publish_timeout_seconds: float = 10.0) -> "AmqpBus":
        """Connect and declare the topology. Raises BusUnavailable that says why it does not work."""
        publishing, consuming = Link(url, f"{service} publishes"), Link(url, f"{service} consumes")
        await publishing.open()
        try:
            await consuming.open()
        except BaseException:
            await publishing.close()
            raise
        return cls(publishing, consuming, publish_timeout_seconds)

    async def publish(self, topic: Topic, message: Message) -> None:
        """Publish until the broker confirms, over as many connections as it takes; the id stays the same."""
        await self._send(topic, str(topic), message, message.headers)

    async def _send(self, exchange: str, routing_key: str, message: Message, headers: Mapping[str, str]) -> None:
        reason = "no connection to the broker"
        try:
            async with asyncio.timeout(self._timeout_seconds):
                while True:
                    session = await self._publishing.session()
                    reason = "not confirmed"
                    try:
                        return await session.publish(exchange, routing_key, message.body, message.id, headers)
                    except ConnectionLost as error:
                        reason = str(error)
                        await self._publishing.discard(session)
                    except NotAccepted as error:
                        reason = str(error)
                        await asyncio.sleep(_PAUSE_SECONDS)
                        with suppress(ConnectionLost):
                            await session.declare()
        except TimeoutError:
            raise BusUnavailable(f"{reason} within {self._timeout_seconds:g} s") from None

    async def consume(self, subscription: Subscription, metrics: ConsumerMetrics | None = None) -> Consumer:
        """Compete for the messages of a queue; returns when deliveries have begun, or later will with the broker."""
        return await self._started(AmqpConsumer(self._consuming, self.bury, subscription, metrics))

    async def watch(self, topic: Topic, handler: Callable[[Message], Awaitable[None]]) -> Consumer:
        """See what is published once this has returned."""
        return await self._started(AmqpWatcher(self._consuming, topic, handler))

    async def _started(self, consumer: AmqpConsumer | AmqpWatcher) -> Consumer:
        self._consumers.append(consumer)
        with suppress(TimeoutError):
            async with asyncio.timeout(self._timeout_seconds):
                await consumer.intake.is_open.wait()
        return consumer

    async def bury(self, queue: Queue, message: Message, reason: str) -> None:
        """Publish to the dead letters with the reason; returns when the broker has it."""
        await self._send("", dead_letters_of(queue), message, headers_of_the_dead(message, reason))

    async def dead(self, queue: Queue, limit: int) -> list[DeadLetter]:
        """Take up to `limit` and give them back, which keeps their order."""
        letters: list[DeadLetter] = []
        async with self._asking() as (_, channel):
            while len(letters) < limit and (delivered := await _get(channel, dead_letters_of(queue))):
                letters.append(to_dead_letter(queue, delivered))
            await _give_back(channel)
        return letters

    async def revive(self, queue: Queue, ids: Sequence[str] | None, limit: int) -> int:
        """Take all that is wanted, then publish each to its queue and settle the dead one: twice rather than never.

        Taken first, for a message that dies again at once must not be revived for ever.
        """
        wanted = None if ids is None else set(ids)
        dead = dead_letters_of(queue)
        taken: list[tuple[int, Message]] = []
        async with self._asking() as (session, channel):
            while len(taken) < limit and (delivered := await _get(channel, dead)):
                message = to_message(delivered)
                if wanted is None or message.id in wanted:
                    taken.append((delivered.delivery_tag or 0, message))
            for tag, message in taken:
                await session.publish("", queue, message.body, message.id, message.headers)
                await channel.basic_ack(tag)
            await _give_back(channel)
        return len(taken)

    async def check(self) -> None:
        """Ask the broker for an exchange that must be there."""
        async with self._asking() as (_, channel):
            await channel.exchange_declare(Topic.EVENTS, passive=True)

    async def depth(self, queue: str) -> int:
        """Ask how many messages are ready, not counting those in consumers' hands."""
        async with self._asking() as (_, channel):
            return await _depth(channel, queue)

    @asynccontextmanager
    async def _asking(self) -> AsyncIterator[tuple[Session, AbstractChannel]]:
        """Open a channel for questions; whatever goes wrong is BusUnavailable."""
        try:
            async with asyncio.timeout(self._timeout_seconds):
                session = await self._publishing.session()
                async with session.channel() as channel:
                    yield session, channel
        except TimeoutError:
            raise BusUnavailable(f"no answer within {self._timeout_seconds:g} s") from None
        except (ConnectionLost, NotAccepted) as error:
            raise BusUnavailable(str(error)) from None

    async def close(self) -> None:
        """Close both connections; what consumers still held goes back to the queues."""
        await asyncio.gather(*(consumer.drain() for consumer in self._consumers), return_exceptions=True)
        await asyncio.gather(self._publishing.close(), self._consuming.close())


async def _get(channel: AbstractChannel, queue: str) -> DeliveredMessage | None:
    delivered = await channel.basic_get(queue)
    return None if isinstance(delivered.delivery, Basic.GetEmpty) else delivered


async def _give_back(channel: AbstractChannel) -> None:
    """Return all that was taken and not settled, before the answer: who asks next is to find it there."""
    await channel.basic_nack(0, multiple=True, requeue=True)


async def _depth(channel: AbstractChannel, queue: str) -> int:
    return int((await channel.queue_declare(queue, passive=True)).message_count or 0)
