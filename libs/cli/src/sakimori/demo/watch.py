"""Watches the live findings of an instance while scenarios are played."""

import asyncio
import json
import time
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, suppress
from dataclasses import dataclass, field
from typing import Any

import httpx
import websockets
from websockets.asyncio.client import ClientConnection, connect

from sakimori.demo.scenarios import Expectation
from sakimori.demo.target import TargetError


@dataclass(slots=True)
class Sighting:
    """A finding as it came over the wire, and when (seconds since the epoch)."""

    finding: dict[str, Any]
    at: float


@dataclass
class Watch:
    """Everything seen so far; `wait_for` waits for more."""

    seen: list[Sighting] = field(default_factory=list)
    _news: asyncio.Event = field(default_factory=asyncio.Event)

    async def read(self, connection: ClientConnection) -> None:
        """Take findings until the connection closes."""
        with suppress(websockets.ConnectionClosed):
            async for text in connection:
                message = json.loads(text)
                self.seen.append(Sighting(message.get("finding", message), time.time()))
                self._news.set()

    async def wait_for(self, expected: Expectation, since: float, timeout_seconds: float) -> Sighting | None:
        """Wait for the first finding that fits and was updated after `since`; None after the timeout."""
        with suppress(TimeoutError):
            async with asyncio.timeout(timeout_seconds):
                while True:
                    for sighting in self.seen:
                        if sighting.at >= since and _fits(sighting.finding, expected):
                            return sighting
                    self._news.clear()
                    await self._news.wait()
        return None

    def about(self, entity: str, since: float) -> list[Sighting]:
        """List what was found about an entity since then."""
        return [sighting for sighting in self.seen if sighting.at >= since and sighting.finding["entity"] == entity]


def _fits(finding: dict[str, Any], expected: Expectation) -> bool:
    return finding["rule_id"] == expected.rule_id and expected.entity in {None, finding["entity"]}


@asynccontextmanager
async def watching(gateway: str, token: str) -> AsyncIterator[Watch]:
    """Open the live findings for the length of the block. Raises TargetError."""
    url = gateway.replace("http", "ws", 1) + "/api/v1/findings/live"
    try:
        connection = await connect(url, additional_headers={"authorization": f"Bearer {token}"}, proxy=None)
    except (OSError, websockets.WebSocketException) as error:
        raise TargetError(f"{url}: {error}") from None
    watch = Watch()
    reading = asyncio.create_task(watch.read(connection))
    try:
        yield watch
    finally:
        await connection.close()
        await reading


async def notice_of(
    client: httpx.AsyncClient, token: str, finding_id: str, timeout_seconds: float
) -> dict[str, Any] | None:
    """Wait for the first notice of a finding that was delivered or held back as a repeat; None after the timeout."""
    deadline = time.monotonic() + timeout_seconds
    while time.monotonic() < deadline:
        answer = await client.get(f"/api/v1/findings/{finding_id}", headers={"authorization": f"Bearer {token}"})
        if answer.status_code == 200:
            settled = [item for item in answer.json()["deliveries"] if item["status"] in {"sent", "suppressed"}]
            if settled:
                return dict(min(settled, key=lambda item: item["status"]))
        await asyncio.sleep(0.05)
    return None
