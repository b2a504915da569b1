"""Live events that fill the disk: no new flows until there is room again."""

import asyncio
from collections.abc import Sequence
from pathlib import Path

from prometheus_client import CollectorRegistry

from sakimori_common.bus import Message, Queue, Subscription
from sakimori_common.bus.memory import MemoryBus
from sakimori_common.bus.outbox import Outbox
from sakimori_common.bus.publisher import EventPublisher
from sakimori_common.bus.spool import Spool
from sakimori_common.contracts import EVENTS, Event
from sakimori_common.ids import event_id
from sakimori_common.log import logger
from sakimori_common.metrics import PublisherMetrics
from sakimori_packet_sensor.adapters.relief import Relief
from sakimori_packet_sensor.domain.pressure import Pressure
from sakimori_packet_sensor.metrics import SensorMetrics
from servers.eventually import eventually

START = 1_768_528_800_000_000


def events(first: int, count: int) -> list[Event]:
    return [
        Event(event_id(START + number, str(number)), START + number, "network.flow", {"number": number})
        for number in range(first, first + count)
    ]


class Stage:
    """An outbox of the sensor's with its relief, and what came of it."""

    def __init__(self, bus: MemoryBus, folder: Path) -> None:
        self.registry = CollectorRegistry()
        metrics, log = SensorMetrics(self.registry), logger("packet-sensor")
        self.relief = Relief(Pressure(low=50_000, high=100_000), metrics, log)
        self.told: list[bool] = []
        self.relief.on_pressure = self.told.append
        self.taken: set[int] = set()
        self.publisher = EventPublisher(bus, "packet-sensor", PublisherMetrics(self.registry))
        self.outbox = Outbox(
            publisher=self.publisher,
            spool=Spool(folder, 200_000),
            memory_events=50_000,
            metrics=metrics.outbox,
            log=log,
            on_level=self.relief.weigh,
        )

    def metric(self, name: str, **labels: str) -> float:
        return self.registry.get_sample_value(f"sakimori_sensor_{name}", labels) or 0.0

    async def store(self, messages: Sequence[Message]) -> None:
        for message in messages:
            self.taken.update(event.time - START for event in EVENTS.decode(message.body))


async def _ignored(_: Sequence[Message]) -> None:
    return


async def test_a_spool_that_fills_asks_for_relief_and_says_when_it_is_over(tmp_path: Path) -> None:
    bus = MemoryBus(publish_timeout_seconds=0.2)
    stage = Stage(bus, tmp_path)
    async with stage.outbox.running(lambda work, _: asyncio.ensure_future(work)):
        put = 0
        while not stage.told:
            stage.outbox.put(events(put, 200))
            put += 200
            await asyncio.sleep(0)
            await eventually(lambda: stage.metric("outbox_events") == 0)
        assert (stage.told, stage.metric("shedding"), stage.relief.is_pressed) == ([True], 1, True)
        stage.outbox.put(events(put, 1000))  # what the followed flows still say finds room
        put += 1000
        await eventually(lambda: stage.metric("outbox_events") == 0)
        assert stage.metric("events_dropped_total", reason="spool_full") == 0
        await bus.consume(Subscription(Queue.STORE, stage.store))
        await bus.consume(Subscription(Queue.DETECT, _ignored))
        await eventually(lambda: stage.told == [True, False])
        await eventually(lambda: len(stage.taken) == put)
        assert stage.metric("shedding") == 0
    await stage.publisher.drain()
