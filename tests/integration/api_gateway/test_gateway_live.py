"""Live findings on the WebSocket."""

import asyncio
import itertools
import json
import time
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

import pytest
import websockets
from websockets.asyncio.client import ClientConnection, connect
from websockets.typing import Subprotocol

from gateway.stage import ADMIN_PASSWORD, HEADERS, JWT_SECRET, Stage, staged, store
from sakimori_api_gateway.domain.roles import Role
from sakimori_api_gateway.domain.tokens import Token, sign
from sakimori_common.bus import Message, Topic
from sakimori_common.context import Valkey
from sakimori_common.testing.samples import BRUTE_FORCE, finding
from servers.eventually import eventually
from servers.promptness import quickest


def url_of(stage: Stage) -> str:
    return stage.url.replace("http", "ws", 1) + "/api/v1/findings/live"


@asynccontextmanager
async def watching(stage: Stage, token: str, **options: Any) -> AsyncIterator[ClientConnection]:
    headers = {"authorization": f"Bearer {token}"}
    async with connect(url_of(stage), additional_headers=headers, proxy=None, **options) as connection:
        await eventually(lambda: metric(stage, "sakimori_gateway_live_clients") > 0, 3)
        yield connection


def metric(stage: Stage, name: str) -> float:
    return stage.context.registry.get_sample_value(name) or 0.0


async def token_of(stage: Stage, role: str) -> str:
    return (await stage.bearer(role))["authorization"].removeprefix("Bearer ")


async def received(connection: ClientConnection) -> dict[str, Any]:
    async with asyncio.timeout(3):
        return dict(json.loads(await connection.recv()))


async def closed_with(connection: ClientConnection, seconds: float = 8) -> int | None:
    async with asyncio.timeout(seconds):
        await connection.wait_closed()
    return connection.close_code


async def test_a_published_finding_reaches_the_client_within_a_second(stage: Stage) -> None:
    async with watching(stage, await token_of(stage, "analyst")) as connection:
        await stage.publish(BRUTE_FORCE)
        shown = await received(connection)
        assert shown["id"] == BRUTE_FORCE.id
        assert shown["entity"] == "203.0.113.42"
        assert shown["status"] == "open"
        assert shown["due_at"] == "2026-01-16T03:04:00.020Z"

        async def shows_another() -> None:
            await stage.publish(finding(id=f"another-{next(numbers)}"))
            await received(connection)

        numbers = itertools.count()
        assert await quickest(shows_another) < 1


async def test_triage_is_shown_live_and_a_repeat_of_the_finding_keeps_its_status(stage: Stage) -> None:
    await store(stage.postgres, BRUTE_FORCE)
    async with watching(stage, await token_of(stage, "analyst")) as connection:
        path = f"/api/v1/findings/{BRUTE_FORCE.id}/acknowledge"
        await stage.client.put(path, headers=await stage.bearer("analyst"))
        assert (await received(connection))["status"] == "acknowledged"
        await stage.publish(finding(count=6))
        shown = await received(connection)
        assert (shown["count"], shown["status"]) == (6, "acknowledged")


async def test_a_viewer_sees_pseudonyms(stage: Stage) -> None:
    async with watching(stage, await token_of(stage, "viewer")) as connection:
        await stage.publish(BRUTE_FORCE)
        assert "203.0.113.42" not in json.dumps(await received(connection))


async def test_a_browser_brings_the_token_as_subprotocol(stage: Stage) -> None:
    token = await token_of(stage, "analyst")
    for offered, accepted in (
        (["sakimori", f"bearer.{token}"], "sakimori"),
        ([f"bearer.{token}"], f"bearer.{token}"),
    ):
        protocols = [Subprotocol(each) for each in offered]
        async with connect(url_of(stage), subprotocols=protocols, origin=None, proxy=None) as connection:
            assert connection.subprotocol == accepted
            await eventually(lambda: metric(stage, "sakimori_gateway_live_clients") == 1, 3)
            await stage.publish(BRUTE_FORCE)
            assert (await received(connection))["id"] == BRUTE_FORCE.id
        await eventually(lambda: metric(stage, "sakimori_gateway_live_clients") == 0, 3)


async def test_the_token_may_be_the_first_message(stage: Stage) -> None:
    async with connect(url_of(stage), proxy=None) as connection:
        await connection.send(json.dumps({"token": await token_of(stage, "analyst")}))
        await eventually(lambda: metric(stage, "sakimori_gateway_live_clients") == 1, 3)
        await stage.publish(BRUTE_FORCE)
        assert (await received(connection))["id"] == BRUTE_FORCE.id


@pytest.mark.parametrize("first", ['{"token": "x.y.z"}', "{", b"\x00", '{"tokens": 1}', None])
async def test_without_a_valid_token_the_connection_closes_with_4401(stage: Stage, first: str | bytes | None) -> None:
    async with connect(url_of(stage), proxy=None) as connection:
        if first is not None:
            await connection.send(first)
        assert await closed_with(connection) == 4401


async def test_the_connection_closes_with_4401_when_the_token_expires(stage: Stage) -> None:
    now = time.time_ns() // 1000
    token = sign(Token("admin", Role.ADMIN, now, now + 2_000_000), JWT_SECRET)
    async with watching(stage, token) as connection:
        assert await closed_with(connection, 4) == 4401


async def test_another_sites_page_cannot_open_it(stage: Stage) -> None:
    token = await token_of(stage, "analyst")
    protocols = [Subprotocol(f"bearer.{token}")]
    with pytest.raises(websockets.InvalidStatus) as refused:
        async with connect(url_of(stage), subprotocols=protocols, origin="https://evil.example", proxy=None):  # type: ignore[arg-type]
            pass
    assert refused.value.response.status_code == 403
    async with connect(url_of(stage), subprotocols=protocols, origin=stage.url, proxy=None):  # type: ignore[arg-type]
        pass


async def test_a_client_that_does_not_read_is_let_go_and_holds_nobody_up(stage: Stage) -> None:
    async with (
        watching(stage, await token_of(stage, "analyst"), max_queue=1) as sleeper,
        watching(stage, await token_of(stage, "analyst"), max_queue=None) as reader,
    ):
        await eventually(lambda: metric(stage, "sakimori_gateway_live_clients") == 2, 3)
        big = finding(why="x" * 100_000)
        for number in range(20):
            batch = [finding(id=f"{number}-{place}", why=big.why) for place in range(20)]
            await stage.publish(*batch)
            for _ in batch:
                await received(reader)
        await eventually(lambda: metric(stage, "sakimori_gateway_live_clients_dropped_total") == 1, 5)
        assert metric(stage, "sakimori_gateway_live_clients") == 1
        assert sleeper.close_code is None


async def test_a_blocked_address_cannot_watch(stage: Stage) -> None:
    headers = await stage.bearer("analyst")
    new = {"entity": "203.0.113.42", "expires_in_seconds": 60, "reason": "x"}
    await stage.client.post("/api/v1/decisions", json=new, headers=headers)
    with pytest.raises(websockets.InvalidStatus) as refused:
        async with connect(
            url_of(stage), additional_headers={**headers, "x-forwarded-for": "203.0.113.42"}, proxy=None
        ):
            pass
    assert refused.value.response.status_code == 403


async def test_a_message_that_is_no_finding_does_not_end_the_view(stage: Stage) -> None:
    async with watching(stage, await token_of(stage, "analyst")) as connection:
        await stage.bus.publish(Topic.FINDINGS, Message("bad", b"\x93\x01", HEADERS))
        await stage.publish(BRUTE_FORCE)
        assert (await received(connection))["id"] == BRUTE_FORCE.id


async def test_clients_are_told_when_the_gateway_stops(postgres_url: str, valkey: Valkey) -> None:
    async with staged(postgres_url, valkey) as stage:
        token = (await stage.login("admin", ADMIN_PASSWORD)).json()["access_token"]
        connection = await connect(url_of(stage), additional_headers={"authorization": f"Bearer {token}"}, proxy=None)
        await eventually(lambda: metric(stage, "sakimori_gateway_live_clients") == 1, 3)
        started = time.perf_counter()
    assert time.perf_counter() - started < 4
    assert await closed_with(connection) in {1001, 1012}
