import asyncio
import time
from pathlib import Path

import pytest

from integration.chat.bot_links import by_websocket
from integration.chat.bots import approved_bot
from integration.chat.conftest import OpenChat, Visitor, chat_running
from integration.chat.live import listening
from sakimori.embedded import ValkeyServer
from sakimori_common.bus import BusUnavailable, Message, Queue, Subscription, Topic, open_bus
from sakimori_common.bus.memory import MemoryBus
from sakimori_common.context import Postgres, Valkey
from sakimori_common.contracts import EVENTS, Event
from servers.eventually import eventually
from servers.patience import AS_IN_SERVICES
from servers.promptness import quickest
from servers.rabbitmq import RabbitMQ

PROMPT_SECONDS = 1.5
"""What is promised within a second (S0-37) takes 0.8 of waiting, and answering itself."""
PAUSE_MILLISECONDS = 5000


async def _statuses(visitor: Visitor) -> list[int]:
    http = visitor.http
    return [
        (await visitor.open()).status_code,
        (await visitor.post("hello")).status_code,
        (await http.get("/chat/poll")).status_code,
        (await http.get("/health/redis")).status_code,
    ]


async def test_without_valkey_everything_is_503_at_once_and_heals_by_itself(
    chat: OpenChat, valkey_server: ValkeyServer
) -> None:
    visitor = await chat.visitor()
    assert (await visitor.http.get("/health/redis")).json() == {"redis": "ok"}
    valkey_server.kill()

    async def asked() -> None:
        assert await _statuses(visitor) == [503, 503, 503, 503]

    assert await quickest(asked, 2) < 4
    problem = await visitor.post("hello")
    assert problem.json()["code"] == "system_unavailable"
    assert problem.headers["content-type"] == "application/problem+json"
    assert problem.headers["retry-after"] == "1"
    await eventually(lambda: len(chat.of("system.redis_unavailable")) == 3)
    events = chat.of("system.redis_unavailable")
    assert {event.fields["chat.where"] for event in events} == {"/chat", "/chat/post", "/chat/poll"}

    valkey_server.start()
    await eventually(lambda: _opens(visitor), seconds=5)
    assert await _statuses(visitor) == [200, 200, 200, 200]


async def _opens(visitor: Visitor) -> bool:
    return (await visitor.open()).status_code == 200


OF_VISITORS = [
    ("GET", "/chat"),
    ("HEAD", "/chat"),
    ("GET", "/chat?room=lobby&lang=ja"),
    ("POST", "/chat/post"),
    ("GET", "/chat/poll"),
    ("GET", "/chat/poll?after=5"),
    ("GET", "/health/redis"),
]
OF_OPERATORS = [
    ("GET", "/moderation/held"),
    ("POST", "/moderation/held/lobby/1/release"),
    ("POST", "/moderation/held/lobby/1/discard"),
    ("GET", "/moderation/rooms/lobby/messages/1"),
    ("DELETE", "/moderation/rooms/lobby/messages/1"),
    ("GET", "/moderation/bans"),
    ("GET", "/moderation/mutes"),
    ("GET", "/moderation/mutes/0b0f3c5e-7a55-4b1e-9d0a-5a4f3f1c2d3e"),
    ("DELETE", "/moderation/mutes/0b0f3c5e-7a55-4b1e-9d0a-5a4f3f1c2d3e"),
]
"""With OF_VISITORS every way in that needs Valkey, but the bots' and WebSockets, which have tests of their own."""


@AS_IN_SERVICES
@pytest.mark.parametrize("routes", [OF_VISITORS, OF_OPERATORS], ids=["visitors", "operators"])
@pytest.mark.parametrize("is_killed", [True, False], ids=["gone", "hanging"])
async def test_every_route_says_503_within_a_second_or_so_and_then_heals(
    chat: OpenChat, valkey: Valkey, valkey_server: ValkeyServer, is_killed: bool, routes: list[tuple[str, str]]
) -> None:
    visitor = await chat.visitor()
    if is_killed:
        valkey_server.kill()
    else:
        await valkey.client_pause(PAUSE_MILLISECONDS)

    async def asked() -> None:
        statuses = await asyncio.gather(*(_status(visitor, method, path) for method, path in routes))
        assert statuses == [503] * len(routes)

    assert await quickest(asked, 2) < PROMPT_SECONDS
    if is_killed:
        valkey_server.start()
    await eventually(lambda: _opens(visitor), seconds=10)
    assert [method for method, path in routes if await _status(visitor, method, path) >= 500] == []


async def _status(visitor: Visitor, method: str, path: str) -> int:
    headers = {"x-csrf-token": visitor.http.cookies.get("csrf_token") or "", "x-sakimori-operator": "mika"}
    data = {"text": "x"} if method == "POST" else None
    return (await visitor.http.request(method, path, data=data, headers=headers)).status_code


@AS_IN_SERVICES
async def test_who_posts_by_websocket_is_told_within_a_second_or_so_that_valkey_hangs(
    chat: OpenChat, valkey: Valkey
) -> None:
    visitor = await chat.visitor()
    async with listening(visitor) as live:
        await live.until("room")
        await valkey.client_pause(PAUSE_MILLISECONDS)

        async def is_told() -> None:
            await live.post("hello", ref="1")
            refused = await live.until("refused")
            assert (refused["code"], refused["ref"]) == ("system_unavailable", "1")

        assert await quickest(is_told, 2) < PROMPT_SECONDS
        await eventually(lambda: _opens(visitor), seconds=10)
        await live.post("back", ref="2")
        assert (await live.until("posted"))["ref"] == "2"


@AS_IN_SERVICES
async def test_a_connected_bot_is_told_within_a_second_or_so_that_valkey_hangs(chat: OpenChat, valkey: Valkey) -> None:
    bot = await approved_bot(chat)
    async with by_websocket(chat, bot) as link:
        await link.greet()
        await valkey.client_pause(PAUSE_MILLISECONDS)

        async def is_told() -> None:
            assert (await link.post("hello"))["code"] == "store_unavailable"

        assert await quickest(is_told, 2) < PROMPT_SECONDS

        async def is_back() -> bool:
            return bool((await link.post("back"))["type"] == "posted")

        await eventually(is_back, seconds=10)


async def test_a_post_between_two_failures_of_valkey_is_503_and_no_more(
    chat: OpenChat, valkey: Valkey, valkey_server: ValkeyServer
) -> None:
    """The gate answers, the store does not: a key of the wrong type stands in for it."""
    visitor = await chat.visitor()
    await valkey.set("chat:lobby:messages", "no stream")
    response = await visitor.post("hello")
    assert (response.status_code, response.json()["code"]) == (503, "system_unavailable")
    await valkey.delete("chat:lobby:messages")
    assert (await visitor.post("hello")).status_code == 200


@AS_IN_SERVICES
async def test_a_valkey_that_refuses_to_write_is_a_503(chat: OpenChat, valkey: Valkey) -> None:
    visitor = await chat.visitor()
    await valkey.config_set("maxmemory", "1")
    try:
        assert (await visitor.post("hello")).status_code == 503
    finally:
        await valkey.config_set("maxmemory", "0")
    assert (await visitor.post("hello")).status_code == 200


async def test_without_the_bus_posting_goes_on_and_events_wait_on_disk(
    valkey: Valkey, postgres: Postgres, tmp_path: Path
) -> None:
    bus, spool = MemoryBus(publish_timeout_seconds=0.2), tmp_path / "spool"
    async with chat_running(valkey, postgres, spool, bus, takes_events=False) as chat:
        visitor = await chat.visitor()
        codes, took = [], []
        for number in range(7):
            started = time.monotonic()
            codes.append((await visitor.post(f"post {number}")).status_code)
            took.append(time.monotonic() - started)
        assert sum(sorted(took)[:-1]) < 1  # the machine may stand still during one of them
        assert codes == [200] * 5 + [429] * 2
        await eventually(lambda: chat.metric("sakimori_chat_events_spooled_total") == 8)
        assert chat.metric("sakimori_chat_spool_bytes") > 0
        assert list(spool.glob("*.batch"))

        received = await _take(bus)
        await eventually(lambda: len({event.id for event in received}) == 8)
        await eventually(lambda: chat.metric("sakimori_chat_spool_bytes") == 0)
        assert list(spool.iterdir()) == []
        await visitor.post("after the outage")
        await eventually(lambda: len({event.id for event in received}) == 9)
        assert chat.metric("sakimori_chat_events_spooled_total") == 8


async def test_a_broker_that_dies_and_comes_back_gets_every_event(
    valkey: Valkey, postgres: Postgres, tmp_path: Path, rabbitmq: RabbitMQ, rabbitmq_url: str
) -> None:
    bus = await open_bus(rabbitmq_url, service="chat", publish_timeout_seconds=1)
    async with chat_running(valkey, postgres, tmp_path / "spool", bus) as chat:
        visitor = await chat.visitor()
        await visitor.post("before")
        await eventually(lambda: len(chat.events) == 1)
        rabbitmq.kill()
        codes = [(await visitor.post(f"post {number}")).status_code for number in range(5)]
        assert codes == [200] * 4 + [429]
        await eventually(lambda: chat.metric("sakimori_chat_events_spooled_total") == 6)
        rabbitmq.start()
        await eventually(lambda: len({event.id for event in chat.events}) == 7, seconds=30)
        await eventually(lambda: chat.metric("sakimori_chat_spool_bytes") == 0)
        rabbitmq.kill()  # and the chat ends in peace without it


async def test_what_waits_on_disk_survives_a_restart(valkey: Valkey, postgres: Postgres, tmp_path: Path) -> None:
    spool = tmp_path / "spool"
    async with chat_running(
        valkey, postgres, spool, MemoryBus(publish_timeout_seconds=0.2), takes_events=False
    ) as first:
        visitor = await first.visitor()
        await visitor.post("before the restart")
    assert len(list(spool.glob("*.batch"))) == 1
    async with chat_running(valkey, postgres, spool) as second:
        (event,) = await eventually(lambda: second.of("chat.message_posted"))
        assert event.fields["user.id"] == visitor.anon_id


async def test_a_full_spool_drops_counts_and_lets_people_post(
    valkey: Valkey, postgres: Postgres, tmp_path: Path
) -> None:
    bus = MemoryBus(publish_timeout_seconds=0.1)
    async with chat_running(valkey, postgres, tmp_path / "spool", bus, takes_events=False, spool_bytes=1024) as chat:
        visitor = await chat.visitor()
        for number in range(14):
            await visitor.post(f"post {number}")
            await eventually(lambda: chat.metric("sakimori_chat_events_waiting") == 0)
        await eventually(lambda: chat.metric("sakimori_chat_events_dropped_total", reason="spool_full") > 0)
        assert sum(path.stat().st_size for path in (tmp_path / "spool").iterdir()) <= 1024


async def test_a_disk_that_cannot_be_written_does_not_stop_the_chat(
    valkey: Valkey, postgres: Postgres, tmp_path: Path
) -> None:
    bus, spool = MemoryBus(publish_timeout_seconds=0.1), tmp_path / "spool"
    async with chat_running(valkey, postgres, spool, bus, takes_events=False) as chat:
        visitor = await chat.visitor()
        spool.rmdir()
        assert (await visitor.post("hello")).status_code == 200
        await eventually(lambda: chat.metric("sakimori_chat_events_dropped_total", reason="spool_error") == 1)
        assert (await visitor.post("still here")).status_code == 200
        received = await _take(bus)
        await eventually(lambda: _arrives(visitor, received))


async def _arrives(visitor: Visitor, received: list[Event]) -> bool:
    """Post until an event of it arrives: those from before had no place to wait."""
    await visitor.post("is anybody there?")
    return bool(received)


@pytest.mark.parametrize("body", [b"not msgpack", b"\x91\x80"])
async def test_a_decision_that_cannot_be_read_is_put_aside(chat: OpenChat, body: bytes) -> None:
    await chat.bus.publish(Topic.DECISIONS, Message("m-broken", body, {"schema": "1"}))
    (dead,) = await chat.bus.dead(Queue.ENFORCE, 10)
    assert dead.message.id == "m-broken"


async def test_decisions_wait_for_valkey(chat: OpenChat, valkey_server: ValkeyServer) -> None:
    visitor = await chat.visitor()
    valkey_server.kill()
    deciding = asyncio.create_task(_decide_patiently(chat))
    await eventually(lambda: chat.metric("sakimori_messages_waits_total", queue="chat.decisions") > 0)
    valkey_server.start()
    await deciding
    await eventually(lambda: _opens(visitor))
    await eventually(lambda: _is_refused(visitor))
    assert await chat.bus.dead(Queue.ENFORCE, 10) == []


async def _decide_patiently(chat: OpenChat) -> None:
    try:
        await chat.decide("source.ip", "203.0.113.7", seconds=60)
    except BusUnavailable:
        return  # not handled in time for this publisher; it stays in the queue


async def _is_refused(visitor: Visitor) -> bool:
    return bool((await visitor.post("hello")).json().get("code") == "blocked_by_decision")


async def _take(bus: MemoryBus) -> list[Event]:
    received: list[Event] = []

    async def store(messages: object) -> None:
        for message in messages:  # type: ignore[attr-defined]  # a sequence of Message
            received.extend(EVENTS.decode(message.body))

    async def detect(_: object) -> None:
        return

    await bus.consume(Subscription(Queue.STORE, store))
    await bus.consume(Subscription(Queue.DETECT, detect))
    return received
