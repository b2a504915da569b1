"""How long sessions last, how many there may be, and what holds up whom."""

import asyncio
import json
import ssl
import time
from contextlib import AsyncExitStack
from pathlib import Path
from typing import Any

import httpx
import pytest
import trustme

from integration.chat.bot_links import BotLink, Gone, TcpLine, by_tcp, by_websocket
from integration.chat.bots import TestBot, approved_bot, decide
from integration.chat.conftest import OpenChat, chat_running
from sakimori.embedded import PostgresServer, ValkeyServer
from sakimori_chat.adapters.rooms import ValkeyRooms
from sakimori_chat.domain.messages import Draft
from sakimori_common.context import Postgres, Valkey
from servers.eventually import eventually
from servers.ports import free_ports


def _endings(chat: OpenChat) -> list[str]:
    return [str(event.fields["bot.reason"]) for event in chat.of("bot.disconnected")]


def _refusals(chat: OpenChat, action: str = "bot.handshake_refused") -> list[str]:
    return [str(event.fields["bot.refusal"]) for event in chat.of(action)]


async def test_the_eleventh_connection_of_an_address_within_a_minute_is_refused_for_a_while(chat: OpenChat) -> None:
    bot = await approved_bot(chat)
    for _ in range(10):
        async with by_websocket(chat, bot, "203.0.113.50") as link:
            await link.line.send(b"nonsense")
            await link.end()
    async with by_websocket(chat, bot, "203.0.113.50") as link:
        refused = await link.next("handshake_complete")
        assert (refused["code"], refused["block_sec"]) == ("too_many_connects", 30)
    async with by_websocket(chat, bot, "203.0.113.51") as link:
        assert (await link.greet())["success"] is True
    await eventually(lambda: _refusals(chat) == ["invalid_json"] * 10 + ["too_many_connects"])


async def test_an_address_that_goes_on_connecting_waits_longer_each_time(chat: OpenChat, valkey: Valkey) -> None:
    bot = await approved_bot(chat)
    waits = []
    for _ in range(4):
        for _ in range(10):
            async with by_websocket(chat, bot, "203.0.113.50") as link:
                await link.line.send(b"nonsense")
                await link.end()
        async with by_websocket(chat, bot, "203.0.113.50") as link:
            waits.append((await link.next("handshake_complete"))["block_sec"])
        await valkey.delete("bot:connects:203.0.113.50:wait", "bot:connects:203.0.113.50")  # as if the time had passed
    assert waits == [30, 300, 3600, 3600]


async def test_the_eleventh_session_of_a_bot_within_a_minute_is_a_rapid_reconnect(chat: OpenChat) -> None:
    bot = await approved_bot(chat)
    for number in range(10):
        async with by_websocket(chat, bot, f"203.0.113.{number}") as link:
            assert (await link.greet())["success"] is True
    async with by_websocket(chat, bot, "203.0.113.10") as link:
        assert (await link.greet())["code"] == "rapid_reconnect"
    await eventually(lambda: _refusals(chat) == ["rapid_reconnect"])
    (event,) = chat.of("bot.handshake_refused")
    assert event.fields["device.id"] == bot.id


async def test_there_are_so_many_sessions_and_no_more(valkey: Valkey, postgres: Postgres, tmp_path: Path) -> None:
    async with chat_running(valkey, postgres, tmp_path / "spool", bot_connections=2) as chat:
        first, second, third = [await approved_bot(chat, name) for name in ("One", "Two", "Three")]
        async with by_websocket(chat, first) as one, by_websocket(chat, second) as two:
            await one.greet()
            await two.greet()
            async with by_websocket(chat, third) as three:
                assert (await three.greet())["code"] == "too_many_connections"
            async with by_websocket(chat, second) as again:  # takes the place of its older one
                assert (await again.greet())["success"] is True
                assert (await one.post("still here"))["type"] == "posted"


async def test_a_bot_is_pinged_and_its_answers_are_kept(valkey: Valkey, postgres: Postgres, tmp_path: Path) -> None:
    async with chat_running(valkey, postgres, tmp_path / "spool", bot_ping_seconds=0.5) as chat:
        bot = await approved_bot(chat)
        async with by_websocket(chat, bot) as link:
            await link.greet()
            for _ in range(2):
                await link.next("ping")
            await link.say("ping", ref="x")
            await link.next("pong")
    rows = await postgres.fetch("SELECT * FROM chat.bot_pings WHERE bot_id = $1 ORDER BY at", bot.id)
    assert len(rows) >= 2
    assert 0 < rows[0]["rtt_milliseconds"] < 5000
    assert (rows[0]["memory_bytes"], rows[0]["queue"], rows[0]["rooms"]) == (1000, 0, 1)
    session = await postgres.fetchrow("SELECT * FROM chat.bot_sessions WHERE bot_id = $1", bot.id)
    assert (session["transport"], session["ending"]) == ("websocket", "left")
    assert session["opened_at"] < session["ended_at"]
    assert await postgres.fetchval("SELECT last_ping_at FROM chat.bots WHERE id = $1", bot.id) >= rows[0]["at"]


async def test_a_bot_that_answers_no_ping_is_let_go_and_marked(
    valkey: Valkey, postgres: Postgres, tmp_path: Path
) -> None:
    (port,) = free_ports(1)
    async with chat_running(
        valkey, postgres, tmp_path / "spool", bot_ports=(port,), bot_ping_seconds=0.5, bot_ping_timeout_seconds=1.5
    ) as chat:
        bot = await approved_bot(chat)
        async with by_tcp(port, bot) as link:  # half open: the other end takes bytes, and nobody is there
            await link.greet()
            link.answers_pings = False
            last = await link.end()
            assert (last["type"], last["code"]) == ("closing", "ping_timeout")
        await eventually(lambda: _endings(chat) == ["ping_timeout"])
    session = await postgres.fetchrow("SELECT * FROM chat.bot_sessions WHERE bot_id = $1", bot.id)
    assert session["ending"] == "ping_timeout"
    assert await postgres.fetchval("SELECT count(*) FROM chat.bot_pings WHERE rtt_milliseconds IS NULL") == 1


@pytest.mark.parametrize(
    ("setting", "code"), [("bot_session_seconds", "session_expired"), ("bot_read_timeout_seconds", "read_timeout")]
)
async def test_a_session_ends_when_its_time_is_over(
    valkey: Valkey, postgres: Postgres, tmp_path: Path, setting: str, code: str
) -> None:
    changes: dict[str, Any] = {setting: 1.0}
    async with chat_running(valkey, postgres, tmp_path / "spool", **changes) as chat:
        bot = await approved_bot(chat)
        async with by_websocket(chat, bot) as link:
            await link.greet()
            assert (await link.end())["code"] == code
        async with by_websocket(chat, bot) as link:
            assert (await link.greet())["success"] is True


async def test_a_decision_on_its_address_puts_a_bot_out_that_only_listens(chat: OpenChat) -> None:
    blocked, other = await approved_bot(chat, "Blocked"), await approved_bot(chat, "Other")
    async with (
        by_websocket(chat, blocked, "203.0.113.66") as link,
        by_websocket(chat, other, "203.0.113.67") as neighbour,
    ):
        await link.greet()
        await neighbour.greet()
        await chat.decide("source.ip", "203.0.113.66", 60)
        assert (await link.end(seconds=5))["code"] == "blocked_by_decision"
        assert (await neighbour.post("still here"))["type"] == "posted"
    async with by_websocket(chat, blocked, "203.0.113.66") as link:
        assert (await link.greet())["code"] == "blocked_by_decision"


async def test_two_replicas_agree_on_which_session_is_the_bots(
    valkey: Valkey, postgres: Postgres, tmp_path: Path
) -> None:
    async with (
        chat_running(valkey, postgres, tmp_path / "one") as one,
        chat_running(valkey, postgres, tmp_path / "two") as two,
    ):
        bot = await approved_bot(one)
        await eventually(lambda: _is_known(two, bot))
        async with by_websocket(one, bot) as older, by_websocket(two, bot) as newer:
            await older.greet()
            await newer.greet()
            assert (await older.end(seconds=5))["code"] == "replaced"
            assert (await newer.post("from the other replica"))["type"] == "posted"
            visitor = await one.visitor()
            await visitor.post("said at the first replica")
            heard: list[str] = []
            while "said at the first replica" not in heard:
                heard += [message["text"] for message in (await newer.next("messages"))["messages"]]
            await decide(one, bot, "blocked", "by an operator at the first replica")
            assert (await newer.end(seconds=5))["code"] == "bot_blocked"
    assert await valkey.keys("bot:session:*") == []


async def _is_known(chat: OpenChat, bot: TestBot) -> bool:
    elsewhere = TestBot(_http_of(chat), bot.id, bot.secret)
    return (await elsewhere.me()).status_code == 200


def _http_of(chat: OpenChat) -> httpx.AsyncClient:
    http = httpx.AsyncClient(base_url=chat.url, timeout=10)
    chat.visitors.append(http)
    return http


async def test_without_valkey_nobody_gets_in_and_those_inside_get_a_503_until_it_is_back(
    chat: OpenChat, valkey_server: ValkeyServer
) -> None:
    bot = await approved_bot(chat)
    other = await approved_bot(chat, "Other")
    async with by_websocket(chat, bot) as link:
        assert (await link.greet())["success"]
        valkey_server.kill()
        refused = await link.post("anybody there?")
        assert (refused["type"], refused["code"]) == ("refused", "store_unavailable")
        async with by_websocket(chat, other) as outside:
            assert (await outside.next("handshake_complete"))["code"] == "store_unavailable"
        valkey_server.start()
        await eventually(lambda: _posts(link))


async def _posts(link: BotLink) -> bool:
    return bool((await link.post("back again"))["type"] == "posted")


async def test_without_the_registry_nobody_gets_in_and_nothing_is_read(
    chat: OpenChat, postgres_server: PostgresServer
) -> None:
    bot = await approved_bot(chat)
    visitor = await chat.visitor()
    async with by_websocket(chat, bot) as link:
        await link.greet()
        await chat.context.postgres.execute("CHECKPOINT")  # the servers of tests commit without waiting for the disk
        postgres_server.kill()
        await eventually(lambda: chat.metric("sakimori_bot_registry_age_seconds") > 6, seconds=30)
        await visitor.post("not for bots that nobody can check")
        assert (await link.post("let me"))["code"] == "store_unavailable"
        async with by_websocket(chat, bot) as outside:
            assert (await outside.greet())["code"] == "store_unavailable"
        postgres_server.start()
        frame = await link.next("messages", seconds=40)
        assert [message["text"] for message in frame["messages"]] == ["not for bots that nobody can check"]


async def test_a_chat_that_stops_says_so_and_finishes_what_was_asked(
    valkey: Valkey, postgres: Postgres, tmp_path: Path
) -> None:
    stopping = AsyncExitStack()
    chat = await stopping.enter_async_context(chat_running(valkey, postgres, tmp_path / "spool"))
    bot = await approved_bot(chat)
    async with by_websocket(chat, bot) as link:
        await link.greet()
        for number in range(20):
            await link.say("post", room="lobby", text=f"message {number}", ref=str(number))
        await link.next("posted")  # and so the others are being worked on
        reading = asyncio.create_task(_frames(link))
        started = time.monotonic()
        await stopping.aclose()
        assert time.monotonic() - started < 15
        kinds = await reading
        assert "server_shutdown" in kinds
        assert kinds[-1] == "closing"
        assert kinds.count("posted") + 1 == int(await valkey.xlen("chat:lobby:messages"))


async def _frames(link: BotLink) -> list[str]:
    kinds = []
    try:
        while True:
            kinds.append((await link.next(seconds=30))["type"])
    except Gone:
        return kinds


async def test_a_bot_that_does_not_read_is_let_go_and_holds_nobody_up(
    valkey: Valkey, postgres: Postgres, tmp_path: Path
) -> None:
    (port,) = free_ports(1)
    await _fill_the_lobby(valkey)
    async with chat_running(valkey, postgres, tmp_path / "spool", bot_ports=(port,), bot_minute_limit=100_000) as chat:
        deaf, quick = await approved_bot(chat, "Deaf"), await approved_bot(chat, "Quick")
        async with by_tcp(port, deaf, limit=4096) as silent, by_websocket(chat, quick) as link:
            await silent.greet()
            await link.greet()
            asking = asyncio.create_task(_ask_and_never_listen(silent))
            slowest = 0.0
            while not _endings(chat):
                started = time.monotonic()
                assert (await link.post("on time"))["type"] == "posted"
                slowest = max(slowest, time.monotonic() - started)
            asking.cancel()
            assert _endings(chat) == ["too_slow"]
            assert slowest < 5


async def _fill_the_lobby(valkey: Valkey) -> None:
    rooms = ValkeyRooms(valkey)
    for number in range(100):
        text = "\N{GRINNING FACE}" * 300
        await rooms.append("lobby", Draft(f"author-{number}", "", text, "2026-01-16T02:00:00Z"))


async def _ask_and_never_listen(link: BotLink) -> None:
    assert isinstance(link.line, TcpLine)
    while not link.line.writer.is_closing():
        frame = json.dumps(link.envelope("read", room="lobby", after=0, limit=100)).encode()
        link.line.writer.write(frame + b"\n")
        await asyncio.sleep(0.02)


async def test_bots_may_come_by_tls(valkey: Valkey, postgres: Postgres, tmp_path: Path) -> None:
    (port,) = free_ports(1)
    authority = trustme.CA()
    issued = authority.issue_cert("127.0.0.1")
    certificate, key = tmp_path / "certificate.pem", tmp_path / "key.pem"
    issued.cert_chain_pems[0].write_to_path(str(certificate))
    issued.private_key_pem.write_to_path(str(key))
    async with chat_running(
        valkey, postgres, tmp_path / "spool", bot_ports=(port,), bot_certificate=certificate, bot_key=key
    ) as chat:
        bot = await approved_bot(chat)
        trusting = ssl.create_default_context()
        authority.configure_trust(trusting)
        async with by_tcp(port, bot, trusting) as link:
            await link.greet()
            assert (await link.post("in private"))["type"] == "posted"
        async with by_tcp(port, bot) as link:
            await link.line.send(b"in clear")
            with pytest.raises(Gone):
                await link.next()
