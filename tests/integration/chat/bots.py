"""A bot that speaks the protocol by its description, and the operator who lets it in."""

import hashlib
import hmac
import json
import secrets
import time
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from typing import Any

import httpx
from prometheus_client import CollectorRegistry

from integration.chat.conftest import EDGE_TOKEN, SECRET_KEY, OpenChat
from sakimori_chat.adapters.held import ValkeyHeld
from sakimori_chat.adapters.room_directory import PostgresRoomDirectory
from sakimori_chat.adapters.rooms import ValkeyRooms
from sakimori_chat.bots.adapters.gate import ValkeyBotGate
from sakimori_chat.bots.adapters.registry import PostgresBotRegistry
from sakimori_chat.bots.adapters.sealing import Sealer
from sakimori_chat.bots.domain.device import BotStatus
from sakimori_chat.bots.domain.forgeries import Forgeries
from sakimori_chat.bots.domain.limits import BotLimits
from sakimori_chat.bots.intake import BotDoor
from sakimori_chat.bots.metrics import BotMetrics
from sakimori_chat.bots.office import BotOffice, OfficeRules
from sakimori_chat.bots.screening import Screening
from sakimori_chat.domain.occurrences import Occurrence
from servers.eventually import eventually


@dataclass
class TestBot:
    """One bot; what a test wants different from an honest request it says with `send`."""

    __test__ = False

    http: httpx.AsyncClient
    id: str = "bot-0000000000000000"
    secret: str = field(default="sbk_nobody", repr=False)

    def proof(self, method: str, target: str, body: bytes = b"", **changes: Any) -> dict[str, str]:
        """Sign a request; changes: at, nonce, secret, id."""
        at = changes.get("at", int(time.time()))
        nonce = changes.get("nonce", secrets.token_urlsafe(16))
        lines = ["SAKIMORI-HMAC-SHA256", method, target, str(at), nonce, hashlib.sha256(body).hexdigest()]
        key = changes.get("secret", self.secret).encode()
        digits = hmac.new(key, "\n".join(lines).encode(), hashlib.sha256).hexdigest()
        return {
            "X-Sakimori-Bot": changes.get("id", self.id),
            "X-Sakimori-Timestamp": str(at),
            "X-Sakimori-Nonce": nonce,
            "X-Sakimori-Signature": f"v1={digits}",
        }

    async def send(self, method: str, target: str, body: bytes = b"", **changes: Any) -> httpx.Response:
        """Send a signed request."""
        return await self.http.request(
            method, target, content=body, headers=self.proof(method, target, body, **changes)
        )

    async def post(self, text: str, room: str = "lobby", **changes: Any) -> httpx.Response:
        """Say something."""
        return await self.send("POST", "/bots/messages", json.dumps({"room": room, "text": text}).encode(), **changes)

    async def read(self, room: str = "lobby", after: int = 0, limit: int = 100) -> httpx.Response:
        """Read a room."""
        return await self.send("GET", f"/bots/messages?room={room}&after={after}&limit={limit}")

    async def me(self, **changes: Any) -> httpx.Response:
        """Ask how it stands."""
        return await self.send("GET", "/bots/me", **changes)

    async def register(self, name: str = "Weather", rooms: tuple[str, ...] = ("lobby",), **more: Any) -> httpx.Response:
        """Register, and remember id and secret."""
        response = await self.http.post("/bots/register", json={"name": name, "rooms": list(rooms), **more})
        if response.status_code == 201:
            self.id, self.secret = response.json()["bot"]["id"], response.json()["secret"]
        return response


def bot_at(chat: OpenChat, address: str = "198.51.100.20") -> TestBot:
    """Start a bot on a server somewhere; it comes through the gateway."""
    headers = {"x-sakimori-edge": EDGE_TOKEN, "x-forwarded-for": address}
    http = httpx.AsyncClient(base_url=chat.url, headers=headers, timeout=10)
    chat.visitors.append(http)
    return TestBot(http)


async def approved_bot(chat: OpenChat, name: str = "Weather", rooms: tuple[str, ...] = ("lobby",)) -> TestBot:
    """Register a bot and approve it as an operator would, by another replica; returns once the chat knows."""
    bot = bot_at(chat)
    assert (await bot.register(name, rooms)).status_code == 201
    await decide(chat, bot, "approved")
    return bot


async def decide(chat: OpenChat, bot: TestBot, status: str, reason: str = "") -> None:
    """Make an operator's decision on a bot, by another replica; returns once the chat knows."""
    async with office_of(chat) as office:
        assert await office.change(bot.id, BotStatus(status), "mika", reason) is not None
    await eventually(lambda: _stands(bot, status))


async def _stands(bot: TestBot, status: str) -> bool:
    response = await bot.me()
    told = {response.json().get("status"), response.json().get("code")}
    return not told.isdisjoint({status, f"bot_{status}"})


@dataclass
class Replica:
    """Another replica's office and door."""

    office: BotOffice
    door: BotDoor


@asynccontextmanager
async def another_replica(chat: OpenChat) -> AsyncIterator[Replica]:
    """Open office and door once more, on the same stores."""
    context = chat.context
    metrics = BotMetrics(CollectorRegistry())
    registry = PostgresBotRegistry(
        context.postgres, Sealer(SECRET_KEY), context.log, metrics, pending_limit=100, pending_seconds=604_800
    )
    gate = ValkeyBotGate(context.valkey, BotLimits())
    reports = Reports()
    door = BotDoor(
        registry=registry,
        gate=gate,
        rooms=ValkeyRooms(context.valkey),
        screening=Screening((), ValkeyRooms(context.valkey), ValkeyHeld(context.valkey)),
        directory=PostgresRoomDirectory(context.postgres, context.log),
        reporter=reports,
        metrics=metrics,
        forgeries=Forgeries(30),
    )
    office = BotOffice(registry=registry, gate=gate, reporter=reports, metrics=metrics, rules=OfficeRules())
    async with registry.running(context.background):
        yield Replica(office, door)


@asynccontextmanager
async def office_of(chat: OpenChat) -> AsyncIterator[BotOffice]:
    """Open the office of another replica."""
    async with another_replica(chat) as replica:
        yield replica.office


class Reports:
    """A reporter that keeps what it is told."""

    def __init__(self) -> None:
        self.occurrences: list[Occurrence] = []

    def report(self, occurrence: Occurrence) -> None:
        """See Reporter."""
        self.occurrences.append(occurrence)
