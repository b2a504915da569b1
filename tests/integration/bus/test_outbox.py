"""Events on their way to the bus: memory, disk; on the bus in memory and on RabbitMQ."""

import asyncio
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from pathlib import Path

import pytest
from prometheus_client import CollectorRegistry, Counter, Gauge

from sakimori_common.bus import Bus, Message, Queue, Subscription, open_bus
from sakimori_common.bus.memory import MemoryBus
from sakimori_common.bus.outbox import Outbox, OutboxMetrics
from sakimori_common.bus.publisher import EventPublisher
from sakimori_common.bus.spool import Spool
from sakimori_common.contracts import EVENTS, Event
from sakimori_common.ids import event_id
from sakimori_common.log import logger
from sakimori_common.metrics import PublisherMetrics
from servers.eventually import eventually
from servers.rabbitmq import RabbitMQ

START = 1_768_528_800_000_000
LIMIT = 200_000
MEMORY_EVENTS = 50_000


def events(first: int, count: int) -> list[Event]:
    return [
        Event(event_id(START + number, str(number)), START + number, "network.flow", {"number": number})
        for number in range(first, first + count)
    ]


class Way:
    """An outbox with everything around it."""

    def __init__(self, bus: Bus, folder: Path) -> None:
        self.registry = CollectorRegistry()
        self.spool = Spool(folder, LIMIT)
        self.levels: list[int] = []
        self.taken: list[Event] = []
        self.publisher = EventPublisher(bus, "service", PublisherMetrics(self.registry))
        self.outbox = Outbox(
            publisher=self.publisher,
            spool=self.spool,
            memory_events=MEMORY_EVENTS,
            metrics=OutboxMetrics(
                dropped_total=Counter("dropped_total", "Lost.", ["reason"], registry=self.registry),
                spooled_total=Counter("spooled_total", "Put on disk.", registry=self.registry),
                spool_bytes=Gauge("spool_bytes", "On disk.", registry=self.registry),
                waiting=Gauge("waiting", "In memory.", registry=self.registry),
            ),
            log=logger("service"),
            on_level=self.levels.append,
        )

    def metric(self, name: str, **labels: str) -> float:
        return self.registry.get_sample_value(name, labels) or 0.0

    async def consume(self, bus: Bus) -> None:
        async def store(messages: Sequence[Message]) -> None:
            for message in messages:
                self.taken.extend(EVENTS.decode(message.body))

        async def detect(_: Sequence[Message]) -> None:
            return

        await bus.consume(Subscription(Queue.STORE, store))
        await bus.consume(Subscription(Queue.DETECT, detect))


@asynccontextmanager
async def way(bus: Bus, folder: Path) -> AsyncIterator[Way]:
    made = Way(bus, folder)
    async with made.outbox.running(lambda work, _: asyncio.ensure_future(work)):
        yield made
    await made.publisher.drain()


async def test_events_reach_the_bus_in_order(tmp_path: Path) -> None:
    bus = MemoryBus()
    async with way(bus, tmp_path) as made:
        await made.consume(bus)
        made.outbox.put(events(0, 5000))
        await eventually(lambda: len(made.taken) == 5000)
    assert made.taken == events(0, 5000)
    assert made.spool.used_bytes == 0


async def test_while_the_bus_is_away_events_lie_on_disk_and_come_when_it_is_back(tmp_path: Path) -> None:
    bus = MemoryBus(publish_timeout_seconds=0.2)
    async with way(bus, tmp_path) as made:
        made.outbox.put(events(0, 300))
        await eventually(lambda: made.metric("spooled_total") == 300)
        made.outbox.put(events(300, 300))
        await eventually(lambda: made.metric("spooled_total") == 600)
        assert made.metric("spool_bytes") == made.spool.used_bytes == made.levels[-1] > 0
        await made.consume(bus)
        await eventually(lambda: made.spool.used_bytes == 0)
        made.outbox.put(events(600, 10))
        await eventually(lambda: len({event.id for event in made.taken}) == 610)
    assert {event.id for event in made.taken} == {event.id for event in events(0, 610)}
    assert made.metric("dropped_total", reason="spool_full") == 0


async def test_beyond_its_bound_the_spool_drops_and_counts(tmp_path: Path) -> None:
    async with way(MemoryBus(publish_timeout_seconds=0.2), tmp_path) as made:
        made.outbox.put(events(0, 10_000))
        await eventually(lambda: made.metric("waiting") == 0)
        await eventually(
            lambda: made.metric("spooled_total") + made.metric("dropped_total", reason="spool_full") == 10_000
        )
        assert made.spool.used_bytes <= LIMIT
        assert made.metric("dropped_total", reason="spool_full") > 0


async def test_what_one_process_left_on_disk_the_next_publishes(tmp_path: Path) -> None:
    bus = MemoryBus(publish_timeout_seconds=0.2)
    async with way(bus, tmp_path) as first:
        first.outbox.put(events(0, 100))
        await eventually(lambda: first.metric("spooled_total") == 100)
    async with way(bus, tmp_path) as second:
        await second.consume(bus)
        await eventually(lambda: second.spool.used_bytes == 0)
        assert {event.id for event in second.taken} == {event.id for event in events(0, 100)}


async def test_events_that_memory_does_not_hold_go_to_disk(tmp_path: Path) -> None:
    made = Way(MemoryBus(), tmp_path)
    made.outbox.put(events(0, MEMORY_EVENTS + 1))
    assert made.metric("waiting") <= MEMORY_EVENTS
    assert made.metric("spooled_total") + made.metric("dropped_total", reason="spool_full") > 0


async def test_a_disk_that_refused_everything_does_not_keep_events_from_a_bus_that_is_back(tmp_path: Path) -> None:
    bus, folder = MemoryBus(publish_timeout_seconds=0.2), tmp_path / "spool"
    async with way(bus, folder) as made:
        folder.rmdir()
        made.outbox.put(events(0, 10))
        await eventually(lambda: made.metric("dropped_total", reason="spool_error") == 10)
        await made.consume(bus)

        def arrives() -> bool:
            made.outbox.put(events(10, 1))
            return bool(made.taken)

        await eventually(arrives)


@pytest.mark.timeout(180)
async def test_a_broker_that_dies_under_events_costs_none(
    rabbitmq: RabbitMQ, rabbitmq_url: str, tmp_path: Path
) -> None:
    bus = await open_bus(rabbitmq_url, service="service", publish_timeout_seconds=2)
    try:
        async with way(bus, tmp_path) as made:
            made.outbox.put(events(0, 500))
            await eventually(lambda: made.metric("waiting") == 0)
            rabbitmq.kill()
            made.outbox.put(events(500, 500))
            await eventually(lambda: made.metric("spooled_total") >= 1, 30)
            rabbitmq.start()
            await eventually(lambda: made.spool.used_bytes == 0, 60)
            await made.consume(bus)
            await eventually(lambda: {event.id for event in made.taken} == {event.id for event in events(0, 1000)}, 30)
    finally:
        await bus.close()
