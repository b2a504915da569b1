"""The packet-sensor as it runs, on the bus in memory and on RabbitMQ: uploads, the watched folder, outages."""

import asyncio
from collections.abc import AsyncIterator, Sequence
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass, field
from pathlib import Path

import httpx
import redis.asyncio

from packets.frames import datagram, pcap_file, reply, segment
from sakimori_common.bus import Bus, Message, Queue, Subscription, open_bus
from sakimori_common.bus.memory import MemoryBus
from sakimori_common.context import ServiceContext
from sakimori_common.contracts import EVENTS, Event
from sakimori_common.log import logger
from sakimori_packet_sensor.settings import SensorSettings
from sakimori_packet_sensor.wiring import running
from servers.eventually import eventually
from servers.ports import free_ports
from servers.rabbitmq import RabbitMQ

EDGE_TOKEN = "the token of the gateway"
SCAN = pcap_file([frame for port in range(1, 601) for frame in (segment("S", port), reply("RA", port))])


@dataclass
class RunningSensor:
    """A sensor, the way to it, and what it published."""

    url: str
    context: ServiceContext
    events: list[Event] = field(default_factory=list)

    async def post(self, capture: bytes) -> httpx.Response:
        async with httpx.AsyncClient(timeout=60) as client:
            return await client.post(f"{self.url}/captures", content=capture, headers={"x-sakimori-edge": EDGE_TOKEN})

    def metric(self, name: str, **labels: str) -> float:
        return self.context.registry.get_sample_value(name, labels) or 0.0

    async def take_events(self, bus: Bus) -> None:
        """Consume as the store and the detector do; the store's copy is kept."""

        async def store(messages: Sequence[Message]) -> None:
            for message in messages:
                self.events.extend(EVENTS.decode(message.body))

        async def detect(_: Sequence[Message]) -> None:
            return

        await bus.consume(Subscription(Queue.STORE, store))
        await bus.consume(Subscription(Queue.DETECT, detect))


@asynccontextmanager
async def sensor_on(bus: Bus, spool_dir: Path, capture_dir: Path | None = None) -> AsyncIterator[RunningSensor]:
    (port,) = free_ports(1)
    given = {
        "database_url": "postgresql://unused",
        "valkey_url": "redis://unused",
        "edge_token": EDGE_TOKEN,
        "port": port,
        "spool_dir": spool_dir,
        "capture_dir": capture_dir,
        "poll_seconds": 0.05,
    }
    settings = SensorSettings(**given)  # type: ignore[arg-type]  # pydantic checks them
    unused = redis.asyncio.Redis()
    context = ServiceContext("packet-sensor", bus, postgres=None, valkey=unused, log=logger("packet-sensor"))
    async with running(settings, context):
        yield RunningSensor(f"http://127.0.0.1:{port}", context)


async def test_an_uploaded_capture_is_on_the_bus_when_the_answer_comes(tmp_path: Path) -> None:
    bus = MemoryBus()
    async with sensor_on(bus, tmp_path) as sensor:
        await sensor.take_events(bus)
        answer = await sensor.post(SCAN)
        assert (answer.status_code, answer.json()["events"]) == (202, 600)
        assert len({event.id for event in sensor.events}) == 600
        assert sensor.metric("sakimori_events_published_total", dataset="network.flow") == 600


async def test_a_bus_that_is_away_gives_503_and_nothing_stays_behind(tmp_path: Path) -> None:
    async with sensor_on(MemoryBus(publish_timeout_seconds=0.2), tmp_path) as sensor:
        answer = await sensor.post(SCAN)
        assert (answer.status_code, answer.headers["retry-after"]) == (503, "5")
        assert list((tmp_path / "tmp").iterdir()) == []


async def test_captures_sent_at_the_same_time_are_all_taken(tmp_path: Path) -> None:
    bus = MemoryBus()
    captures = [pcap_file([datagram(b"x", port, client) for port in range(1, 50)]) for client in range(40_000, 40_010)]
    async with sensor_on(bus, tmp_path) as sensor:
        await sensor.take_events(bus)
        answers = await asyncio.gather(*map(sensor.post, captures))
        assert [answer.status_code for answer in answers] == [202] * 10
        assert len({event.id for event in sensor.events}) == 490


async def test_a_capture_in_the_folder_is_read_once_and_a_broken_one_is_passed_over(tmp_path: Path) -> None:
    bus, inbox = MemoryBus(), tmp_path / "captures"
    inbox.mkdir()
    (inbox / "broken.pcap").write_bytes(b"no capture")
    (inbox / "scan.pcap").write_bytes(SCAN)
    async with sensor_on(bus, tmp_path / "spool", inbox) as sensor:
        await sensor.take_events(bus)
        await eventually(lambda: len(sensor.events) == 600)
        await eventually(lambda: sensor.metric("sakimori_sensor_captures_total", result="refused") == 1)
        assert {event.fields["log.file.path"] for event in sensor.events} == {str(inbox / "scan.pcap")}
    async with sensor_on(bus, tmp_path / "spool", inbox) as restarted:
        (inbox / "later.pcap").write_bytes(pcap_file([segment("S")]))
        await eventually(lambda: restarted.metric("sakimori_sensor_packets_total") == 1)
        assert restarted.metric("sakimori_sensor_captures_total", result="refused") == 0


async def test_a_broker_that_dies_loses_nothing(rabbitmq: RabbitMQ, rabbitmq_url: str, tmp_path: Path) -> None:
    """An upload is answered 503, a capture in the folder waits; when the broker is back, both arrive."""
    inbox = tmp_path / "captures"
    inbox.mkdir()
    async with AsyncExitStack() as stack:
        bus = await open_bus(rabbitmq_url, service="packet-sensor", publish_timeout_seconds=2)
        stack.push_async_callback(bus.close)
        sensor = await stack.enter_async_context(sensor_on(bus, tmp_path / "spool", inbox))
        rabbitmq.kill()
        assert (await sensor.post(SCAN)).status_code == 503
        (inbox / "waits.pcap").write_bytes(pcap_file([datagram(b"x", port) for port in range(1, 101)]))
        await eventually(lambda: sensor.metric("sakimori_publish_failures_total") >= 4, 30)
        rabbitmq.start()
        await eventually(lambda: sensor.metric("sakimori_sensor_captures_total", result="read") == 1, 60)
        answer = await sensor.post(SCAN)
        assert (answer.status_code, answer.json()["events"]) == (202, 600)
        await sensor.take_events(bus)
        await eventually(lambda: len({event.id for event in sensor.events}) == 700, 30)
