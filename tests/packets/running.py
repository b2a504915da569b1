"""A packet-sensor that runs, and what it publishes."""

from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from pathlib import Path

import httpx
import redis.asyncio

from sakimori_common.bus import Bus, Consumer, Message, Queue, Subscription
from sakimori_common.context import Postgres, ServiceContext
from sakimori_common.contracts import EVENTS, Event
from sakimori_packet_sensor.settings import SensorSettings
from sakimori_packet_sensor.wiring import running
from servers.ports import free_ports

EDGE_TOKEN = "the token of the gateway"


@dataclass
class RunningSensor:
    """A sensor, the way to it, and what it published."""

    url: str
    context: ServiceContext
    events: list[Event] = field(default_factory=list)

    async def post(self, capture: bytes) -> httpx.Response:
        return await self.ask("POST", "/captures", content=capture)

    async def ask(self, method: str, path: str, **content: object) -> httpx.Response:
        async with httpx.AsyncClient(timeout=60, trust_env=False) as client:
            headers = {"x-sakimori-edge": EDGE_TOKEN}
            return await client.request(method, f"{self.url}{path}", headers=headers, **content)  # type: ignore[arg-type]

    def metric(self, name: str, **labels: str) -> float:
        return self.context.registry.get_sample_value(name, labels) or 0.0

    def of(self, dataset: str) -> list[Event]:
        """What was published of a dataset, each event once."""
        return list({event.id: event for event in self.events if event.dataset == dataset}.values())

    async def take_events(self, bus: Bus) -> list[Consumer]:
        """Consume as the store and the detector do; the store's copy is kept."""

        async def store(messages: Sequence[Message]) -> None:
            for message in messages:
                self.events.extend(EVENTS.decode(message.body))

        async def detect(_: Sequence[Message]) -> None:
            return

        return [
            await bus.consume(Subscription(Queue.STORE, store)),
            await bus.consume(Subscription(Queue.DETECT, detect)),
        ]


@asynccontextmanager
async def sensor_on(bus: Bus, postgres: Postgres, spool_dir: Path, **changes: object) -> AsyncIterator[RunningSensor]:
    """Run a sensor until the block ends. `changes` are settings."""
    (port,) = free_ports(1)
    given: dict[str, object] = {
        "database_url": "postgresql://given",
        "valkey_url": "redis://unused",
        "edge_token": EDGE_TOKEN,
        "port": port,
        "spool_dir": spool_dir,
        "poll_seconds": 0.05,
        **changes,
    }
    settings = SensorSettings(**given)  # type: ignore[arg-type]  # pydantic checks them
    unused = redis.asyncio.Redis()
    context = ServiceContext.of("packet-sensor", bus, postgres, unused)
    context.health.remove("valkey")
    async with running(settings, context):
        yield RunningSensor(f"http://127.0.0.1:{port}", context)
