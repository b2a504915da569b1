"""A running gateway on a real port, with its bus, stores and operators, as tests use it."""

from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass, field

import httpx
import msgspec
from pydantic import SecretStr

from sakimori_api_gateway.adapters.passwords import Argon2Passwords
from sakimori_api_gateway.domain.addresses import parse_networks
from sakimori_api_gateway.settings import GatewaySettings
from sakimori_api_gateway.wiring import running
from sakimori_common.bus import QUEUES, Consumer, Message, Queue, Subscription, Topic
from sakimori_common.bus.memory import MemoryBus
from sakimori_common.context import Postgres, ServiceContext, Valkey
from sakimori_common.contracts import DECISIONS, EVENTS, FINDINGS, Decision, Event, Finding
from sakimori_common.postgres import open_postgres
from servers.ports import free_ports

ADMIN_PASSWORD = "the admin's password of the tests"
PASSWORD = "an operator's password of the tests"
JWT_SECRET = "a secret of the tests that has 32+ characters"
EDGE_TOKEN = "the edge token of the tests"
_COLUMNS = [name for name in Finding.__struct_fields__ if name != "status"]
HEADERS = {"schema": "1", "source": "test"}


@dataclass
class Stage:
    """The gateway under test. `taken` is what other services would have got from the bus."""

    url: str
    client: httpx.AsyncClient
    bus: MemoryBus
    context: ServiceContext
    postgres: Postgres
    taken: dict[Queue, list[Message]] = field(default_factory=dict)
    tokens: dict[str, str] = field(default_factory=dict)
    consumers: list[Consumer] = field(default_factory=list)

    async def start_consuming(self) -> None:
        """Take what is published as the other services would."""
        self.consumers = [await self.bus.consume(_sink(name, self.taken.setdefault(name, []))) for name in QUEUES]

    async def stop_consuming(self) -> None:
        """Leave what is published where it is, so that publishing does not succeed any more."""
        for consumer in self.consumers:
            await consumer.drain()
        self.consumers = []

    async def login(self, user: str, password: str, **headers: str) -> httpx.Response:
        return await self.client.post("/api/v1/login", json={"username": user, "password": password}, headers=headers)

    async def bearer(self, role: str) -> dict[str, str]:
        """Headers of an operator of that role, who is made at first use and has the role's name (`admin` is there)."""
        if role not in self.tokens:
            if role != "admin":
                new = {"username": role, "password": PASSWORD, "role": role}
                made = await self.client.post("/api/v1/users", json=new, headers=await self.bearer("admin"))
                assert made.status_code == 201, made.text
            answer = await self.login(role, ADMIN_PASSWORD if role == "admin" else PASSWORD)
            assert answer.status_code == 200, answer.text
            self.tokens[role] = answer.json()["access_token"]
        return {"authorization": f"Bearer {self.tokens[role]}"}

    async def publish(self, *findings: Finding) -> None:
        await self.bus.publish(
            Topic.FINDINGS, Message(f"findings-{findings[0].id}", FINDINGS.encode(findings), HEADERS)
        )

    def events(self) -> list[Event]:
        return [event for message in self.taken[Queue.STORE] for event in EVENTS.decode(message.body)]

    def decisions(self) -> list[Decision]:
        return [decision for message in self.taken[Queue.ENFORCE] for decision in DECISIONS.decode(message.body)]

    async def audit(self, target: str) -> list[tuple[str, str, object, object]]:
        rows = await self.postgres.fetch(
            "SELECT actor, action, old, new FROM gateway.audit WHERE target = $1 ORDER BY id", target
        )
        return [(row["actor"], row["action"], _json(row["old"]), _json(row["new"])) for row in rows]


def _json(text: str | None) -> object:
    return None if text is None else msgspec.json.decode(text)


@asynccontextmanager
async def staged(postgres_url: str, valkey: Valkey, **changes: object) -> AsyncIterator[Stage]:
    """Run a gateway until the block ends. `changes` are settings; passwords are hashed fast unless `passwords` says.

    With a `bus` it is the tests' own, which other services are at already.
    """
    passwords = changes.pop("passwords", Argon2Passwords(time_cost=1, memory_kib=64, lanes=1))
    assert isinstance(passwords, Argon2Passwords)
    given_bus = changes.pop("bus", None)
    assert given_bus is None or isinstance(given_bus, MemoryBus)
    postgres = await open_postgres(postgres_url)
    bus = given_bus or MemoryBus(publish_timeout_seconds=2)
    context = ServiceContext.of("api-gateway", bus, postgres, valkey)
    port = free_ports(1)[0]
    given: dict[str, object] = {
        "database_url": SecretStr(postgres_url),
        "valkey_url": SecretStr("unix:///given"),
        "port": port,
        "jwt_secret": SecretStr(JWT_SECRET),
        "admin_password": SecretStr(ADMIN_PASSWORD),
        "edge_token": SecretStr(EDGE_TOKEN),
        "trusted_proxies": parse_networks("127.0.0.1/32"),
        "login_attempts_per_address": 1000,
    }
    url = f"http://127.0.0.1:{port}"
    try:
        async with (
            running(GatewaySettings(**(given | changes)), context, passwords),  # type: ignore[arg-type]
            httpx.AsyncClient(base_url=url, trust_env=False, timeout=10) as client,
        ):
            stage = Stage(url, client, bus, context, postgres)
            if given_bus is None:
                await stage.start_consuming()
            try:
                yield stage
            finally:
                await stage.stop_consuming()
    finally:
        postgres.terminate()
        if given_bus is None:
            await bus.close()


def _sink(queue: Queue, into: list[Message]) -> Subscription:
    async def take(messages: Sequence[Message]) -> None:
        into.extend(messages)

    return Subscription(queue, take)


async def store(postgres: Postgres, *findings: Finding) -> None:
    """Put findings where the detector puts them."""
    instants = {"first_seen_at", "last_seen_at", "created_at"}
    values = ", ".join(
        f"${place}::text::timestamptz" if name in instants else f"${place}" for place, name in enumerate(_COLUMNS, 1)
    )
    await postgres.executemany(
        f"INSERT INTO detector.findings ({', '.join(_COLUMNS)}) VALUES ({values})",
        [_row(each) for each in findings],
    )


def _row(each: Finding) -> tuple[object, ...]:
    row = {name: getattr(each, name) for name in Finding.__struct_fields__ if name != "status"}
    row["severity"] = each.severity.value
    row["evidence"] = msgspec.json.encode(each.evidence).decode()
    row["details"] = msgspec.json.encode(each.details).decode()
    return tuple(row[name] for name in _COLUMNS)
