"""A real service process: its side port, its exit status, and what SIGTERM does to the work in hand."""

import asyncio
import json
import os
import signal
import sys
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from dataclasses import dataclass
from pathlib import Path

import httpx
import pytest

from sakimori.embedded import PostgresServer, ValkeyServer
from sakimori_common.bus import Message, Queue, Topic
from sakimori_common.bus.amqp import AmqpBus
from sakimori_common.context import Valkey
from servers.eventually import eventually
from servers.ports import free_ports
from servers.rabbitmq import RabbitMQ

PROGRAM = Path(__file__).with_name("tiny_service.py")
HEADERS = {"schema": "1", "source": "tests"}


@dataclass(frozen=True, slots=True)
class Service:
    """A running process and where its side port is."""

    process: asyncio.subprocess.Process
    side: str

    async def ended(self, seconds: float = 30) -> tuple[int, str]:
        """Wait for its end; status and what it wrote to stderr."""
        _, error = await asyncio.wait_for(self.process.communicate(), seconds)
        return self.process.returncode or 0, error.decode()


@asynccontextmanager
async def service(environment: Mapping[str, str]) -> AsyncIterator[Service]:
    (port,) = free_ports(1)
    process = await asyncio.create_subprocess_exec(
        sys.executable,
        PROGRAM,
        env={"PATH": os.environ["PATH"], "TINY_SIDE_PORT": str(port), "LOG_FORMAT": "json", **environment},
        stderr=asyncio.subprocess.PIPE,
    )
    try:
        yield Service(process, f"http://127.0.0.1:{port}")
    finally:
        if process.returncode is None:
            process.kill()
            await process.communicate()


async def is_live(side: str) -> bool:
    try:
        async with httpx.AsyncClient() as client:
            return (await client.get(f"{side}/live")).status_code == 200
    except httpx.TransportError:
        return False


@pytest.fixture
def environment(rabbitmq_url: str, postgres_url: str, valkey_url: str) -> dict[str, str]:
    return {"BUS_URL": rabbitmq_url, "DATABASE_URL": postgres_url, "VALKEY_URL": valkey_url}


async def is_ready(side: str) -> bool:
    try:
        async with httpx.AsyncClient() as client:
            return (await client.get(f"{side}/ready")).status_code == 200
    except httpx.TransportError:
        return False


async def test_a_service_is_not_ready_before_it_has_started(environment: dict[str, str], valkey: Valkey) -> None:
    async with service(environment) as tiny:
        await eventually(lambda: is_ready(tiny.side), 30)
        assert await valkey.get("said") in {"not done yet", b"not done yet"}


async def test_the_side_port_tells_life_readiness_and_metrics(environment: dict[str, str]) -> None:
    async with service(environment) as tiny:
        await eventually(lambda: is_ready(tiny.side), 30)
        async with httpx.AsyncClient(base_url=tiny.side) as client:
            ready = await client.get("/ready")
            metrics = await client.get("/metrics")
        assert (ready.status_code, ready.json()) == (200, {"bus": "ok", "postgres": "ok", "valkey": "ok"})
        assert 'sakimori_messages_handled_total{queue="notifier.findings"} 0.0' in metrics.text
        tiny.process.send_signal(signal.SIGTERM)
        status, log = await tiny.ended()
        assert status == 0, log
        lines = [json.loads(line) for line in log.splitlines()]
        assert [line["event"] for line in lines if line["level"] == "info"] == ["service_started", "service_stopping"]


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
async def test_a_signal_lets_the_work_in_hand_finish_and_gives_back_the_rest(
    environment: dict[str, str], valkey: Valkey, number: signal.Signals
) -> None:
    bus = await AmqpBus.connect(environment["BUS_URL"], service="tests")
    async with service({**environment, "TINY_HANDLER_SECONDS": "0.5"}) as tiny:
        await eventually(lambda: is_live(tiny.side), 30)
        for name in ("one", "two", "three"):
            await bus.publish(Topic.FINDINGS, Message(name, b"\x90", HEADERS))
        await eventually(lambda: valkey.lrange("began", 0, -1))
        tiny.process.send_signal(number)
        status, log = await tiny.ended()
        assert status == 0, log
    assert await valkey.lrange("handled", 0, -1) == [b"one"]

    async def waiting() -> bool:
        return await bus.depth(Queue.NOTIFY) == 2

    await eventually(waiting)
    await bus.close()


async def test_a_halt_ends_the_process_with_status_1(environment: dict[str, str]) -> None:
    bus = await AmqpBus.connect(environment["BUS_URL"], service="tests")
    async with service(environment) as tiny:
        await bus.publish(Topic.FINDINGS, Message("halt", b"\x90", HEADERS))
        status, log = await tiny.ended()
    assert status == 1
    failed = next(json.loads(line) for line in log.splitlines() if "service_failed" in line)
    assert (failed["reason"], failed["kind"]) == ("told to", "Halt")
    assert "Traceback" not in log
    await bus.close()


async def test_readiness_names_what_is_away(
    environment: dict[str, str], valkey_server: ValkeyServer, postgres_server: PostgresServer, rabbitmq: RabbitMQ
) -> None:
    async with service(environment) as tiny:
        await eventually(lambda: is_ready(tiny.side), 30)
        valkey_server.stop()
        async with httpx.AsyncClient(base_url=tiny.side, timeout=10) as client:
            ready = await client.get("/ready")
            assert ready.status_code == 503
            assert ready.json()["valkey"] == "ConnectionError"
            assert ready.json()["bus"] == "ok"
            rabbitmq.kill()
            postgres_server.stop()
            ready = await client.get("/ready")
            assert ready.status_code == 503
            assert "ok" not in ready.json().values()
            assert (await client.get("/live")).status_code == 200
        tiny.process.send_signal(signal.SIGTERM)
        status, log = await tiny.ended()
        assert status == 0, log


async def test_servers_that_are_not_there_are_named_in_one_line(environment: dict[str, str]) -> None:
    (port,) = free_ports(1)
    for name, url in (
        ("DATABASE_URL", f"postgresql://u:hush@127.0.0.1:{port}/db"),
        ("BUS_URL", f"amqp://u:hush@127.0.0.1:{port}/"),
    ):
        async with service({**environment, name: url, "START_TIMEOUT_SECONDS": "0.3"}) as tiny:
            status, log = await tiny.ended()
        assert status == 1
        assert "tiny cannot start: " in log
        assert str(port) in log
        assert "Traceback" not in log
        assert "hush" not in log


async def test_a_wrong_password_or_database_is_told_at_once(environment: dict[str, str]) -> None:
    url = environment["DATABASE_URL"]
    for wrong, reason in (
        (url.replace("@/test_", "@/no_such_"), 'database "no_such_'),
        (url.replace("sakimori:", "sakimori:hush"), "password authentication failed"),
    ):
        async with service({**environment, "DATABASE_URL": wrong}) as tiny:
            status, log = await tiny.ended()
        assert status == 1
        assert log.startswith("tiny cannot start: PostgreSQL at /")
        assert reason in log
        assert "Traceback" not in log
        assert "hush" not in log


async def test_a_service_waits_for_servers_that_start_after_it(
    environment: dict[str, str], rabbitmq: RabbitMQ, postgres_server: PostgresServer
) -> None:
    rabbitmq.kill()
    postgres_server.stop()
    async with service(environment) as tiny:
        await asyncio.to_thread(postgres_server.start)
        await asyncio.to_thread(rabbitmq.start)
        await eventually(lambda: is_live(tiny.side), 30)
        tiny.process.send_signal(signal.SIGTERM)
        assert (await tiny.ended())[0] == 0


async def test_a_signal_ends_a_start_that_still_waits_for_its_servers(environment: dict[str, str]) -> None:
    asked = asyncio.Event()

    async def say_nothing(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        asked.set()
        await reader.read()
        writer.close()

    silent = await asyncio.start_server(say_nothing, "127.0.0.1", 0)
    url = f"amqp://u:hush@127.0.0.1:{silent.sockets[0].getsockname()[1]}/"
    async with service({**environment, "BUS_URL": url, "START_TIMEOUT_SECONDS": "600"}) as tiny:
        await asyncio.wait_for(asked.wait(), 30)
        tiny.process.send_signal(signal.SIGTERM)
        status, log = await tiny.ended()
    silent.close()
    assert (status, log) == (0, "")


async def test_bad_settings_end_with_status_2(environment: dict[str, str]) -> None:
    async with service({**environment, "TINY_HANDLER_SECOND": "1"}) as tiny:
        status, log = await tiny.ended()
    assert status == 2
    assert log == ("tiny cannot start:\nTINY_HANDLER_SECOND: no such setting; did you mean TINY_HANDLER_SECONDS?\n")


async def test_a_port_that_is_taken_is_named(environment: dict[str, str]) -> None:
    async with service(environment) as first:
        await eventually(lambda: is_live(first.side), 30)
        port = first.side.rpartition(":")[2]
        async with service({**environment, "TINY_SIDE_PORT": port}) as second:
            status, log = await second.ended()
    assert status == 1
    assert f"127.0.0.1:{port}: Address already in use" in log
    assert "Traceback" not in log
