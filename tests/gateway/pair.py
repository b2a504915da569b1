"""The real chat behind the real gateway, on one bus."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import httpx
from websockets.asyncio.client import connect

from gateway.stage import EDGE_TOKEN, Stage, staged
from integration.chat.bot_links import BotLink, SocketLine
from integration.chat.bots import TestBot
from integration.chat.conftest import OpenChat, Visitor, chat_running
from sakimori_common.bus.memory import MemoryBus
from sakimori_common.context import Postgres, Valkey


@dataclass
class Pair:
    """Both under test; visitors come through the gateway."""

    stage: Stage
    chat: OpenChat
    visitors: list[httpx.AsyncClient] = field(default_factory=list)

    async def visitor(self, address: str = "203.0.113.7") -> Visitor:
        """Let somebody in by the gateway's door."""
        headers = {
            "x-forwarded-for": address,
            "x-sakimori-edge": "a guess",
            "user-agent": "Firefox",
            "accept-language": "en",
        }
        http = httpx.AsyncClient(base_url=self.stage.url, headers=headers, timeout=10)
        self.visitors.append(http)
        visitor = Visitor(http)
        assert (await visitor.open()).status_code == 200
        return visitor

    async def bot(self, name: str = "Weather", address: str = "198.51.100.20") -> TestBot:
        """Register a bot by the gateway's door; it waits for approval."""
        http = httpx.AsyncClient(base_url=self.stage.url, headers={"x-forwarded-for": address}, timeout=10)
        self.visitors.append(http)
        bot = TestBot(http)
        assert (await bot.register(name)).status_code == 201
        return bot

    @asynccontextmanager
    async def session(self, bot: TestBot) -> AsyncIterator[BotLink]:
        """Connect a bot by WebSocket, through the gateway."""
        url = self.stage.url.replace("http:", "ws:") + "/bots/ws"
        headers = {"x-forwarded-for": "198.51.100.20"}
        async with connect(url, additional_headers=headers, ping_interval=None, close_timeout=1, proxy=None) as socket:
            yield BotLink(SocketLine(socket), bot)

    async def ask(
        self, role: str, method: str, path: str, json: object = None, expects: int | None = None
    ) -> httpx.Response:
        """Ask the API as an operator of a role, with what is below /api/v1."""
        answer = await self.stage.client.request(
            method, f"/api/v1{path}", json=json, headers=await self.stage.bearer(role)
        )
        assert expects is None or answer.status_code == expects, answer.text
        return answer


@asynccontextmanager
async def together(
    postgres_url: str, postgres: Postgres, valkey: Valkey, spool: Path, **chat_settings: Any
) -> AsyncIterator[Pair]:
    """Run both until the block ends."""
    bus = MemoryBus(publish_timeout_seconds=2)
    async with (
        chat_running(valkey, postgres, spool, bus, edge_token=EDGE_TOKEN, **chat_settings) as chat,
        staged(postgres_url, valkey, bus=bus, chat_url=chat.url) as stage,
    ):
        pair = Pair(stage, chat)
        try:
            yield pair
        finally:
            for http in pair.visitors:
                await http.aclose()
