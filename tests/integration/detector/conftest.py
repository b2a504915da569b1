"""A running detector with real Valkey, PostgreSQL and RabbitMQ."""

import uuid
from collections.abc import AsyncIterator, Callable, Sequence
from contextlib import AbstractAsyncContextManager, asynccontextmanager
from pathlib import Path

import pytest
from pydantic import SecretStr

import detector_rules
from sakimori_common.bus import Bus, Message, Topic, open_bus
from sakimori_common.context import Postgres, ServiceContext, Valkey
from sakimori_common.contracts import DECISIONS, EVENTS, FINDINGS, SCHEMA_VERSION, Decision, Event, Finding
from sakimori_common.ids import random_event_id
from sakimori_common.instants import MICROSECONDS, now
from sakimori_common.settings import load_settings
from sakimori_detector.settings import DetectorSettings
from sakimori_detector.wiring import running


@pytest.fixture
async def bus(rabbitmq_url: str) -> AsyncIterator[Bus]:
    opened = await open_bus(rabbitmq_url, service="test")
    yield opened
    await opened.close()


@pytest.fixture
def rules_dir(tmp_path: Path) -> Path:
    for name, text in {**detector_rules.ALL, **detector_rules.LISTS}.items():
        path = tmp_path / "rules" / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text, encoding="utf-8")
    return tmp_path / "rules"


Replica = Callable[[], AbstractAsyncContextManager[ServiceContext]]


@pytest.fixture
def replica(rabbitmq_url: str, postgres: Postgres, valkey: Valkey, rules_dir: Path) -> Replica:
    """Start another detector on the same servers."""

    @asynccontextmanager
    async def _replica() -> AsyncIterator[ServiceContext]:
        settings = load_settings(
            DetectorSettings,
            database_url=SecretStr("postgresql://given"),
            valkey_url=SecretStr("redis://given"),
            rules_dir=rules_dir,
            allowed_addresses="192.0.2.200",
            feeds_dir=rules_dir.parent / "feeds",
        )
        own = await open_bus(rabbitmq_url, service="detector")
        context = ServiceContext.of("detector", own, postgres, valkey)
        async with running(settings, context):
            yield context
        await own.close()

    return _replica


class Heard:
    """What was published, as it came."""

    def __init__(self) -> None:
        self.findings: list[Finding] = []
        self.decisions: list[Decision] = []
        self.messages: list[Message] = []

    async def take_findings(self, message: Message) -> None:
        self.messages.append(message)
        self.findings += FINDINGS.decode(message.body)

    async def take_decisions(self, message: Message) -> None:
        self.decisions += DECISIONS.decode(message.body)


@pytest.fixture
async def heard(bus: Bus) -> AsyncIterator[Heard]:
    heard = Heard()
    watchers = [
        await bus.watch(Topic.FINDINGS, heard.take_findings),
        await bus.watch(Topic.DECISIONS, heard.take_decisions),
    ]
    yield heard
    for watcher in watchers:
        await watcher.drain()


def failed_login(seconds_ago: float = 0.0, ip: str = "203.0.113.42", user: str = "admin") -> Event:
    time = now() - round(seconds_ago * MICROSECONDS)
    fields = {"event.action": "ssh_login", "event.outcome": "failure", "source.ip": ip, "user.name": user}
    return Event(random_event_id(time), time, "openssh.auth", {**fields, "trace.id": "trace-1"})


def message_of(events: Sequence[Event], id: str | None = None) -> Message:
    headers = {"schema": SCHEMA_VERSION, "source": "test"}
    return Message(id or str(uuid.uuid4()), EVENTS.encode(events), headers)
