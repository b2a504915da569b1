"""What only the bus in memory does: publishers wait for handlers, and for room."""

import asyncio
from collections.abc import Sequence

import pytest

from sakimori_common.bus import BusUnavailable, Message, Queue, Subscription, Topic, Unavailable, open_bus
from sakimori_common.bus.memory import MemoryBus
from servers.eventually import eventually

HEADERS = {"schema": "1", "source": "tests"}


async def nothing(_: Sequence[Message]) -> None:
    pass


async def test_publish_waits_for_every_consumer_group() -> None:
    bus = MemoryBus()
    gate = asyncio.Event()

    async def slow(_: Sequence[Message]) -> None:
        await gate.wait()

    await bus.consume(Subscription(Queue.STORE, slow))
    await bus.consume(Subscription(Queue.DETECT, nothing))
    publishing = asyncio.create_task(bus.publish(Topic.EVENTS, Message("one", b"", HEADERS)))
    for _ in range(20):
        await asyncio.sleep(0)
    assert not publishing.done()
    gate.set()
    await publishing
    await bus.close()


async def test_publish_without_a_consumer_fails_in_time_and_the_message_stays() -> None:
    bus = MemoryBus(publish_timeout_seconds=0.01)
    handled: list[str] = []

    async def handle(messages: Sequence[Message]) -> None:
        handled.extend(each.id for each in messages)

    with pytest.raises(BusUnavailable, match=r"sakimori\.findings: not settled"):
        await bus.publish(Topic.FINDINGS, Message("one", b"", HEADERS))
    await bus.consume(Subscription(Queue.NOTIFY, handle))
    await eventually(lambda: handled == ["one"])
    await bus.close()


async def test_publishing_again_what_still_waits_does_not_double_it() -> None:
    bus = MemoryBus(publish_timeout_seconds=0.01)
    for _ in range(5):
        with pytest.raises(BusUnavailable):
            await bus.publish(Topic.FINDINGS, Message("one", b"", HEADERS))
    assert await bus.depth(Queue.NOTIFY) == 1


async def test_a_full_queue_holds_publishers_back() -> None:
    bus = MemoryBus(publish_timeout_seconds=0.05, capacity=2)
    results = await asyncio.gather(
        *(bus.publish(Topic.FINDINGS, Message(f"{number}", b"", HEADERS)) for number in range(5)),
        return_exceptions=True,
    )
    assert [type(result) for result in results] == [BusUnavailable] * 5
    assert await bus.depth(Queue.NOTIFY) == 2


async def test_room_is_given_to_who_waits_for_it() -> None:
    bus = MemoryBus(capacity=2)
    publishing = [
        asyncio.create_task(bus.publish(Topic.FINDINGS, Message(f"{number}", b"", HEADERS))) for number in range(50)
    ]
    await asyncio.sleep(0)
    await bus.consume(Subscription(Queue.NOTIFY, nothing, prefetch=1))
    await asyncio.wait_for(asyncio.gather(*publishing), 5)
    await bus.close()


async def test_the_last_consumer_finishes_what_handlers_published() -> None:
    """Nobody waits for such a message: with the queue it would be gone."""
    bus = MemoryBus()
    gate = asyncio.Event()
    notified: list[str] = []

    async def detect(messages: Sequence[Message]) -> None:
        for each in messages:
            await bus.publish(Topic.FINDINGS, Message(f"finding of {each.id}", b"", HEADERS))

    async def notify(messages: Sequence[Message]) -> None:
        await gate.wait()
        notified.extend(each.id for each in messages)

    await bus.consume(Subscription(Queue.STORE, nothing))
    detector = await bus.consume(Subscription(Queue.DETECT, detect))
    notifier = await bus.consume(Subscription(Queue.NOTIFY, notify))
    await asyncio.gather(*(bus.publish(Topic.EVENTS, Message(f"{number}", b"", HEADERS)) for number in range(3)))
    await detector.drain()
    draining = asyncio.create_task(notifier.drain())
    gate.set()
    await draining
    assert notified == ["finding of 0", "finding of 1", "finding of 2"]
    await bus.close()


async def test_close_ends_while_a_dependency_is_away() -> None:
    bus = MemoryBus(publish_timeout_seconds=0.01)

    async def away(_: Sequence[Message]) -> None:
        raise Unavailable("PostgreSQL is away")

    await bus.consume(Subscription(Queue.NOTIFY, away))
    with pytest.raises(BusUnavailable):
        await bus.publish(Topic.FINDINGS, Message("one", b"", HEADERS))
    await asyncio.wait_for(bus.close(), 5)


async def test_an_unknown_kind_of_url_is_refused() -> None:
    with pytest.raises(ValueError, match="BUS_URL must begin with memory: or amqp:, not kafka:"):
        await open_bus("kafka://broker", service="tests")
