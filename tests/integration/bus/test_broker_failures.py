"""What happens on RabbitMQ when the broker or a consumer dies: nothing is lost, and what is doubled has the same id."""

import asyncio
import time
from collections.abc import AsyncIterator, Awaitable, Sequence
from contextlib import AsyncExitStack

import aiormq
import pytest

from sakimori_common.bus import (
    BusUnavailable,
    Message,
    Queue,
    Reject,
    Retry,
    Subscription,
    Topic,
    Unavailable,
    dead_letters_of,
)
from sakimori_common.bus.amqp import AmqpBus
from sakimori_common.bus.amqp.declarations import BROKER_DELIVERY_LIMIT
from servers.eventually import eventually
from servers.rabbitmq import RabbitMQ

HEADERS = {"schema": "1", "source": "tests"}


@pytest.fixture
async def buses(rabbitmq_url: str) -> AsyncIterator[tuple[AmqpBus, AmqpBus]]:
    """A publisher's and a consumer's bus, as two services have them."""
    async with AsyncExitStack() as stack:
        opened = []
        for name in ("publisher", "consumer"):
            bus = await AmqpBus.connect(rabbitmq_url, service=name, publish_timeout_seconds=60)
            stack.push_async_callback(bus.close)
            opened.append(bus)
        yield opened[0], opened[1]


async def _is(answer: Awaitable[int], expected: int) -> bool:
    return await answer == expected


@pytest.mark.timeout(180)
async def test_nothing_is_lost_when_the_broker_is_killed_under_load(
    rabbitmq: RabbitMQ, buses: tuple[AmqpBus, AmqpBus]
) -> None:
    publisher, consumer = buses
    confirmed: set[str] = set()
    handled: list[str] = []
    watched: list[str] = []
    enough = asyncio.Event()

    async def handle(messages: Sequence[Message]) -> None:
        await asyncio.sleep(0.002)
        handled.extend(each.id for each in messages)

    async def see(message: Message) -> None:
        watched.append(message.id)

    async def publish(lane: int) -> None:
        number = 0
        while not enough.is_set():
            name = f"{lane}-{number}"
            await publisher.publish(Topic.FINDINGS, Message(name, b"x" * 2_000, HEADERS))
            confirmed.add(name)
            number += 1

    await consumer.consume(Subscription(Queue.NOTIFY, handle, group=5, linger_seconds=0.005))
    await consumer.watch(Topic.FINDINGS, see)
    lanes = [asyncio.create_task(publish(lane)) for lane in range(10)]
    await eventually(lambda: len(handled) > 200)
    await asyncio.to_thread(rabbitmq.kill)
    before = len(confirmed)
    await asyncio.to_thread(rabbitmq.start)
    await eventually(lambda: len(confirmed) > before + 200, 60)
    enough.set()
    await asyncio.gather(*lanes)
    await eventually(lambda: confirmed <= set(handled), 60)
    await eventually(lambda: _is(consumer.depth(Queue.NOTIFY), 0))
    assert await consumer.dead(Queue.NOTIFY, 1) == []
    seen = len(watched)
    await publisher.publish(Topic.FINDINGS, Message("after", b"x", HEADERS))
    await eventually(lambda: "after" in watched[seen:])


async def test_publishing_without_a_broker_fails_in_time(rabbitmq: RabbitMQ, rabbitmq_url: str) -> None:
    bus = await AmqpBus.connect(rabbitmq_url, service="tests", publish_timeout_seconds=0.5)
    try:
        await asyncio.to_thread(rabbitmq.kill)
        started = time.monotonic()
        for question in (
            bus.publish(Topic.EVENTS, Message("one", b"x", HEADERS)),
            bus.check(),
            bus.depth(Queue.STORE),
            bus.dead(Queue.STORE, 1),
        ):
            with pytest.raises(BusUnavailable):
                await question
        assert time.monotonic() - started < 4
        await asyncio.to_thread(rabbitmq.start)
        await eventually(lambda: _answers(bus), 30)
        await bus.publish(Topic.EVENTS, Message("one", b"x", HEADERS))
    finally:
        await bus.close()


async def _answers(bus: AmqpBus) -> bool:
    try:
        await bus.check()
    except BusUnavailable:
        return False
    return True


@pytest.mark.parametrize(
    ("url", "reason"),
    [
        ("amqp://guest:guest@127.0.0.1:1/", "RabbitMQ at 127.0.0.1:1: "),
        ("amqp://guest:wrong-password@{host}/", "RabbitMQ at 127.0.0.1:"),
        ("amqp://{netloc}/no-such-vhost", "RabbitMQ at 127.0.0.1:"),
    ],
)
async def test_a_broker_that_cannot_be_used_is_named_without_its_password(
    rabbitmq: RabbitMQ, url: str, reason: str
) -> None:
    filled = url.format(netloc=rabbitmq.netloc, host=rabbitmq.netloc.rpartition("@")[2])
    with pytest.raises(BusUnavailable) as failure:
        await AmqpBus.connect(filled, service="tests")
    assert str(failure.value).startswith(reason)
    assert "password" not in str(failure.value)


async def test_a_message_of_a_consumer_that_died_goes_back(rabbitmq_url: str, buses: tuple[AmqpBus, AmqpBus]) -> None:
    publisher, consumer = buses
    await publisher.publish(Topic.FINDINGS, Message("one", b"x", HEADERS))
    await _take_and_die(rabbitmq_url, Queue.NOTIFY)
    handled: list[Message] = []

    async def handle(messages: Sequence[Message]) -> None:
        handled.extend(messages)

    await consumer.consume(Subscription(Queue.NOTIFY, handle))
    await eventually(lambda: handled)
    assert (handled[0].id, handled[0].attempt) == ("one", 2)


async def test_a_message_that_kills_its_consumers_is_dead_beyond_the_limit(
    rabbitmq_url: str, buses: tuple[AmqpBus, AmqpBus]
) -> None:
    publisher, consumer = buses
    await publisher.publish(Topic.FINDINGS, Message("poison", b"x", HEADERS))
    for _ in range(3):
        await _take_and_die(rabbitmq_url, Queue.NOTIFY)
    handled: list[str] = []

    async def handle(messages: Sequence[Message]) -> None:
        handled.extend(each.id for each in messages)

    await consumer.consume(Subscription(Queue.NOTIFY, handle, delivery_limit=3))
    (letter,) = await eventually(lambda: consumer.dead(Queue.NOTIFY, 2))
    assert (letter.message, letter.reason) == (Message("poison", b"x", HEADERS), "delivery limit")
    assert handled == []


async def test_the_broker_itself_buries_what_nobody_survives(rabbitmq_url: str, buses: tuple[AmqpBus, AmqpBus]) -> None:
    publisher, _ = buses
    await publisher.publish(Topic.FINDINGS, Message("poison", b"x", HEADERS))
    for _ in range(BROKER_DELIVERY_LIMIT + 1):
        await _take_and_die(rabbitmq_url, Queue.NOTIFY)
    (letter,) = await eventually(lambda: publisher.dead(Queue.NOTIFY, 2))
    assert (letter.message.id, letter.reason) == ("poison", "delivery limit")
    assert letter.died_at.endswith("Z")
    assert await publisher.revive(Queue.NOTIFY, None, 1) == 1
    await eventually(lambda: _is(publisher.depth(Queue.NOTIFY), 1))


async def _take_and_die(url: str, queue: Queue) -> None:
    """Take one message and vanish without a word, as a process that is killed does."""
    taken = asyncio.Event()

    async def take(_: object) -> None:
        taken.set()

    connection = await aiormq.connect(url)
    channel = await connection.channel()
    await channel.basic_qos(prefetch_count=1)
    await channel.basic_consume(queue, take)
    await asyncio.wait_for(taken.wait(), 10)
    await connection.close()


async def test_dead_letters_survive_any_number_of_looks(buses: tuple[AmqpBus, AmqpBus]) -> None:
    """RabbitMQ 4 would drop them after the twentieth, but for the limit that is declared."""
    bus, _ = buses
    await bus.bury(Queue.NOTIFY, Message("one", b"x", HEADERS), "reason")
    for _ in range(30):
        assert len(await bus.dead(Queue.NOTIFY, 5)) == 1


async def test_a_topology_that_was_deleted_is_declared_again(rabbitmq_url: str, buses: tuple[AmqpBus, AmqpBus]) -> None:
    publisher, consumer = buses
    handled: list[str] = []

    async def handle(messages: Sequence[Message]) -> None:
        handled.extend(each.id for each in messages)

    await consumer.consume(Subscription(Queue.NOTIFY, handle))
    async with aiormq.connect(rabbitmq_url) as connection:
        channel = await connection.channel()
        await channel.queue_delete(Queue.NOTIFY)
        await publisher.publish(Topic.FINDINGS, Message("queue was gone", b"x", HEADERS))
        await channel.exchange_delete(Topic.FINDINGS)
        await publisher.publish(Topic.FINDINGS, Message("exchange was gone", b"x", HEADERS))
    await eventually(lambda: handled == ["queue was gone", "exchange was gone"])


async def test_acknowledgements_around_a_message_put_aside_settle_the_right_ones(
    buses: tuple[AmqpBus, AmqpBus],
) -> None:
    """A multiple acknowledgement must not reach over a message that waits for its retry."""
    publisher, consumer = buses
    handled: list[str] = []

    async def handle(messages: Sequence[Message]) -> None:
        for each in messages:
            handled.append(each.id)
            if each.id == "03":
                raise Retry("later")

    first = await consumer.consume(Subscription(Queue.NOTIFY, handle, group=4, linger_seconds=0.1, retry_seconds=60))
    await asyncio.gather(
        *(publisher.publish(Topic.FINDINGS, Message(f"{number:02}", b"x", HEADERS)) for number in range(12))
    )
    await eventually(lambda: "11" in handled)
    await first.drain()
    again: list[str] = []

    async def handle_again(messages: Sequence[Message]) -> None:
        again.extend(each.id for each in messages)

    await consumer.consume(Subscription(Queue.NOTIFY, handle_again))
    await publisher.publish(Topic.FINDINGS, Message("last", b"x", HEADERS))
    await eventually(lambda: "last" in again)
    assert again == ["03", "last"]


@pytest.mark.timeout(180)
async def test_what_was_held_is_handled_once_more_after_the_broker_came_back(
    rabbitmq: RabbitMQ, buses: tuple[AmqpBus, AmqpBus]
) -> None:
    """Messages put aside, waiting or buried while the broker dies are neither lost nor handled from stale copies."""
    publisher, consumer = buses
    handled: list[str] = []
    is_back = False

    async def handle(messages: Sequence[Message]) -> None:
        for each in messages:
            if not is_back:
                raise Unavailable("PostgreSQL is away") if each.id == "waits" else Reject("never")
            handled.append(each.id)

    await publisher.publish(Topic.FINDINGS, Message("waits", b"x", HEADERS))
    await publisher.publish(Topic.FINDINGS, Message("behind", b"x", HEADERS))
    await consumer.consume(Subscription(Queue.NOTIFY, handle, retry_limit_seconds=0.2))
    await eventually(lambda: _is(consumer.depth(Queue.NOTIFY), 0))
    await asyncio.to_thread(rabbitmq.kill)
    await asyncio.to_thread(rabbitmq.start)
    is_back = True
    await eventually(lambda: sorted(handled) == ["behind", "waits"], 60)
    await eventually(lambda: _is(consumer.depth(Queue.NOTIFY), 0))
    assert await consumer.depth(dead_letters_of(Queue.NOTIFY)) == 0
