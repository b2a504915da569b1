"""The packet-sensor as it runs, on the bus in memory and on RabbitMQ: uploads, the watched folder, outages."""

import asyncio
from contextlib import AsyncExitStack
from pathlib import Path

from packets.frames import datagram, pcap_file, reply, segment
from packets.running import sensor_on
from sakimori_common.bus import open_bus
from sakimori_common.bus.memory import MemoryBus
from sakimori_common.context import Postgres
from servers.eventually import eventually
from servers.rabbitmq import RabbitMQ

SCAN = pcap_file([frame for port in range(1, 601) for frame in (segment("S", port), reply("RA", port))])


async def test_an_uploaded_capture_is_on_the_bus_when_the_answer_comes(postgres: Postgres, tmp_path: Path) -> None:
    bus = MemoryBus()
    async with sensor_on(bus, postgres, tmp_path) as sensor:
        await sensor.take_events(bus)
        answer = await sensor.post(SCAN)
        assert (answer.status_code, answer.json()["events"]) == (202, 602)
        assert len(sensor.of("network.flow")) == 600
        assert {event.fields["device.mac"] for event in sensor.of("network.device")} == {
            "00-00-5E-00-53-01",
            "00-00-5E-00-53-02",
        }
        assert sensor.metric("sakimori_events_published_total", dataset="network.flow") == 600


async def test_a_bus_that_is_away_gives_503_and_nothing_stays_behind(postgres: Postgres, tmp_path: Path) -> None:
    async with sensor_on(MemoryBus(publish_timeout_seconds=0.2), postgres, tmp_path) as sensor:
        answer = await sensor.post(SCAN)
        assert (answer.status_code, answer.headers["retry-after"]) == (503, "5")
        assert list((tmp_path / "tmp").iterdir()) == []


async def test_captures_sent_at_the_same_time_are_all_taken(postgres: Postgres, tmp_path: Path) -> None:
    bus = MemoryBus()
    captures = [pcap_file([datagram(b"x", port, client) for port in range(1, 50)]) for client in range(40_000, 40_010)]
    async with sensor_on(bus, postgres, tmp_path) as sensor:
        await sensor.take_events(bus)
        answers = await asyncio.gather(*map(sensor.post, captures))
        assert [answer.status_code for answer in answers] == [202] * 10
        assert len(sensor.of("network.flow")) == 490


async def test_a_capture_in_the_folder_is_read_once_and_a_broken_one_is_passed_over(
    postgres: Postgres, tmp_path: Path
) -> None:
    bus, inbox = MemoryBus(), tmp_path / "captures"
    inbox.mkdir()
    (inbox / "broken.pcap").write_bytes(b"no capture")
    (inbox / "scan.pcap").write_bytes(SCAN)
    async with sensor_on(bus, postgres, tmp_path / "spool", capture_dir=inbox) as sensor:
        await sensor.take_events(bus)
        await eventually(lambda: len(sensor.of("network.flow")) == 600, 30)
        await eventually(lambda: sensor.metric("sakimori_sensor_captures_total", result="refused") == 1)
        assert {event.fields.get("log.file.path") for event in sensor.events if event.dataset == "network.flow"} == {
            str(inbox / "scan.pcap")
        }
    async with sensor_on(bus, postgres, tmp_path / "spool", capture_dir=inbox) as restarted:
        (inbox / "later.pcap").write_bytes(pcap_file([segment("S")]))
        await eventually(lambda: restarted.metric("sakimori_sensor_packets_total") == 1, 30)
        assert restarted.metric("sakimori_sensor_captures_total", result="refused") == 0


async def test_a_broker_that_dies_loses_nothing(
    rabbitmq: RabbitMQ, rabbitmq_url: str, postgres: Postgres, tmp_path: Path
) -> None:
    """An upload is answered 503, a capture in the folder waits; when the broker is back, both arrive."""
    inbox = tmp_path / "captures"
    inbox.mkdir()
    async with AsyncExitStack() as stack:
        bus = await open_bus(rabbitmq_url, service="packet-sensor", publish_timeout_seconds=2)
        stack.push_async_callback(bus.close)
        sensor = await stack.enter_async_context(sensor_on(bus, postgres, tmp_path / "spool", capture_dir=inbox))
        rabbitmq.kill()
        assert (await sensor.post(SCAN)).status_code == 503
        (inbox / "waits.pcap").write_bytes(pcap_file([datagram(b"x", port) for port in range(1, 101)]))
        await eventually(lambda: sensor.metric("sakimori_publish_failures_total") >= 4, 30)
        rabbitmq.start()
        await eventually(lambda: sensor.metric("sakimori_sensor_captures_total", result="read") == 1, 60)
        answer = await sensor.post(SCAN)
        assert (answer.status_code, answer.json()["flows"]) == (202, 600)
        await sensor.take_events(bus)
        await eventually(lambda: len(sensor.of("network.flow")) == 700, 30)
