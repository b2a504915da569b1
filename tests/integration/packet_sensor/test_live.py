"""The packet-sensor on an interface: workers, devices, outages, shedding. Each test has a network of its own."""

import asyncio
import os
import shutil
import signal
import sys
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from pathlib import Path

import pytest
from scapy.layers.dns import DNS, DNSQR
from scapy.layers.l2 import ARP, Ether
from scapy.utils import rdpcap

from packets.frames import CLIENT, SERVER, datagram, reply, segment
from packets.network import in_new_network, ip, send
from packets.running import RunningSensor, sensor_on
from sakimori_common.bus.memory import MemoryBus
from sakimori_common.context import Postgres
from sakimori_common.postgres import open_postgres
from servers.eventually import eventually

pytestmark = pytest.mark.timeout(300)

COMPILING_SECONDS = 200
"""The first worker of a fresh checkout compiles the fast path."""
HELLO = bytes(DNS(rd=1, qd=DNSQR(qname="camera.example")))
GET = b"GET / HTTP/1.1\r\nHost: camera.example\r\n\r\n"


async def in_network(body: Callable[[], Awaitable[None]]) -> None:
    """Run it on a loop of its own, in a network of its own."""

    async def run() -> None:
        await body()

    await asyncio.to_thread(in_new_network, lambda: asyncio.run(run()))


@asynccontextmanager
async def live(
    postgres_url: str, folder: Path, bus: MemoryBus | None = None, **changes: object
) -> AsyncIterator[tuple[RunningSensor, Postgres]]:
    """A sensor on `far` that captures already, and whose events are taken unless a bus is given."""
    postgres = await open_postgres(postgres_url)
    given = {"interfaces": ("far",), "packet_store_bytes": 8 << 20, **changes}
    mine = bus or MemoryBus()
    try:
        async with sensor_on(mine, postgres, folder, **given) as sensor:
            if bus is None:
                await sensor.take_events(mine)
            if given["interfaces"] == ("far",):
                await eventually(lambda: is_ready(sensor), COMPILING_SECONDS)
            yield sensor, postgres
    finally:
        postgres.terminate()


async def is_ready(sensor: RunningSensor) -> bool:
    return (await sensor.context.health.report())["capture"] == "ok"


async def test_every_packet_is_counted_and_becomes_part_of_a_session(postgres_url: str, tmp_path: Path) -> None:
    async def body() -> None:
        async with live(postgres_url, tmp_path) as (sensor, _):
            scan = [frame for port in range(1, 301) for frame in (segment("S", port), reply("RA", port))]
            send(scan)
            await eventually(lambda: sensor.metric("sakimori_sensor_packets_total") == 600)
            await eventually(lambda: len(sensor.of("network.flow")) == 300)
            (one, *_) = sensor.of("network.flow")
            assert one.fields["observer.ingress.interface.name"] == "far"
            assert (one.fields["source.packets"], one.fields["destination.packets"]) == (1, 1)
            assert sensor.metric("sakimori_sensor_ring_drops_total", interface="far") == 0
            assert sensor.metric("sakimori_sensor_workers", interface="far") == 1

    await in_network(body)


async def test_a_new_device_has_one_row_within_two_seconds(postgres_url: str, tmp_path: Path) -> None:
    async def body() -> None:
        async with live(postgres_url, tmp_path) as (sensor, postgres):

            async def rows() -> list[tuple[object, ...]]:
                found = await postgres.fetch("SELECT mac, host(ip) FROM public.devices ORDER BY mac")
                return [tuple(row) for row in found]

            hello = ARP(hwsrc="00:00:5e:00:53:09", psrc="192.0.2.9", pdst="192.0.2.1")
            send([bytes(Ether(src="00:00:5e:00:53:09", dst="ff:ff:ff:ff:ff:ff") / hello)])

            async def is_warm() -> bool:
                return await rows() == [("00-00-5E-00-53-09", "192.0.2.9")]

            await eventually(is_warm, 60)
            send([datagram(HELLO)])

            async def are_there() -> bool:
                return ("00-00-5E-00-53-01", CLIENT) in await rows()

            await eventually(are_there, 2)
            send([datagram(HELLO, client_port=port) for port in range(1024, 1034)])
            await eventually(lambda: len(sensor.of("network.dns")) == 11)
            assert len([mac for mac, _ in await rows() if mac == "00-00-5E-00-53-01"]) == 1
        async with live(postgres_url, tmp_path) as (restarted, _):
            send([datagram(HELLO)])
            await eventually(lambda: restarted.of("network.dns") != [])
            assert "device.discovered" not in {e.fields["event.action"] for e in restarted.of("network.device")}

    await in_network(body)


async def test_only_what_the_filter_lets_through_is_seen(postgres_url: str, tmp_path: Path) -> None:
    async def body() -> None:
        async with live(postgres_url, tmp_path, capture_filter="port 53") as (sensor, _):
            send([segment("S", 80), datagram(HELLO, 53), segment("S", 443), datagram(HELLO, 53, 50_001)])
            await eventually(lambda: len(sensor.of("network.dns")) == 2)
            await eventually(lambda: sensor.metric("sakimori_sensor_packets_total") == 2)

    await in_network(body)


async def test_workers_share_the_packets_of_an_interface(postgres_url: str, tmp_path: Path) -> None:
    async def body() -> None:
        async with live(postgres_url, tmp_path, workers=2) as (sensor, _):
            assert sensor.metric("sakimori_sensor_workers", interface="far") == 2
            send([frame for port in range(1, 101) for frame in (segment("S", port), reply("RA", port))])
            await eventually(lambda: sensor.metric("sakimori_sensor_packets_total") == 200)
            await eventually(lambda: len(sensor.of("network.flow")) == 100)

    await in_network(body)


async def test_what_is_open_when_the_sensor_stops_is_reported(postgres_url: str, tmp_path: Path) -> None:
    async def body() -> None:
        bus = MemoryBus()
        async with live(postgres_url, tmp_path, bus) as (sensor, _):
            await sensor.take_events(bus)
            send([datagram(b"x", port) for port in range(2000, 2050)])
            await eventually(lambda: sensor.metric("sakimori_sensor_packets_total") == 50)
            assert sensor.of("network.flow") == []
        assert len(sensor.of("network.flow")) == 50

    await in_network(body)


async def test_an_interface_that_is_not_there_is_said_and_taken_when_it_comes(
    postgres_url: str, tmp_path: Path
) -> None:
    async def body() -> None:
        async with live(postgres_url, tmp_path, interfaces=("later",)) as (sensor, _):

            async def said() -> bool:
                return (await sensor.context.health.report())["capture"].startswith("later: ") and (
                    sensor.metric("sakimori_sensor_worker_restarts_total", interface="later") > 0
                )

            await eventually(said, COMPILING_SECONDS)
            assert "later" in (await sensor.context.health.report())["capture"].removeprefix("later: ")
            ip("link", "add", "later", "type", "veth", "peer", "name", "other")
            ip("link", "set", "later", "up")
            await eventually(lambda: is_ready(sensor), 60)

    await in_network(body)


async def test_a_worker_that_dies_is_started_again_and_missed_meanwhile(postgres_url: str, tmp_path: Path) -> None:
    async def body() -> None:
        async with live(postgres_url, tmp_path) as (sensor, _):
            (child,) = [int(name) for name in _children()]
            os.kill(child, signal.SIGKILL)

            async def is_missed() -> bool:
                return "ended" in (await sensor.context.health.report())["capture"]

            await eventually(is_missed)
            assert sensor.metric("sakimori_sensor_workers", interface="far") == 0
            await eventually(lambda: is_ready(sensor), 60)
            assert sensor.metric("sakimori_sensor_worker_restarts_total", interface="far") == 1
            send([datagram(HELLO)])
            await eventually(lambda: sensor.of("network.dns") != [])

    await in_network(body)


async def test_while_the_bus_is_away_whole_flows_are_shed_and_no_packet_of_another(
    postgres_url: str, tmp_path: Path
) -> None:
    """Flows that were there before stay whole; those that begin under pressure are counted, and later ones followed."""

    async def body() -> None:
        bus = MemoryBus(publish_timeout_seconds=0.3)
        async with live(postgres_url, tmp_path, bus, spool_bytes=1 << 19, idle_seconds=3600) as (sensor, _):
            sent = 0

            def packets() -> float:
                return sensor.metric("sakimori_sensor_packets_total")

            kept = [datagram(b"x", 7000 + number) for number in range(50)]
            send(kept)
            sent += len(kept)
            await eventually(lambda: packets() == sent)
            port = 1
            while sensor.metric("sakimori_sensor_shedding") == 0:  # refused at once: an event each
                send([frame for each in range(port, port + 50) for frame in (segment("S", each), reply("RA", each))])
                sent, port = sent + 100, port + 50
                await eventually(lambda so_far=sent: packets() == so_far)  # type: ignore[misc]  # has a default
            shed_before = sensor.metric("sakimori_sensor_packets_shed_total")
            await asyncio.sleep(0.3)  # until the worker has heard of it
            late = [datagram(b"x", 8000 + number) for number in range(40)]
            send(kept + late)
            sent += len(kept) + len(late)
            await eventually(lambda: packets() == sent)
            assert sensor.metric("sakimori_sensor_packets_shed_total") - shed_before == 40
            assert sensor.metric("sakimori_sensor_flows_shed_total") >= 40
            await sensor.take_events(bus)
            await eventually(lambda: sensor.metric("sakimori_sensor_shedding") == 0, 30)
            await asyncio.sleep(0.3)
            send([datagram(b"x", 9000)])
            sent += 1
            await eventually(lambda: packets() == sent)
            shed = sensor.metric("sakimori_sensor_packets_shed_total")
        flows = sensor.of("network.flow")
        told = sum(int(str(flow.fields["network.packets"])) for flow in flows)
        assert told + shed == sent
        assert {
            flow.fields["source.packets"] for flow in flows if flow.fields["destination.port"] in range(7000, 7050)
        } == {2}
        assert [flow for flow in flows if flow.fields["destination.port"] in range(8000, 8040)] == []
        assert len([flow for flow in flows if flow.fields["destination.port"] == 9000]) == 1
        assert sensor.metric("sakimori_sensor_events_dropped_total", reason="spool_full") == 0
        assert sensor.metric("sakimori_sensor_events_dropped_total", reason="worker") == 0

    await in_network(body)


async def test_the_latest_packets_can_be_had_as_a_file(postgres_url: str, tmp_path: Path) -> None:
    async def body() -> None:
        async with live(postgres_url, tmp_path) as (sensor, _):
            send([datagram(b"one", 7001), datagram(b"two", 7002), segment("S", 80)])
            await eventually(lambda: sensor.metric("sakimori_sensor_packets_total") == 3)

            async def found() -> bool:
                answer = await sensor.ask("GET", f"/packets?address={CLIENT}&address={SERVER}&port=7002")
                assert answer.status_code == 200, answer.text
                (tmp_path / "got.pcap").write_bytes(answer.content)
                return answer.headers["x-packets"] == "1"

            await eventually(found, 30)
            (packet,) = rdpcap(str(tmp_path / "got.pcap"))
            assert bytes(packet).endswith(b"two")
            for query in ("?address=here", "?port=70000", "?since=yesterday", "?prot=6", "?max_bytes=-1"):
                assert (await sensor.ask("GET", f"/packets{query}")).status_code == 422

    await in_network(body)


async def test_an_operator_starts_and_stops_a_capture_and_gets_a_file(postgres_url: str, tmp_path: Path) -> None:
    async def body() -> None:
        async with live(postgres_url, tmp_path) as (sensor, _):
            new = {"interface": "far", "filter": "udp port 1481", "seconds": 60, "max_bytes": 100_000}
            started = await sensor.ask("POST", "/recordings", json=new)
            assert started.status_code == 201, started.text
            path = f"/recordings/{started.json()['id']}"

            async def size() -> int:
                answer = await sensor.ask("GET", f"{path}/packets")
                return len(answer.content) if answer.status_code == 200 else 0

            async def has_begun() -> bool:
                return await size() >= 24

            await eventually(has_begun, 60)
            send([datagram(b"x", 1481), segment("S", 80), datagram(b"y", 1481)])

            async def has_both() -> bool:
                return await size() == 24 + 2 * (16 + len(datagram(b"x", 1481)))

            await eventually(has_both, 60)
            stopped = (await sensor.ask("PUT", f"{path}/stop")).json()
            assert (stopped["state"], stopped["outcome"]["packets"]) == ("done", 2)
            (tmp_path / "got.pcap").write_bytes((await sensor.ask("GET", f"{path}/packets")).content)
            assert [bytes(packet)[-1:] for packet in rdpcap(str(tmp_path / "got.pcap"))] == [b"x", b"y"]
            wrong = await sensor.ask("POST", "/recordings", json={"interface": "far", "filter": "prot 7"})

            async def has_failed() -> bool:
                shown = await sensor.ask("GET", f"/recordings/{wrong.json()['id']}")
                return str(shown.json()["state"]) == "failed"

            await eventually(has_failed, 60)
            assert len((await sensor.ask("GET", "/recordings")).json()["recordings"]) == 2

    await in_network(body)


async def test_ports_that_are_not_monitored_are_counted_and_not_looked_into(postgres_url: str, tmp_path: Path) -> None:
    async def body() -> None:
        async with live(postgres_url, tmp_path, monitored_ports=(8080,)) as (sensor, _):
            for port in (8080, 8081):
                send([segment("S", port), reply("SA", port, seq=1), segment("PA", port, seq=2, load=GET)])
                send([reply("RA", port, seq=2)])
            await eventually(lambda: len(sensor.of("network.flow")) == 2)
            assert {event.fields["destination.port"] for event in sensor.of("network.http")} == {8080}

    await in_network(body)


def _with_capabilities(folder: Path, capabilities: str) -> Path:
    """An interpreter whose processes have these capabilities, as setpriv(1) writes them, and can gain no others."""
    if shutil.which("setpriv") is None:
        pytest.skip("setpriv (util-linux) is not installed")
    script = folder / "python"
    script.write_text(
        f'#!/bin/sh\nexec setpriv --bounding-set {capabilities} --inh-caps=-all --no-new-privs {sys.executable} "$@"\n'
    )
    script.chmod(0o755)
    return script


async def test_capturing_needs_one_capability_and_no_other(postgres_url: str, tmp_path: Path) -> None:
    async def body() -> None:
        python = _with_capabilities(tmp_path, "-all,+net_raw")
        async with live(postgres_url, tmp_path, capture_python=python) as (sensor, _):
            send([datagram(HELLO)])
            await eventually(lambda: sensor.of("network.dns") != [], 30)

    await in_network(body)


async def test_without_that_capability_it_is_said_what_to_do(postgres_url: str, tmp_path: Path) -> None:
    async def body() -> None:
        python = _with_capabilities(tmp_path, "-net_raw")
        async with live(postgres_url, tmp_path, interfaces=("far", "near"), capture_python=python) as (sensor, _):

            async def is_said() -> bool:
                said = (await sensor.context.health.report())["capture"]
                return "far: " in said and "near: " in said and "NET_RAW" in said

            await eventually(is_said, COMPILING_SECONDS)

    await in_network(body)


async def test_an_interpreter_that_cannot_be_run_is_said(postgres_url: str, tmp_path: Path) -> None:
    async def body() -> None:
        async with live(postgres_url, tmp_path, interfaces=("far", "near"), capture_python=tmp_path / "none") as (
            sensor,
            _,
        ):

            async def is_said() -> bool:
                return "cannot be run: No such file" in (await sensor.context.health.report())["capture"]

            await eventually(is_said)

    await in_network(body)


def _children() -> list[str]:
    """The processes that this one started for capturing."""
    found = []
    for entry in Path("/proc").iterdir():
        if entry.name.isdecimal():
            try:
                parent = (entry / "stat").read_text().rpartition(")")[2].split()[1]
                command = (entry / "cmdline").read_bytes()
            except OSError:
                continue
            if int(parent) == os.getpid() and b"sakimori_packet_sensor.worker" in command:
                found.append(entry.name)
    return found
