"""The chat and the detector together, with the rules of this repository, real Valkey and PostgreSQL, and a bus."""

import itertools
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from pathlib import Path

import pytest
from pydantic import SecretStr

from integration.chat.conftest import OpenChat, Visitor, chat_running
from sakimori_common.bus import Bus, Consumer, Message, Queue, Subscription, Topic
from sakimori_common.bus.memory import MemoryBus
from sakimori_common.context import Postgres, ServiceContext, Valkey
from sakimori_common.contracts import DECISIONS, EVENTS, FINDINGS, Decision, Event, Finding
from sakimori_common.settings import load_settings
from sakimori_detector.settings import DetectorSettings
from sakimori_detector.wiring import running as detector_running
from servers.eventually import eventually

RULES = Path(__file__).resolve().parents[3] / "rules"
SPAM = (
    "the moon is full tonight",
    "who wants tickets for saturday",
    "my cat learned to open doors",
    "best noodles are by the station",
    "rain again all week long",
    "somebody left a red umbrella",
    "the printer eats paper once more",
    "tomorrow is pancake day",
    "I counted nine herons",
    "this keyboard misses its q",
)
"""Lines that are nothing like one another, so that the limits alone decide."""


_NUMBERS = itertools.count(1)


@dataclass
class Scene:
    """What happens on the stage, as operators would see it."""

    chat: OpenChat
    detector: ServiceContext
    events: list[Event] = field(default_factory=list)
    findings: list[Finding] = field(default_factory=list)
    decisions: list[Decision] = field(default_factory=list)

    def found(self, rule_id: str) -> list[Finding]:
        """List the findings of a rule, each as it was last told."""
        return list({each.id: each for each in self.findings if each.rule_id == rule_id}.values())

    async def evaluated(self) -> None:
        """Wait until the detector is done with all that the chat has told so far: what a passer-by does comes last."""
        passer_by = await self.chat.visitor(f"198.51.100.{next(_NUMBERS)}", "a passer-by")
        refused = await passer_by.post("long " * 100)
        assert refused.json()["code"] == "too_long"
        sign = refused.headers["x-request-id"]
        await eventually(lambda: any(event.fields.get("trace.id") == sign for event in self.events), 20)
        await eventually(lambda: self._confirmed() >= len(self.events), 20)

    def _confirmed(self) -> float:
        """Count what every consumer on the bus is done with."""
        samples = (each for family in self.chat.context.registry.collect() for each in family.samples)
        return sum(each.value for each in samples if each.name == "sakimori_events_published_total")


@asynccontextmanager
async def scene(
    valkey: Valkey, postgres: Postgres, folder: Path, *, notifies: bool = True, **changes: object
) -> AsyncIterator[Scene]:
    """Open chat and detector on one bus; `changes` are settings of the chat. Without `notifies`, bring a notifier."""
    bus = MemoryBus(publish_timeout_seconds=5)
    settings = load_settings(
        DetectorSettings,
        database_url=SecretStr("postgresql://unused@localhost/unused"),
        valkey_url=SecretStr("redis://unused"),
        rules_dir=RULES,
        feeds_dir=folder / "feeds",
    )
    detector = ServiceContext.of("detector", bus, postgres, valkey)
    given = {"requests_per_second": 100, "posts_per_second": 30, **changes}  # as they are by default
    async with chat_running(valkey, postgres, folder / "spool", bus, takes_events=False, **given) as chat:
        opened = Scene(chat, detector, events=chat.events)
        takers = await _audience(bus, opened, notifies=notifies)
        async with detector_running(settings, detector):
            yield opened
        for taker in takers:
            await taker.drain()


@pytest.fixture
async def stage(valkey: Valkey, postgres: Postgres, tmp_path: Path) -> AsyncIterator[Scene]:
    """Chat and detector with their default settings."""
    async with scene(valkey, postgres, tmp_path) as opened:
        yield opened


async def spam(visitor: Visitor, posts: int = 6) -> list[int]:
    """Post so many times at once; the statuses of the answers."""
    return [(await visitor.post(SPAM[number % len(SPAM)])).status_code for number in range(posts)]


async def with_a_new_cookie(chat: OpenChat, visitor: Visitor) -> Visitor:
    """Come back as nobody: the same address and browser, the cookies deleted."""
    headers = visitor.http.headers
    return await chat.visitor(headers["x-forwarded-for"], headers["user-agent"], headers["accept-language"])


async def _audience(bus: Bus, opened: Scene, *, notifies: bool) -> list[Consumer]:
    async def store(messages: Sequence[Message]) -> None:
        for message in messages:
            opened.events.extend(EVENTS.decode(message.body))

    async def notify(messages: Sequence[Message]) -> None:
        for message in messages:
            opened.findings.extend(FINDINGS.decode(message.body))

    async def take_decisions(message: Message) -> None:
        opened.decisions.extend(DECISIONS.decode(message.body))

    takers = [
        await bus.consume(Subscription(Queue.STORE, store)),
        await bus.watch(Topic.DECISIONS, take_decisions),
    ]
    if notifies:
        takers.append(await bus.consume(Subscription(Queue.NOTIFY, notify)))
    return takers
