"""Batches of events: gathered, split, confirmed, and held back."""

import asyncio

import pytest
from prometheus_client import CollectorRegistry

from sakimori_common.bus import BusUnavailable, Topic
from sakimori_common.bus.publisher import EventPublisher
from sakimori_common.contracts import EVENTS, Event
from sakimori_common.metrics import PublisherMetrics
from sakimori_common.testing.bus import RecordingBus


def events(count: int, dataset: str = "nginx.access", text: str = "x") -> list[Event]:
    return [
        Event(f"{dataset}-{number}", 1_768_528_800_000_000 + number, dataset, {"a": text}) for number in range(count)
    ]


class Bench:
    def __init__(self) -> None:
        self.bus = RecordingBus()
        self.registry = CollectorRegistry()
        self.publisher = EventPublisher(self.bus, "collector", PublisherMetrics(self.registry))

    @property
    def batches(self) -> list[list[str]]:
        return [[event.id for event in EVENTS.decode(message.body)] for _, message in self.bus.published]


@pytest.fixture
async def bench() -> Bench:
    return Bench()


async def test_publish_returns_when_the_bus_confirmed(bench: Bench) -> None:
    bench.bus.gate.clear()
    publishing = asyncio.create_task(bench.publisher.publish(events(1)))
    while not bench.bus.in_flight:
        await asyncio.sleep(0)
    assert not publishing.done()
    bench.bus.gate.set()
    await publishing
    ((topic, message),) = bench.bus.published
    assert topic is Topic.EVENTS
    assert EVENTS.decode(message.body) == events(1)
    assert message.headers == {"schema": "1", "source": "collector"}


async def test_concurrent_callers_share_a_batch(bench: Bench) -> None:
    await asyncio.gather(*(bench.publisher.publish(events(1, f"set-{number}")) for number in range(50)))
    assert [len(batch) for batch in bench.batches] == [50]


async def test_many_events_go_in_batches_of_200(bench: Bench) -> None:
    await bench.publisher.publish(events(450))
    assert sorted(len(batch) for batch in bench.batches) == [50, 200, 200]
    assert sorted(name for batch in bench.batches for name in batch) == sorted(event.id for event in events(450))


async def test_batches_have_ids_of_their_own(bench: Bench) -> None:
    await bench.publisher.publish(events(600))
    assert len({message.id for _, message in bench.bus.published}) == 3


async def test_a_batch_of_very_long_events_is_split(bench: Bench) -> None:
    await bench.publisher.publish(events(200, text="x" * 60_000))
    assert len(bench.batches) > 1
    assert max(len(message.body) for _, message in bench.bus.published) <= 4 << 20
    assert sum(map(len, bench.batches)) == 200


async def test_no_events_make_no_batch(bench: Bench) -> None:
    await bench.publisher.publish([])
    await bench.publisher.drain()
    assert bench.batches == []


async def test_every_caller_learns_that_the_bus_is_away(bench: Bench) -> None:
    bench.bus.fails = True
    results = await asyncio.gather(*(bench.publisher.publish(events(1)) for _ in range(3)), return_exceptions=True)
    assert [type(result) for result in results] == [BusUnavailable] * 3
    bench.bus.fails = False
    await bench.publisher.publish(events(1))
    assert [len(batch) for batch in bench.batches] == [1]


async def test_a_caller_that_gave_up_does_not_take_the_others_along(bench: Bench) -> None:
    bench.bus.gate.clear()
    one, other = (asyncio.create_task(bench.publisher.publish(events(1))) for _ in range(2))
    while not bench.bus.in_flight:
        await asyncio.sleep(0)
    one.cancel()
    bench.bus.gate.set()
    await other
    assert [len(batch) for batch in bench.batches] == [2]


async def test_no_more_than_twenty_batches_are_in_flight(bench: Bench) -> None:
    bench.bus.gate.clear()
    publishing = asyncio.create_task(bench.publisher.publish(events(200 * 50)))
    for _ in range(100):
        await asyncio.sleep(0)
    assert bench.bus.in_flight == 20
    bench.bus.gate.set()
    await publishing
    assert len(bench.batches) == 50


async def test_drain_sends_what_waits_for_the_linger(bench: Bench) -> None:
    publishing = asyncio.create_task(bench.publisher.publish(events(1)))
    await asyncio.sleep(0)
    await bench.publisher.drain()
    assert [len(batch) for batch in bench.batches] == [1]
    await publishing


async def test_what_is_confirmed_and_what_fails_is_counted(bench: Bench) -> None:
    await bench.publisher.publish(events(3) + events(2, "openssh.auth"))
    bench.bus.fails = True
    with pytest.raises(BusUnavailable):
        await bench.publisher.publish(events(1))
    value = bench.registry.get_sample_value
    assert value("sakimori_events_published_total", {"dataset": "nginx.access"}) == 3
    assert value("sakimori_events_published_total", {"dataset": "openssh.auth"}) == 2
    assert value("sakimori_publish_failures_total") == 1
    assert value("sakimori_publish_seconds_count") == 1
