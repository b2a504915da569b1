"""The real chat's page behind the real gateway: live messages, refusals, and a chat that goes away and comes back."""

import itertools
from contextlib import AsyncExitStack
from pathlib import Path
from typing import Any

import httpx
import pytest
from websockets.exceptions import InvalidStatus

from gateway.pair import Pair
from gateway.stage import EDGE_TOKEN, staged
from integration.chat.conftest import chat_running
from integration.chat.live import Live, handshake, listening
from sakimori_common.context import Postgres, Valkey
from servers.eventually import eventually
from servers.ports import free_ports
from servers.promptness import quickest


async def test_what_is_posted_is_heard_live_by_all(pair: Pair) -> None:
    speaker, hearer = await pair.visitor(), await pair.visitor("203.0.113.8")
    async with listening(speaker) as speaking, listening(hearer) as hearing:
        await speaker.post("by the form")
        assert await hearing.texts(1) == ["by the form"]
        await speaking.until("messages")
        await speaking.post("by the socket", ref="1")
        assert (await speaking.until("posted"))["ref"] == "1"
        assert await hearing.texts(2) == ["by the form", "by the socket"]


async def test_a_pages_origin_must_be_the_host_it_came_to(pair: Pair) -> None:
    visitor = await pair.visitor()
    for origin in ("http://evil.example", None):
        with pytest.raises(InvalidStatus) as refusal:
            async with listening(visitor, headers=handshake(visitor, origin=origin)):
                pass
        assert refusal.value.response.status_code == 403
        assert b'"origin_refused"' in (refusal.value.response.body or b"")


async def test_an_operators_ban_and_a_rooms_lock_reach_open_pages(pair: Pair) -> None:
    visitor = await pair.visitor()
    await visitor.post("buy now")
    async with listening(visitor) as live:
        ban = {"room": "lobby", "message": 1, "seconds": 600, "reason": "spam"}
        await pair.ask("analyst", "POST", "/chat/bans", ban, 201)
        assert 590 <= (await live.until("blocked"))["block_sec"] <= 600
        await pair.ask("admin", "PATCH", "/chat/rooms/lobby", {"policy": {"is_locked": True}}, 200)
        assert (await _room_frame(live))["is_locked"] is True
        await pair.ask("analyst", "DELETE", "/chat/rooms/lobby/messages/1", None, 200)
        assert (await live.until("deleted"))["ids"] == [1]


async def test_open_pages_learn_of_a_ban_and_of_a_lock_within_a_second(pair: Pair) -> None:
    visitor = await pair.visitor()
    await visitor.post("buy now")
    async with listening(visitor) as live:

        async def is_banned() -> None:
            ban = {"room": "lobby", "message": 1, "seconds": 600, "reason": "spam"}
            await pair.ask("analyst", "POST", "/chat/bans", ban, 201)
            await live.until("blocked")

        async def is_locked() -> None:
            policy = {"title": f"Locked {next(numbers)}", "is_locked": True}
            await pair.ask("admin", "PATCH", "/chat/rooms/lobby", {"policy": policy}, 200)
            while (await live.until("room"))["title"] != policy["title"]:
                pass

        numbers = itertools.count()
        assert await quickest(is_banned) < 1
        assert await quickest(is_locked) < 1


async def _room_frame(live: Live) -> dict[str, object]:
    frame = await live.until("room")
    return frame if frame["is_locked"] else await live.until("room")


async def test_a_blocked_address_is_refused_and_its_open_page_is_closed(pair: Pair) -> None:
    attacker = await pair.visitor("203.0.113.66")
    async with listening(attacker) as live:
        block = {"entity": "203.0.113.66", "expires_in_seconds": 600, "reason": "floods"}
        await pair.ask("analyst", "POST", "/decisions", block, 201)
        assert await live.closed() == 1008
    assert (await attacker.http.get("/chat")).status_code == 403
    assert (await attacker.post("hello")).status_code == 403
    with pytest.raises(InvalidStatus) as refusal:
        async with listening(attacker):
            pass
    assert refusal.value.response.status_code == 403


async def test_one_request_id_stands_in_the_answer_and_in_the_event(pair: Pair) -> None:
    visitor = await pair.visitor()
    answer = await visitor.post("hello")
    events = await eventually(lambda: pair.chat.of("chat.message_posted"))
    assert events[0].fields["trace.id"] == answer.headers["x-request-id"]
    assert not {"203.0.113.7"} & set(map(str, events[0].fields.values()))


async def test_a_chat_that_goes_away_is_a_503_and_comes_back_by_itself(
    postgres_url: str, postgres: Postgres, valkey: Valkey, tmp_path: Path
) -> None:
    (port,) = free_ports(1)
    settings: dict[str, Any] = {"edge_token": EDGE_TOKEN, "port": port}
    async with AsyncExitStack() as gateway, AsyncExitStack() as first:
        chat = await first.enter_async_context(chat_running(valkey, postgres, tmp_path / "a", **settings))
        stage = await gateway.enter_async_context(staged(postgres_url, valkey, chat_url=chat.url))
        pair = Pair(stage, chat)
        visitor = await pair.visitor()
        gateway.push_async_callback(visitor.http.aclose)
        async with listening(visitor) as live:
            await first.aclose()
            assert await live.closed() in {1001, 1012, 1013}
        assert [(await visitor.open()).status_code, (await visitor.post("x")).status_code] == [503, 503]
        with pytest.raises(InvalidStatus) as refusal:
            async with listening(visitor):
                pass
        assert refusal.value.response.status_code == 503
        assert (await pair.ask("viewer", "GET", "/chat/rooms")).status_code == 503
        gone = await pair.ask("analyst", "DELETE", "/chat/rooms/lobby/messages/1")
        assert (gone.status_code, gone.json()["code"]) == (503, "system_unavailable")
        assert await stage.audit("message:lobby/1") == []

        second = await gateway.enter_async_context(chat_running(valkey, postgres, tmp_path / "b", **settings))
        assert second.url == chat.url
        assert (await visitor.post("back again")).status_code == 200
        async with listening(visitor) as again:
            assert await again.texts(1) == ["back again"]


async def test_the_debug_routes_are_not_there_for_anybody(pair: Pair) -> None:
    async with httpx.AsyncClient(base_url=pair.chat.url) as http:
        for path in ("/debug/whoami", "/debug/unblock-me", "/debug"):
            assert (await http.get(path, headers={"x-admin-token": "any"})).status_code == 404
