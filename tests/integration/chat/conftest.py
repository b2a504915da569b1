"""A running chat on a free port, with real Valkey, the bus in memory and somebody who takes its events."""

import re
from collections.abc import AsyncIterator, Awaitable, Callable, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from pathlib import Path

import httpx
import pytest

from sakimori_chat.settings import ChatSettings
from sakimori_chat.wiring import running
from sakimori_common.bus import Bus, Consumer, Message, Queue, Subscription, Topic
from sakimori_common.bus.memory import MemoryBus
from sakimori_common.context import Postgres, ServiceContext, Valkey
from sakimori_common.contracts import DECISIONS, EVENTS, SCHEMA_VERSION, Decision, DecisionAction, Event
from sakimori_common.instants import MICROSECONDS, format_instant, now
from sakimori_common.log import SecurityLogger, logger
from servers.eventually import eventually
from servers.ports import free_ports

EDGE_TOKEN = "the token of the gateway"
SECRET_KEY = "a key of the server, long enough"
ADDRESS = "203.0.113.7"


@dataclass
class Visitor:
    """A browser: keeps cookies, sends the CSRF header, comes through the gateway from one address."""

    http: httpx.AsyncClient

    async def open(self) -> httpx.Response:
        """Open the page."""
        return await self.http.get("/chat")

    async def post(self, text: str, **fields: str) -> httpx.Response:
        """Post as the page's script does."""
        token = self.http.cookies.get("csrf_token") or ""
        headers = {"x-requested-with": "fetch", "x-csrf-token": token}
        return await self.http.post("/chat/post", data={"text": text, **fields}, headers=headers)

    async def texts(self) -> list[str]:
        """Read all messages there are."""
        messages = (await self.http.get("/chat/poll")).json()["messages"]
        return [message["text"] for message in messages]

    @property
    def anon_id(self) -> str:
        """The identity within the signed cookie."""
        return (self.http.cookies.get("anon_id") or "").partition(".")[0]


@dataclass
class OpenChat:
    """The chat under test, and what it said on the bus."""

    url: str
    bus: Bus
    context: ServiceContext
    events: list[Event] = field(default_factory=list)
    visitors: list[httpx.AsyncClient] = field(default_factory=list)

    async def visitor(
        self, address: str = ADDRESS, user_agent: str = "Firefox", language: str = "en", *, opens: bool = True
    ) -> Visitor:
        """Let somebody in; `opens` loads the page once, as a browser would."""
        headers = {
            "x-sakimori-edge": EDGE_TOKEN,
            "x-forwarded-for": address,
            "user-agent": user_agent,
            "accept-language": language,
        }
        http = httpx.AsyncClient(base_url=self.url, headers=headers, timeout=10)
        self.visitors.append(http)
        visitor = Visitor(http)
        if opens:
            assert (await visitor.open()).status_code == 200
        return visitor

    def actions(self) -> list[str]:
        """Name all that was published, in order."""
        return [str(event.fields["event.action"]) for event in self.events]

    def of(self, action: str) -> list[Event]:
        """Pick the events of one action."""
        return [event for event in self.events if event.fields["event.action"] == action]

    def metric(self, name: str, **labels: str) -> float:
        """Read a metric; 0 while it is not there."""
        return self.context.registry.get_sample_value(name, labels) or 0.0

    async def decide(self, entity_type: str, entity: str, seconds: float, **changes: object) -> None:
        """Publish a decision as the detector does; returns when the chat has handled it."""
        at = now()
        fields = {
            "id": f"d-{at}",
            "entity_type": entity_type,
            "entity": entity,
            "action": DecisionAction.BLOCK,
            "rule_id": "chat_flood",
            "finding_id": "f-1",
            "created_at": format_instant(at),
            "expires_at": format_instant(at + int(seconds * MICROSECONDS)),
            "origin": "detector",
            **changes,
        }
        body = DECISIONS.encode([Decision(**fields)])  # type: ignore[arg-type]  # the literals above are right
        await self.bus.publish(Topic.DECISIONS, Message(f"m-{at}", body, {"schema": SCHEMA_VERSION}))


async def _take_events(bus: Bus, into: list[Event]) -> list[Consumer]:
    """Consume as the detector and the store do; the store's copy is what tests look at."""

    async def store(messages: Sequence[Message]) -> None:
        for message in messages:  # each once, as the store has it: what a slow machine published twice has the same id
            known = {event.id for event in into}
            into.extend(event for event in EVENTS.decode(message.body) if event.id not in known)

    async def detect(_: Sequence[Message]) -> None:
        return

    return [
        await bus.consume(Subscription(Queue.STORE, store)),
        await bus.consume(Subscription(Queue.DETECT, detect)),
    ]


OpenChatWith = Callable[..., Awaitable[OpenChat]]


@asynccontextmanager
async def chat_running(
    valkey: Valkey,
    postgres: Postgres,
    spool_dir: Path,
    bus: Bus | None = None,
    *,
    takes_events: bool = True,
    **changes: object,
) -> AsyncIterator[OpenChat]:
    """Run the chat for the length of the block."""
    (port,) = free_ports(1)
    given = {
        "database_url": "postgresql://unused@localhost/unused",
        "valkey_url": "redis://unused",
        "secret_key": SECRET_KEY,
        "edge_token": EDGE_TOKEN,
        "port": port,
        "spool_dir": spool_dir,
        "requests_per_second": 100_000,  # tests are faster than people; test_chat_door is about the door
        "posts_per_second": 100_000,
        **changes,
    }
    settings = ChatSettings(**given)  # type: ignore[arg-type]  # pydantic checks them
    bus = bus or MemoryBus(publish_timeout_seconds=0.3)
    context = ServiceContext(
        service="chat",
        bus=bus,
        postgres=postgres,
        valkey=valkey,
        log=logger("chat"),
        streams=SecurityLogger("chat", "a key of the tests"),
    )
    chat = OpenChat(f"http://127.0.0.1:{given['port']}", bus, context)
    takers = await _take_events(bus, chat.events) if takes_events else []
    try:
        async with running(settings, context):
            yield chat
    finally:
        for http in chat.visitors:
            await http.aclose()
        for taker in takers:
            await taker.drain()
        await bus.close()


@pytest.fixture
async def chat(valkey: Valkey, postgres: Postgres, tmp_path: Path) -> AsyncIterator[OpenChat]:
    """The chat with its default settings."""
    async with chat_running(valkey, postgres, tmp_path / "spool") as opened:
        yield opened


def hidden_token(html: str) -> str:
    """Read the form's CSRF token out of the page."""
    found = re.search(r'name="csrf_token" value="([^"]+)"', html)
    assert found is not None
    return found[1]


async def fingerprint_of(chat: OpenChat) -> str:
    """Post as the visitor that all are unless they say otherwise, and read the fingerprint in the event."""
    probe = await chat.visitor()
    await probe.post("who am I?")
    event = (await eventually(lambda: chat.of("chat.message_posted")))[-1]
    return str(event.fields["client.fingerprint"])
