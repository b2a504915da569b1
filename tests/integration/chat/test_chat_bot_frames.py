"""Frames that are none: each is refused with a code and an event, whatever carries it."""

import asyncio
import json
import socket
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, suppress
from pathlib import Path

import pytest

from integration.chat.bot_links import BotLink, Gone, SocketLine, TcpLine, by_tcp, by_websocket
from integration.chat.bots import approved_bot
from integration.chat.conftest import OpenChat, chat_running
from integration.chat.test_chat_bot_sessions import Reached, reached
from sakimori_chat.bots.domain.session import Fault
from sakimori_chat.bots.inputs.listener import LineWire
from sakimori_common.context import Postgres, Valkey
from sakimori_common.contracts import Event
from servers.eventually import eventually
from servers.ports import free_ports

__all__ = ["reached"]


@pytest.mark.parametrize(
    ("raw", "code"),
    [
        (b"GET / HTTP/1.1", "invalid_json"),
        (b"{", "invalid_json"),
        (b"[" * 3000, "handshake_expected"),
        (b'{"type":"post","room":"lobby","text":"let me in"}', "handshake_expected"),
        (b'{"type":"handshake","pad":"' + b"x" * 5000 + b'"}', "frame_too_large"),
        (b"x" * 200_000, "frame_too_large"),
    ],
)
async def test_a_first_frame_that_is_no_handshake(reached: Reached, raw: bytes, code: str) -> None:
    bot = await approved_bot(reached.chat)
    async with reached.connect(bot) as link:
        with suppress(Gone):
            await link.line.send(raw)
        last = await link.end()
        assert last.get("code", code) == code  # a WebSocket says it by its close code alone where a message is too long
    await eventually(lambda: reached.refusals("bot.handshake_refused") == [code])


@pytest.mark.parametrize(
    ("raw", "code"),
    [
        (b"not json", "invalid_json"),
        (b"[]", "malformed"),
        (b'{"a":' * 9000, "malformed"),
        (b'{"sequence":1,"signature":"","body":' + b"[" * 30_000, "malformed"),
        (b'{"type":"post","room":"lobby","text":"unsigned"}', "malformed"),
        (b'{"sequence":1,"body":"{}","signature":"v1=00"}', "signature_wrong"),
        (b'{"sequence":1,"body":"' + b"x" * 65536 + b'","signature":""}', "frame_too_large"),
        (b"x" * 2_000_000, "frame_too_large"),
    ],
)
async def test_a_later_frame_that_is_no_signed_one_ends_the_session(reached: Reached, raw: bytes, code: str) -> None:
    bot = await approved_bot(reached.chat)
    async with reached.connect(bot) as link:
        await link.greet()
        with suppress(Gone):  # a very long one is refused before it is all there
            await link.line.send(raw)
        last = await link.end()
        assert last.get("code", code) == code
    action = "bot.hmac_failed" if code == "signature_wrong" else "bot.frame_refused"
    await eventually(lambda: reached.refusals(action) == [code])
    await eventually(lambda: reached.endings() == [code])


async def test_a_signed_frame_that_makes_no_sense_is_refused_and_the_session_goes_on(reached: Reached) -> None:
    bot = await approved_bot(reached.chat)
    async with reached.connect(bot) as link:
        await link.greet()
        await link.say("dance")
        assert (await link.next("refused"))["code"] == "unknown_frame"
        assert (await link.post("x" * 301))["code"] == "too_long"
        assert (await link.post("hi", room="attic"))["code"] == "room_not_approved"
        assert (await link.post("hi"))["type"] == "posted"
    await eventually(lambda: reached.refusals("bot.frame_refused") == ["unknown_frame"])


async def test_bytes_that_are_no_utf8_over_tcp(valkey: Valkey, postgres: Postgres, tmp_path: Path) -> None:
    (port,) = free_ports(1)
    async with chat_running(valkey, postgres, tmp_path / "spool", bot_ports=(port,)) as chat:
        bot = await approved_bot(chat)
        async with by_tcp(port, bot) as link:
            await link.line.send(b'{"type":"handshake","id":"\xff\xfe"}')
            assert (await link.end())["code"] == "invalid_utf8"
        async with by_tcp(port, bot) as link:
            await link.greet()
            await link.line.send(b'{"sequence":1,"body":"\xc3","signature":""}')
            assert (await link.end())["code"] == "invalid_utf8"
        await eventually(lambda: [str(event.fields["bot.refusal"]) for event in _refused(chat)] == ["invalid_utf8"] * 2)


async def test_text_that_is_no_utf8_over_a_websocket(chat: OpenChat) -> None:
    bot = await approved_bot(chat)
    async with by_websocket(chat, bot) as link:
        await link.greet()
        assert isinstance(link.line, SocketLine)
        await link.line.socket.send(b"\xff\xfe", text=True)
        await link.end()
    await eventually(lambda: [str(event.fields["bot.refusal"]) for event in _refused(chat)] == ["invalid_utf8"])


def _refused(chat: OpenChat) -> list[Event]:
    return [*chat.of("bot.handshake_refused"), *chat.of("bot.frame_refused")]


@asynccontextmanager
async def _piped(frame_seconds: float = 10.0) -> AsyncIterator[tuple[LineWire, socket.socket]]:
    """A wire, and the other end of its connection."""
    ours, theirs = socket.socketpair()
    reader, writer = await asyncio.open_connection(sock=ours, limit=16 * 1024)
    try:
        yield LineWire(reader, writer, frame_seconds), theirs
    finally:
        theirs.close()
        writer.close()
        await writer.wait_closed()


async def test_a_frame_that_does_not_end_in_time_is_given_up() -> None:
    async with _piped(frame_seconds=0.05) as (wire, peer):
        peer.sendall(b'{"sequence":1')
        fault = await wire.receive(65536)
        assert isinstance(fault, Fault)
        assert fault.code == "frame_too_slow"


async def test_silence_between_frames_is_no_slow_frame() -> None:
    async with _piped(frame_seconds=0.02) as (wire, peer):
        waiting = asyncio.create_task(wire.receive(65536))
        done, _ = await asyncio.wait({waiting}, timeout=0.1)
        assert not done
        peer.sendall(b"one\ntwo\r\n")
        assert await waiting == b"one"
        assert await wire.receive(65536) == b"two"
        peer.sendall(b"three\nhalf of")
        assert await wire.receive(65536) == b"three"
        peer.close()
        assert await wire.receive(65536) is None


async def test_a_line_may_have_so_many_bytes_and_no_more() -> None:
    async with _piped() as (wire, peer):
        peer.sendall(b"x" * 100 + b"\n" + b"x" * 101 + b"\n")
        assert await wire.receive(100) == b"x" * 100
        fault = await wire.receive(100)
        assert isinstance(fault, Fault)
        assert fault.code == "frame_too_large"


async def test_of_a_line_without_end_no_more_is_held_than_its_bound_and_a_chunk() -> None:
    async with _piped() as (wire, peer):
        peer.setblocking(False)
        peer.send(b"x" * 150_000)
        assert isinstance(await wire.receive(4096), Fault)
        assert wire.held_bytes <= 4096 + 16 * 1024


async def test_trickling_over_tcp_ends_an_open_session(valkey: Valkey, postgres: Postgres, tmp_path: Path) -> None:
    (port,) = free_ports(1)
    async with chat_running(valkey, postgres, tmp_path / "spool", bot_ports=(port,), bot_frame_seconds=0.3) as chat:
        bot = await approved_bot(chat)
        async with by_tcp(port, bot) as link:
            await link.greet()
            trickling = asyncio.create_task(_trickle(link, json.dumps({"sequence": 1, "body": "x" * 1000}).encode()))
            assert (await link.end())["code"] == "frame_too_slow"
            trickling.cancel()
        await eventually(lambda: [str(event.fields["bot.refusal"]) for event in _refused(chat)] == ["frame_too_slow"])


async def _trickle(link: BotLink, content: bytes) -> None:
    assert isinstance(link.line, TcpLine)
    for byte in content:
        link.line.writer.write(bytes([byte]))
        await asyncio.sleep(0.01)
