import asyncio
import json
from collections.abc import AsyncIterator
from contextlib import AbstractAsyncContextManager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from integration.chat.bot_links import BotLink, Gone, by_tcp, by_websocket
from integration.chat.bots import TestBot, approved_bot, bot_at, decide
from integration.chat.conftest import OpenChat, chat_running
from sakimori_common.context import Postgres, Valkey
from servers.eventually import eventually
from servers.ports import free_ports


@dataclass
class Reached:
    """A chat, and one way for bots to reach it."""

    chat: OpenChat
    transport: str
    port: int

    def connect(self, bot: TestBot) -> AbstractAsyncContextManager[BotLink]:
        return by_tcp(self.port, bot) if self.transport == "tcp" else by_websocket(self.chat, bot)

    def endings(self) -> list[str]:
        return [str(event.fields["bot.reason"]) for event in self.chat.of("bot.disconnected")]

    def refusals(self, action: str) -> list[str]:
        return [str(event.fields["bot.refusal"]) for event in self.chat.of(action)]


@pytest.fixture(params=["websocket", "tcp"])
async def reached(
    request: pytest.FixtureRequest, valkey: Valkey, postgres: Postgres, tmp_path: Path
) -> AsyncIterator[Reached]:
    """The chat by each of the two ways."""
    (port,) = free_ports(1)
    async with chat_running(valkey, postgres, tmp_path / "spool", bot_ports=(port,)) as chat:
        yield Reached(chat, request.param, port)


async def test_a_bot_connects_posts_reads_and_hears_what_others_say(reached: Reached) -> None:
    bot = await approved_bot(reached.chat)
    visitor = await reached.chat.visitor()
    await visitor.post("before it came")
    async with reached.connect(bot) as link:
        answer = await link.greet()
        assert answer["success"] is True
        assert answer["approved"] is True
        assert answer["rooms"] == {"lobby": 1}
        assert answer["expires_seconds"] == 3600
        assert reached.chat.metric("sakimori_bot_active_connections", transport=reached.transport) == 1

        assert (await link.post("hello from a bot", ref="a"))["id"] == 2
        await visitor.post("hello, bot")
        heard: list[str] = []
        while len(heard) < 2:
            frame = await link.next("messages")
            heard += [message["text"] for message in frame["messages"]]
        assert heard == ["hello from a bot", "hello, bot"]

        await link.say("read", room="lobby", after=0, ref="b")
        page = await link.next("page")
        assert [message["text"] for message in page["messages"]] == ["before it came", "hello from a bot", "hello, bot"]
        assert page["ref"] == "b"
        await link.say("ping", ref="c")
        assert (await link.next("pong"))["ref"] == "c"
    assert await visitor.texts() == ["before it came", "hello from a bot", "hello, bot"]
    await eventually(lambda: reached.endings() == ["left"])
    (connected,) = reached.chat.of("bot.connected")
    assert connected.fields["device.id"] == bot.id
    assert connected.fields["bot.transport"] == reached.transport
    await eventually(lambda: reached.chat.metric("sakimori_bot_active_connections", transport=reached.transport) == 0)


async def test_a_frame_that_comes_again_is_refused_and_ends_the_session(reached: Reached) -> None:
    bot = await approved_bot(reached.chat)
    async with reached.connect(bot) as link:
        await link.greet()
        once = json.dumps(link.envelope("post", room="lobby", text="once", ref="a")).encode()
        await link.line.send(once)
        await link.next("posted")
        await link.line.send(once)
        assert (await link.end())["code"] == "replayed"
    await eventually(lambda: reached.refusals("bot.replay_refused") == ["replayed"])
    await eventually(lambda: reached.endings() == ["replayed"])


async def test_frames_in_another_order_are_refused(reached: Reached) -> None:
    bot = await approved_bot(reached.chat)
    async with reached.connect(bot) as link:
        await link.greet()
        await link.line.send(json.dumps(link.envelope("post", 2, room="lobby", text="second")).encode())
        assert (await link.end())["code"] == "out_of_order"
    await eventually(lambda: reached.refusals("bot.replay_refused") == ["out_of_order"])


async def test_an_altered_frame_is_refused(reached: Reached) -> None:
    bot = await approved_bot(reached.chat)
    async with reached.connect(bot) as link:
        await link.greet()
        frame = link.envelope("post", room="lobby", text="send 10")
        await link.line.send(json.dumps({**frame, "body": frame["body"].replace("10", "90")}).encode())
        assert (await link.end())["code"] == "signature_wrong"
    await eventually(lambda: reached.refusals("bot.hmac_failed") == ["signature_wrong"])
    assert reached.chat.metric("sakimori_bot_auth_failures_total", reason="signature_wrong") == 1


async def test_a_frame_of_another_session_is_refused(reached: Reached) -> None:
    bot = await approved_bot(reached.chat)
    async with reached.connect(bot) as first:
        await first.greet()
        old = json.dumps(first.envelope("post", room="lobby", text="old")).encode()
    async with reached.connect(bot) as second:
        await second.greet()
        await second.line.send(old)
        assert (await second.end())["code"] == "signature_wrong"


HANDSHAKES: list[tuple[dict[str, Any], str, str]] = [
    ({"secret": "sbk_" + "0" * 43}, "signature_wrong", "bot.hmac_failed"),
    ({"name": "another"}, "signature_wrong", "bot.hmac_failed"),
    ({"at": 1_000_000_000}, "timestamp_skewed", "bot.hmac_failed"),
    ({"id": "bot-0123456789abcdef"}, "signature_wrong", "bot.hmac_failed"),
    ({"nonce": "short"}, "signature_malformed", "bot.unauthorized"),
    ({"signature": "v1=no"}, "signature_malformed", "bot.unauthorized"),
    ({"nonce": 7}, "handshake_expected", "bot.handshake_refused"),
]


@pytest.mark.parametrize(("changes", "code", "action"), HANDSHAKES)
async def test_a_handshake_that_is_not_right_gets_a_code_an_event_and_no_session(
    reached: Reached, changes: dict[str, Any], code: str, action: str
) -> None:
    bot = await approved_bot(reached.chat)
    async with reached.connect(bot) as link:
        answer = await link.greet(**changes)
        assert (answer["success"], answer["approved"], answer["code"]) == (False, False, code)
        with pytest.raises(Gone):
            await link.next()
    await eventually(lambda: reached.refusals(action) == [code])
    assert reached.chat.of("bot.connected") == []


async def test_a_handshake_that_comes_again_is_refused(reached: Reached) -> None:
    bot = await approved_bot(reached.chat)
    async with reached.connect(bot) as first, reached.connect(bot) as second:
        handshake = first.handshake()
        await first.line.send(json.dumps(handshake).encode())
        assert (await first.next("handshake_complete"))["success"] is True
        await second.line.send(json.dumps(handshake).encode())
        assert (await second.next("handshake_complete"))["code"] == "nonce_replayed"
    await eventually(lambda: reached.refusals("bot.replay_refused") == ["nonce_replayed"])


async def test_a_pending_bot_may_wait_and_learns_at_once_that_it_was_approved(reached: Reached) -> None:
    bot = bot_at(reached.chat)
    await bot.register()
    async with reached.connect(bot) as link:
        answer = await link.greet()
        assert (answer["success"], answer["approved"], answer["rooms"]) == (True, False, {})
        refused = await link.post("may I?")
        assert (refused["type"], refused["code"]) == ("refused", "bot_pending")
        await decide(reached.chat, bot, "approved")
        status = await link.next("status", seconds=5)
        assert (status["status"], status["rooms"]) == ("approved", {"lobby": 0})
        assert (await link.post("thank you"))["type"] == "posted"


@pytest.mark.parametrize(("status", "code"), [("blocked", "bot_blocked"), ("revoked", "bot_revoked")])
async def test_a_bot_that_is_blocked_or_revoked_is_put_out_within_five_seconds(
    reached: Reached, status: str, code: str
) -> None:
    bot = await approved_bot(reached.chat)
    async with reached.connect(bot) as link:
        await link.greet()
        await decide(reached.chat, bot, status, "Suspicious activity")
        last = await link.end(seconds=5)
        assert (last["type"], last["code"]) == ("closing", code)
    async with reached.connect(bot) as link:
        assert (await link.greet())["code"] == code


async def test_a_newer_session_replaces_the_older(reached: Reached) -> None:
    bot = await approved_bot(reached.chat)
    async with reached.connect(bot) as older, reached.connect(bot) as newer:
        await older.greet()
        await newer.greet()
        assert (await older.end(seconds=3))["code"] == "replaced"
        assert (await newer.post("still here"))["type"] == "posted"


async def test_who_says_nothing_is_sent_away(valkey: Valkey, postgres: Postgres, tmp_path: Path) -> None:
    (port,) = free_ports(1)
    async with chat_running(valkey, postgres, tmp_path / "spool", bot_ports=(port,), bot_handshake_seconds=0.3) as chat:
        bot = bot_at(chat)
        async with by_websocket(chat, bot) as silent:
            assert (await silent.end())["code"] == "handshake_timeout"
        async with by_tcp(port, bot) as slow:
            trickle = asyncio.create_task(_trickle(slow, b'{"type":"handshake","id":"'))
            assert (await slow.end())["code"] == "handshake_timeout"
            trickle.cancel()
        await eventually(lambda: len(chat.of("bot.handshake_refused")) == 2)
        assert {event.fields["bot.refusal"] for event in chat.of("bot.handshake_refused")} == {"handshake_timeout"}


async def _trickle(link: BotLink, content: bytes) -> None:
    assert hasattr(link.line, "writer")
    for byte in content * 1000:
        link.line.writer.write(bytes([byte]))
        await asyncio.sleep(0.01)
