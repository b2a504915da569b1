"""A running collector on real PostgreSQL and Valkey, on either bus."""

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable, Sequence
from contextlib import AsyncExitStack
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import httpx
import pytest
from pydantic import SecretStr

from sakimori_collector.adapters.sealing import Sealer
from sakimori_collector.settings import CollectorSettings
from sakimori_collector.wiring import running
from sakimori_common.bus import Bus, Consumer, Message, Queue, Subscription, open_bus
from sakimori_common.context import Postgres, ServiceContext, Valkey
from servers.ports import free_ports

TOKEN = "test-ingest-token-0123"
EDGE = "test-edge-token-0123456"
PRIVACY = "test-privacy-key-0123"


@dataclass
class Collector:
    """A running collector, its HTTP client, and how to stop it."""

    context: ServiceContext
    client: httpx.AsyncClient
    stopping: asyncio.Event = field(default_factory=asyncio.Event)
    task: "asyncio.Task[None] | None" = None

    async def post(self, body: str | bytes, key: str | None = None, **headers: str) -> httpx.Response:
        """Post to /ingest with the token."""
        given = {"authorization": f"Bearer {TOKEN}", **headers}
        if key is not None:
            given["idempotency-key"] = key
        return await self.client.post("/ingest", content=body, headers=given)

    async def rows(self) -> list[dict[str, Any]]:
        """Read the events that are stored, by time and offset."""
        found = await self.context.postgres.fetch(
            "SELECT *, host(source_ip) AS ip, fields->>'log.offset' AS place FROM public.events "
            "ORDER BY time, (fields->>'log.offset')::bigint, id"
        )
        return [dict(row) for row in found]

    async def count(self) -> int:
        """Count the events that are stored."""
        return int(await self.context.postgres.fetchval("SELECT count(*) FROM collector.events"))

    async def rejected(self) -> list[dict[str, Any]]:
        """Read the rejected lines, decrypted."""
        sealer = Sealer(SecretStr(PRIVACY))
        rows = await self.context.postgres.fetch("SELECT * FROM collector.rejected_lines ORDER BY id")
        return [{**row, "raw": sealer.unseal(row["raw"], str(row["id"]))} for row in rows]

    async def position(self, path: object) -> int | None:
        """Read how far a file was read."""
        value = await self.context.postgres.fetchval(
            "SELECT position FROM collector.checkpoints WHERE path = $1", str(path)
        )
        return None if value is None else int(value)

    def lines(self, what: str, source: str) -> float:
        """Read one of the line counters."""
        name = "lines_spooled" if what == "spooled" else f"lines_{what}_total"
        return self.context.registry.get_sample_value(f"sakimori_collector_{name}", {"source": source}) or 0.0

    async def stop(self) -> None:
        """Stop in order."""
        self.stopping.set()
        if self.task is not None:
            await self.task

    async def crash(self) -> None:
        """Stop as a killed process does: nothing is finished."""
        if self.task is not None:
            self.task.cancel()
            await asyncio.gather(self.task, return_exceptions=True)


Start = Callable[..., Awaitable[Collector]]


@pytest.fixture
def bus_url(request: pytest.FixtureRequest) -> str:
    """In memory, unless the test is marked `parametrize("bus_url", ["amqp"], indirect=True)`."""
    if getattr(request, "param", "memory") == "amqp":
        return str(request.getfixturevalue("rabbitmq_url"))
    return "memory://"


@pytest.fixture
async def bus(bus_url: str) -> AsyncIterator[Bus]:
    opened = await open_bus(bus_url, service="collector", publish_timeout_seconds=2.0)
    yield opened
    await opened.close()


@pytest.fixture
async def detector(bus: Bus) -> AsyncIterator[Consumer]:
    """Stands where the detector stands: a message is safe only when both consumers of events have it."""

    async def _take(_: Sequence[Message]) -> None:
        return None

    consumer = await bus.consume(Subscription(Queue.DETECT, _take, group=10))
    yield consumer
    await consumer.drain()


@pytest.fixture
async def start(
    bus: Bus, detector: Consumer, postgres: Postgres, valkey: Valkey, tmp_path: Path
) -> AsyncIterator[Start]:
    """Start a collector with some settings."""
    started: list[Collector] = []
    stack = AsyncExitStack()

    async def _start(**changes: object) -> Collector:
        [port] = free_ports(1)
        settings: dict[str, Any] = {
            "database_url": SecretStr("postgresql://is/open/already"),
            "valkey_url": SecretStr("redis://is/open/already"),
            "ingest_token": SecretStr(TOKEN),
            "edge_token": SecretStr(EDGE),
            "privacy_key": SecretStr(PRIVACY),
            "port": port,
            "spool_dir": tmp_path / "collector-spool",
            "retention_days": 36_500,  # the lines of these tests bear fixed dates
            **changes,
        }
        context = ServiceContext.of("collector", bus, postgres, valkey)
        client = await stack.enter_async_context(httpx.AsyncClient(base_url=f"http://127.0.0.1:{port}", timeout=30))
        collector = Collector(context, client)
        ready = asyncio.Event()

        async def _run() -> None:
            async with running(CollectorSettings(**settings), context):
                ready.set()
                await collector.stopping.wait()

        collector.task = asyncio.create_task(_run())
        waiting = asyncio.create_task(ready.wait())
        await asyncio.wait({waiting, collector.task}, return_when=asyncio.FIRST_COMPLETED)
        assert ready.is_set(), collector.task
        started.append(collector)
        return collector

    yield _start
    for collector in started:
        if collector.task is not None and not collector.task.done():
            await collector.stop()
    await stack.aclose()
