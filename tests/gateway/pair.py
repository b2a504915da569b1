"""The real chat behind the real gateway, on one bus."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import httpx

from gateway.stage import EDGE_TOKEN, Stage, staged
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
        headers = {"x-forwarded-for": address, "user-agent": "Firefox", "accept-language": "en"}
        http = httpx.AsyncClient(base_url=self.stage.url, headers=headers, timeout=10)
        self.visitors.append(http)
        visitor = Visitor(http)
        assert (await visitor.open()).status_code == 200
        return visitor

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
