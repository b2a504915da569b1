import asyncio
import socket
from contextlib import AsyncExitStack, suppress
from pathlib import Path

import pytest
from websockets.exceptions import ConnectionClosed, ConnectionClosedError

from integration.chat.conftest import OpenChat, Visitor, chat_running
from integration.chat.live import Live, handshake, listening, refusal, upgrade
from integration.chat.test_chat_room_directory import put
from sakimori.embedded import ValkeyServer
from sakimori_chat.adapters.rooms import ValkeyRooms
from sakimori_chat.domain.messages import Draft
from sakimori_common.context import Postgres, Valkey
from servers.eventually import eventually


async def test_a_listener_sees_where_the_room_stands_and_then_what_is_said(chat: OpenChat) -> None:
    writer, reader = await chat.visitor(), await chat.visitor("203.0.113.8")
    await writer.post("before")
    async with listening(reader) as live:
        page, room = await live.next(), await live.next()
        assert (page["type"], page["next"], page["reset"], page["block_sec"]) == ("page", 1, False, 0)
        assert (room["type"], room["room"], room["is_locked"], room["max_characters"]) == ("room", "lobby", False, 300)
        await writer.post("after")
        said = await live.next()
    assert [message["text"] for message in page["messages"]] == ["before"]
    assert (said["type"], said["next"]) == ("messages", 2)
    assert [(message["id"], message["text"]) for message in said["messages"]] == [(2, "after")]
    assert said["messages"][0]["author"] == f"anon-{writer.anon_id[:8]}"
    assert writer.anon_id not in str(said)


async def test_a_post_by_websocket_is_answered_and_heard_by_all(chat: OpenChat) -> None:
    writer, reader = await chat.visitor(), await chat.visitor("203.0.113.8")
    async with listening(writer) as speaking, listening(reader) as live:
        await live.until("room")
        await speaking.post("hello", ref="7", name="Ann")
        assert (await speaking.until("posted"))["ref"] == "7"
        (message,) = (await live.until("messages"))["messages"]
        assert (message["text"], message["name"]) == ("hello", "Ann")
        assert await speaking.texts(1) == ["hello"]
    (event,) = await eventually(lambda: chat.of("chat.message_posted"))
    assert (event.fields["user.id"], event.fields["url.path"]) == (writer.anon_id, "/chat/ws")


async def test_who_comes_back_with_its_number_gets_exactly_what_it_missed(chat: OpenChat) -> None:
    writer, reader = await chat.visitor(), await chat.visitor("203.0.113.8")
    async with listening(reader) as live:
        await live.until("room")
        await writer.post("1")
        await live.texts(1)
    for text in ("2", "3"):
        await writer.post(text)
    async with listening(reader, "?after=1") as live:
        await writer.post("4")
        assert await live.texts(3) == ["2", "3", "4"]
        assert live.frames[0]["reset"] is False
    async with listening(reader, "?after=99") as live:
        page = await live.next()
    assert (page["reset"], [message["text"] for message in page["messages"]]) == (True, ["1", "2", "3", "4"])


async def test_a_refused_post_says_why_and_for_how_long(chat: OpenChat) -> None:
    writer = await chat.visitor()
    async with listening(writer) as live:
        for number in range(6):
            await live.post(f"post {number}", ref=str(number))
        refused = await live.until("refused")
        assert (refused["ref"], refused["code"], refused["block_sec"]) == ("5", "rate_limited", 30)
        assert len([frame for frame in live.frames if frame["type"] == "posted"]) == 5
    await eventually(lambda: "security.rate_limit_hit" in chat.actions())


@pytest.mark.parametrize("token", ["", "another token of enough characters"])
async def test_a_post_without_the_cookies_token_is_refused_and_reported(chat: OpenChat, token: str) -> None:
    writer = await chat.visitor()
    async with listening(writer) as live:
        await live.post("hello", ref="a", csrf_token=token)
        assert (await live.until("refused"))["code"] == "csrf_failed"
    await eventually(lambda: chat.of("security.csrf_failed"))
    assert await writer.texts() == []


async def test_a_held_message_is_heard_by_its_author_alone_until_it_is_released(chat: OpenChat, valkey: Valkey) -> None:
    muted, reader = await chat.visitor(), await chat.visitor("203.0.113.8")
    await valkey.set(f"mute:{muted.anon_id}", "1", ex=60)
    async with listening(muted) as author, listening(muted) as other_tab, listening(reader) as live:
        await live.until("room")
        await other_tab.until("room")
        await author.post("can you hear me")
        assert await author.texts(1) == ["can you hear me"]
        assert await other_tab.texts(1) == ["can you hear me"]
        await reader.post("hello")
        assert await live.texts(1) == ["hello"]
        assert [message["id"] for message in live.messages()] == [2]


async def test_a_deleted_message_goes_from_every_screen_within_a_second(chat: OpenChat, valkey: Valkey) -> None:
    writer, reader = await chat.visitor(), await chat.visitor("203.0.113.8")
    await writer.post("rude")
    async with listening(reader) as live:
        await live.until("room")
        async with asyncio.timeout(1):
            assert await ValkeyRooms(valkey).delete("lobby", 1)
            assert (await live.until("deleted"))["ids"] == [1]
    polled = (await reader.http.get("/chat/poll?after=1")).json()
    assert (polled["deleted"], polled["messages"], polled["reset"]) == ([1], [], False)


async def test_a_decision_shows_on_the_screen_of_whom_it_meets_within_a_second(chat: OpenChat) -> None:
    visitor, other = await chat.visitor(), await chat.visitor("203.0.113.8", "Chromium")
    async with listening(visitor) as live, listening(other) as bystander:
        await live.until("room")
        await bystander.until("room")
        async with asyncio.timeout(1):
            await chat.decide("source.ip", "203.0.113.7", seconds=60)
            assert 58 <= (await live.until("blocked"))["block_sec"] <= 60
        async with asyncio.timeout(1):
            await chat.decide("source.ip", "203.0.113.7", seconds=-1, origin="operator")
            assert (await live.until("blocked"))["block_sec"] == 0
        await other.post("hello")
        await bystander.texts(1)
        assert "blocked" not in [frame["type"] for frame in bystander.frames]


async def test_who_is_banned_learns_it_in_every_tab(chat: OpenChat) -> None:
    visitor = await chat.visitor()
    async with listening(visitor) as live:
        await live.until("room")
        for number in range(6):
            await visitor.post(f"post {number}")
        assert (await live.until("blocked"))["block_sec"] == 30
    async with listening(visitor) as live:
        assert 28 <= (await live.next())["block_sec"] <= 30


ORIGINS = {
    "none": (None, "origin_missing"),
    "opaque": ("null", "origin_null"),
    "foreign": ("http://evil.example", "origin_foreign"),
    "another port": ("http://127.0.0.1:1", "origin_foreign"),
    "another scheme": ("file://127.0.0.1", "origin_foreign"),
}


@pytest.mark.parametrize("origin", ORIGINS)
async def test_a_foreign_pages_handshake_is_refused_and_reported(chat: OpenChat, origin: str) -> None:
    visitor = await chat.visitor()
    given, reason = ORIGINS[origin]
    assert await refusal(chat, visitor, origin=given) == (403, "origin_refused")
    (event,) = await eventually(lambda: chat.of("security.csrf_failed"))
    assert (event.fields["chat.reason"], event.fields["url.path"]) == (reason, "/chat/ws")


async def test_other_origins_may_be_allowed(valkey: Valkey, postgres: Postgres, tmp_path: Path) -> None:
    async with chat_running(valkey, postgres, tmp_path / "spool", origins="https://chat.example") as chat:
        visitor = await chat.visitor()
        async with listening(visitor, headers=handshake(visitor, origin="https://chat.example")) as live:
            assert (await live.next())["type"] == "page"


async def test_a_cookie_of_another_key_is_refused_and_reported(chat: OpenChat) -> None:
    visitor = await chat.visitor()
    forged = "0b0f3c5e-7a55-4b1e-9d0a-5a4f3f1c2d3e.1767225600.c2lnbmF0dXJl"
    assert await refusal(chat, visitor, cookie=f"anon_id={forged}") == (403, "identity_unknown")
    await eventually(lambda: len(chat.of("security.cookie_forged")) == 1)


async def test_without_an_identity_nobody_listens(chat: OpenChat) -> None:
    visitor = await chat.visitor()
    assert await refusal(chat, visitor, cookie=None) == (403, "identity_unknown")
    assert chat.of("security.cookie_forged") == []


@pytest.mark.parametrize(
    ("query", "status", "code"),
    [
        ("?room=cellar", 404, "no_such_room"),
        ("?room=%00", 404, "no_such_room"),
        ("?after=-1", 400, "bad_request"),
        ("?after=x", 400, "bad_request"),
        ("?after=%D9%A1", 400, "bad_request"),
        ("?after=99999999999999999", 400, "bad_request"),
    ],
)
async def test_a_handshake_that_asks_for_nonsense_is_refused(
    chat: OpenChat, query: str, status: int, code: str
) -> None:
    assert await refusal(chat, await chat.visitor(), query) == (status, code)


async def test_an_address_has_so_many_connections_and_the_replica_too(
    valkey: Valkey, postgres: Postgres, tmp_path: Path
) -> None:
    async with chat_running(
        valkey, postgres, tmp_path / "spool", live_connections_per_address=2, live_connections=3
    ) as chat:
        first, second, third = [await chat.visitor(f"2001:db8:0:{number}::1") for number in range(3)]
        neighbour = await chat.visitor("2001:db8::2")
        async with listening(first), listening(neighbour), listening(second):
            assert await refusal(chat, first) == (429, "too_many_connections")
            assert await refusal(chat, third) == (429, "too_many_connections")
            assert chat.metric("sakimori_chat_live_connections") == 3
        reasons = await eventually(lambda: _reasons(chat, "security.connection_refused", 2))
        assert reasons == ["too_many_here", "full"]
        await eventually(lambda: chat.metric("sakimori_chat_live_connections") == 0)
        async with listening(await chat.visitor("2001:db8:0:9::1")) as live:
            await live.until("room")


def _reasons(chat: OpenChat, action: str, count: int) -> list[object]:
    events = chat.of(action)
    return [event.fields["chat.reason"] for event in events] if len(events) == count else []


BREACHES: dict[str, tuple[str | bytes | list[str], int]] = {
    "too_large": ("x" * 8193, 1009),
    "far too large": ("x" * 1_000_000, 1009),
    "binary": (b"{}", 1003),
    "not_json": ("{", 1008),
    "deep": ('{"type":"post","text":"a","more":' + "[" * 5000, 1008),
    "unknown_frame": ('{"type":"shout","text":"hello"}', 1008),
    "no text": ('{"type":"post"}', 1008),
    "numbers for words": ('{"type":"post","text":1}', 1008),
    "a long ref": ('{"type":"post","text":"a","ref":"' + "r" * 65 + '"}', 1008),
    "too_many_fragments": (["a"] * 200, 1008),
}
REASONS = {
    "far too large": "too_large",
    "deep": "not_json",
    "no text": "unknown_frame",
    "numbers for words": "unknown_frame",
    "a long ref": "unknown_frame",
}


@pytest.mark.parametrize("breach", BREACHES)
async def test_a_frame_that_nobody_may_send_closes_the_connection_with_a_reason(chat: OpenChat, breach: str) -> None:
    visitor = await chat.visitor()
    sent, code = BREACHES[breach]
    async with listening(visitor) as live:
        await live.until("room")
        await _send(live, sent)
        assert await live.closed() == code
    (event,) = await eventually(lambda: chat.of("security.frame_refused"))
    assert event.fields["chat.reason"] == REASONS.get(breach, breach)
    assert event.fields["user.id"] == visitor.anon_id
    assert (await visitor.post("still here")).status_code == 200


async def _send(live: Live, sent: str | bytes | list[str]) -> None:
    with suppress(ConnectionClosedError):  # it was over before all was sent
        await live.socket.send(sent)


async def test_text_that_is_no_utf8_closes_the_connection(chat: OpenChat) -> None:
    visitor = await chat.visitor()
    async with listening(visitor) as live:
        await live.until("room")
        await live.socket.send(b'{"type":"post","text":"\xff"}', text=True)
        assert await live.closed() == 1007
    (event,) = await eventually(lambda: chat.of("security.frame_refused"))
    assert event.fields["chat.reason"] == "invalid_utf8"


@pytest.mark.parametrize(
    "sent",
    [b"\x81\x05hello", b"\xc1\x80\0\0\0\0", b"\x83\x80\0\0\0\0", b"\x80\x80\0\0\0\0"],
    ids=["unmasked", "compressed without leave", "an operation that is none", "the rest of nothing"],
)
async def test_what_breaks_the_protocol_closes_the_connection(chat: OpenChat, sent: bytes) -> None:
    visitor = await chat.visitor()
    async with listening(visitor) as live:
        await live.until("room")
        live.socket.transport.write(sent)
        assert await live.closed() == 1002
    (event,) = await eventually(lambda: chat.of("security.frame_refused"))
    assert event.fields["chat.reason"] == "malformed"


async def test_a_flood_of_frames_or_pings_closes_the_connection(chat: OpenChat) -> None:
    visitor = await chat.visitor()
    async with listening(visitor) as live:
        await live.until("room")
        for number in range(30):
            await live.post("hello", csrf_token="", ref=str(number))
        assert await live.closed() == 1008
        assert len([frame for frame in live.frames if frame["type"] == "refused"]) <= 20
    async with listening(visitor) as live:
        for number in range(40):
            await live.socket.ping(str(number))
        assert await live.closed() == 1008
    reasons = await eventually(lambda: _reasons(chat, "security.frame_refused", 2))
    assert reasons == ["too_many_frames", "too_many_pings"]


async def test_a_room_that_closes_sends_its_listeners_away_and_a_changed_one_tells_them(
    chat: OpenChat, postgres: Postgres
) -> None:
    await put(postgres, "garden", {})
    visitor = await chat.visitor()
    await eventually(lambda: _opens(visitor, "?room=garden"))
    async with listening(visitor, "?room=garden") as live:
        await live.until("room")
        await put(postgres, "garden", {"title": "Roses", "is_locked": True})
        changed = await live.until("room")
        assert (changed["room"], changed["title"], changed["is_locked"]) == ("garden", "Roses", True)
        await live.post("hello", ref="1")
        assert (await live.until("refused"))["code"] == "locked"
        await put(postgres, "garden", {}, is_open=False)
        assert await live.closed() == 4404


async def test_the_open_rooms_are_listed_with_what_a_visitor_has_to_know(chat: OpenChat, postgres: Postgres) -> None:
    await put(postgres, "garden", {"title": "Roses", "is_locked": True, "slow_seconds": 5, "words": ["weed"]})
    await put(postgres, "cellar", {}, is_open=False)
    visitor = await chat.visitor()
    await eventually(lambda: _opens(visitor, "?room=garden"))
    assert (await visitor.http.get("/chat/rooms")).json()["rooms"] == [
        {"room": "lobby", "title": "Lobby", "is_locked": False, "slow_seconds": 0, "max_characters": 300},
        {"room": "garden", "title": "Roses", "is_locked": True, "slow_seconds": 5, "max_characters": 300},
    ]


async def _opens(visitor: Visitor, query: str) -> bool:
    return (await visitor.http.get(f"/chat{query}")).status_code == 200


async def test_without_valkey_listeners_stay_posts_are_refused_and_all_heals(
    chat: OpenChat, valkey_server: ValkeyServer
) -> None:
    visitor = await chat.visitor()
    async with listening(visitor) as live:
        await live.until("room")
        valkey_server.kill()
        await live.post("hello", ref="1")
        refused = await live.until("refused")
        assert (refused["code"], refused["ref"]) == ("system_unavailable", "1")
        assert await refusal(chat, await _copy(chat, visitor)) == (503, "system_unavailable")
        assert "/chat/ws" in {event.fields["chat.where"] for event in chat.of("system.redis_unavailable")}
        valkey_server.start()
        await eventually(lambda: _posts(live), seconds=10)
        assert "back" in await live.texts(1)


async def _copy(chat: OpenChat, visitor: Visitor) -> Visitor:
    """Let the same browser in once more."""
    copy = await chat.visitor(opens=False)
    copy.http.cookies.update(visitor.http.cookies)
    return copy


async def _posts(live: Live) -> bool:
    await live.post("back")
    while (frame := await live.next())["type"] not in {"posted", "refused"}:
        pass
    return bool(frame["type"] == "posted")


async def test_a_listener_that_does_not_read_is_sent_away_and_loses_nothing(
    valkey: Valkey, postgres: Postgres, tmp_path: Path
) -> None:
    async with chat_running(valkey, postgres, tmp_path / "spool", live_buffer_bytes=65_536) as chat:
        rooms, visitor, other = ValkeyRooms(valkey), await chat.visitor(), await chat.visitor("203.0.113.8")
        # 8 KB of receive buffer and a client that takes one frame at a time: it stops reading at once
        stuck = _connected(visitor, receive_buffer=8192)
        async with listening(visitor, sock=stuck, max_queue=1) as slow, listening(other) as quick:
            await quick.until("room")
            posted = asyncio.create_task(_post_for_ever(rooms))
            await eventually(lambda: chat.metric("sakimori_chat_live_slow_total") == 1, seconds=30)
            posted.cancel()
            assert chat.metric("sakimori_chat_live_connections") == 1
            with suppress(ConnectionClosed):
                while True:
                    await slow.next()
            known = slow.messages()
            assert slow.socket.close_code in {1013, 1006}  # 1006: cut after five seconds of not reading
            last = known[-1]["id"] if known else 0
        newest = (await rooms.snapshot("lobby")).highest
        async with listening(visitor, f"?after={last}") as again:
            page = await again.next()
        numbers = [message["id"] for message in page["messages"]]
        assert numbers == list(range(max(last, newest - 200) + 1, newest + 1))


async def _post_for_ever(rooms: ValkeyRooms) -> None:
    draft = Draft("0b0f3c5e-7a55-4b1e-9d0a-5a4f3f1c2d3e", "", "x" * 2000, "2026-01-01T00:00:00Z")
    while True:
        await asyncio.gather(*(rooms.append("lobby", draft) for _ in range(20)))


def _connected(visitor: Visitor, receive_buffer: int) -> socket.socket:
    connection = socket.socket()
    connection.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, receive_buffer)
    connection.connect((visitor.http.base_url.host, visitor.http.base_url.port))
    connection.setblocking(False)
    return connection


@pytest.mark.parametrize("sent", [b"", b"\x81\xfe\x10\x00\0\0\0\0half a frame"], ids=["silent", "half a frame"])
async def test_a_listener_that_no_longer_answers_is_let_go(
    valkey: Valkey, postgres: Postgres, tmp_path: Path, sent: bytes
) -> None:
    async with chat_running(valkey, postgres, tmp_path / "spool", live_ping_seconds=0.5) as chat:
        visitor, other = await chat.visitor(), await chat.visitor("203.0.113.8")
        async with listening(other) as alive:
            await alive.until("room")
            reader, writer = await asyncio.open_connection("127.0.0.1", visitor.http.base_url.port)
            head = "".join(f"{name}: {value}\r\n" for name, value in upgrade(visitor).items())
            writer.write(
                f"GET /chat/ws HTTP/1.1\r\nhost: 127.0.0.1:{visitor.http.base_url.port}\r\n{head}\r\n".encode()
            )
            await eventually(lambda: chat.metric("sakimori_chat_live_connections") == 2)
            writer.write(sent)
            received = await reader.read()  # until the end: it is the server that ends it
            assert b"keepalive ping timeout" in received
            await eventually(lambda: chat.metric("sakimori_chat_live_connections") == 1)
            writer.close()
            await other.post("hello")
            assert await alive.texts(1) == ["hello"]


async def test_when_the_chat_stops_listeners_are_told_to_come_back(
    valkey: Valkey, postgres: Postgres, tmp_path: Path
) -> None:
    async with AsyncExitStack() as outliving:
        async with chat_running(valkey, postgres, tmp_path / "spool") as chat:
            visitor = await chat.visitor()
            live = await outliving.enter_async_context(listening(visitor))
            await live.until("room")
            await visitor.post("the last words")
            assert await live.texts(1) == ["the last words"]
        assert await live.closed() == 1001
