"""The hub with a feed that the test speaks into, and connections that only keep what they were given."""

import asyncio
import json
from collections.abc import AsyncIterator, Coroutine
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from typing import Any

import pytest
from prometheus_client import CollectorRegistry

from sakimori_chat.crowds import Listener
from sakimori_chat.domain.feed import FeedEvent, Lost, Measured, Opened, Removed, Spoken
from sakimori_chat.domain.identity import Client
from sakimori_chat.domain.messages import Draft, Snapshot
from sakimori_chat.domain.rooms import Room, RoomPolicy
from sakimori_chat.hub import Hub
from sakimori_chat.metrics import ChatMetrics
from sakimori_chat.ports import RoomListener, StoreUnavailable
from sakimori_chat.spreading import Pace
from sakimori_common.log import logger
from servers.eventually import eventually

LOBBY = Room(name="lobby")


class Feed:
    """A feed that says what the test puts into it."""

    def __init__(self) -> None:
        self._said: asyncio.Queue[FeedEvent] = asyncio.Queue()

    def say(self, *events: FeedEvent) -> None:
        for event in events:
            self._said.put_nowait(event)

    def is_heard(self) -> bool:
        return self._said.empty()

    async def events(self) -> AsyncIterator[FeedEvent]:
        while True:
            yield await self._said.get()


class Kept:
    """Rooms as a test says that they are kept."""

    def __init__(self) -> None:
        self.snapshots: dict[str, Snapshot] = {}
        self.reads = 0
        self.is_away = False

    async def snapshot(self, room: str) -> Snapshot:
        self.reads += 1
        await asyncio.sleep(0)
        if self.is_away:
            raise StoreUnavailable("away")
        return self.snapshots.get(room, Snapshot((), (), 0))


class Directory:
    """The lobby, which a test may change or close."""

    def __init__(self) -> None:
        self.listeners: list[RoomListener] = []

    def find(self, name: str) -> Room | None:
        return LOBBY if name == "lobby" else None

    def all(self) -> list[Room]:
        return [LOBBY]

    def listen(self, listener: RoomListener) -> None:
        self.listeners.append(listener)


@dataclass
class Screen:
    """A connection; from `slow_after` frames on it says that too much waits."""

    slow_after: int = 1000
    writes: list[list[dict[str, Any]]] = field(default_factory=list)
    code: int = 0

    def write(self, frame: bytes) -> bool:
        self.writes.append([json.loads(payload) for payload in _payloads(frame)])
        return len(self.writes) <= self.slow_after

    def close(self, code: int, reason: str = "") -> None:
        self.code = self.code or code

    def frames(self, kind: str) -> list[dict[str, Any]]:
        return [frame for write in self.writes for frame in write if frame["type"] == kind]

    def texts(self) -> list[str]:
        return [message["text"] for frame in self.frames("messages") for message in frame["messages"]]


def _payloads(frame: bytes) -> list[bytes]:
    """Take unmasked, final text frames apart (RFC 6455, 5.2)."""
    payloads = []
    while frame:
        assert frame[0] == 0x81
        length, start = frame[1], 2
        if length >= 126:
            start = 4 if length == 126 else 10
            length = int.from_bytes(frame[2:start], "big")
        payloads.append(frame[start : start + length])
        frame = frame[start + length :]
    return payloads


@dataclass
class Bench:
    """A running hub and what stands around it."""

    hub: Hub
    feed: Feed
    rooms: Kept
    directory: Directory
    registry: CollectorRegistry

    async def join(self, viewer: str = "ann", after: int | None = None, slow_after: int = 1000) -> Screen:
        screen = Screen(slow_after)
        await self.hub.join(Listener("lobby", viewer, client(), screen), after, LOBBY)
        return screen

    def metric(self, name: str) -> float:
        return self.registry.get_sample_value(name) or 0.0


def client(address: str = "203.0.113.7") -> Client:
    return Client(address, address, "h", "n", "u", f"fp of {address}")


def draft(text: str, author: str = "bob", *, is_private: bool = False) -> Draft:
    return Draft(author, "", text, "2026-01-01T00:00:00Z", is_private=is_private)


def background(work: Coroutine[Any, Any, None], name: str) -> "asyncio.Task[None]":
    return asyncio.create_task(work, name=name)


@asynccontextmanager
async def running(pace: Pace) -> AsyncIterator[Bench]:
    registry, feed, rooms, directory = CollectorRegistry(), Feed(), Kept(), Directory()
    hub = Hub(rooms=rooms, directory=directory, feed=feed, metrics=ChatMetrics(registry), log=logger("test"), pace=pace)
    bench = Bench(hub, feed, rooms, directory, registry)
    feed.say(Opened())
    async with hub.running(background):
        yield bench


@pytest.fixture
async def bench() -> AsyncIterator[Bench]:
    async with running(Pace(least=0.0, most=0.0)) as opened:
        yield opened


async def test_before_anything_is_heard_nobody_joins() -> None:
    hub = Hub(
        rooms=Kept(),
        directory=Directory(),
        feed=Feed(),
        metrics=ChatMetrics(CollectorRegistry()),
        log=logger("test"),
    )
    with pytest.raises(StoreUnavailable):
        await hub.prepare("lobby")


async def _is_open(hub: Hub) -> bool:
    try:
        await hub.prepare("lobby")
    except StoreUnavailable:
        return False
    return True


async def test_what_is_said_within_a_pace_shares_one_frame() -> None:
    async with running(Pace(least=0.2, most=0.2)) as bench:
        screen = await bench.join()
        bench.feed.say(Spoken("lobby", 1, draft("at once")))
        await eventually(lambda: screen.texts() == ["at once"])
        bench.feed.say(*(Spoken("lobby", number, draft(str(number))) for number in range(2, 52)))
        await eventually(lambda: len(screen.texts()) == 51)
        assert [len(frame["messages"]) for frame in screen.frames("messages")] == [1, 50]
        assert [frame["next"] for frame in screen.frames("messages")] == [1, 51]


async def test_a_flood_does_not_wait_for_the_pace() -> None:
    async with running(Pace(least=60, most=60)) as bench:
        screen = await bench.join()
        bench.feed.say(*(Spoken("lobby", number, draft(str(number))) for number in range(1, 502)))
        await eventually(lambda: len(screen.texts()) >= 500)


async def test_everybody_gets_the_very_same_bytes_but_for_what_is_private(bench: Bench) -> None:
    ann, bob = await bench.join("ann"), await bench.join("bob")
    bench.feed.say(Spoken("lobby", 1, draft("held", "ann", is_private=True)), Spoken("lobby", 2, draft("hello")))
    await eventually(lambda: ann.texts() == ["held", "hello"])
    assert bob.texts() == ["hello"]
    bench.feed.say(Spoken("lobby", 3, draft("held, too", "ann", is_private=True)))
    await eventually(lambda: len(ann.texts()) == 3)
    assert len(bob.frames("messages")) == 1


async def test_a_hole_is_filled_from_the_store(bench: Bench) -> None:
    screen = await bench.join()
    entries = [(number, draft(str(number))) for number in range(1, 6)]
    bench.rooms.snapshots["lobby"] = Snapshot(entries, (), 5)
    bench.feed.say(Spoken("lobby", 1, entries[0][1]), Spoken("lobby", 5, entries[4][1]))
    await eventually(lambda: screen.texts() == ["1", "2", "3", "4", "5"])


async def test_while_the_store_is_away_the_hub_waits_and_then_catches_up(bench: Bench) -> None:
    screen = await bench.join()
    bench.rooms.is_away = True
    bench.feed.say(Lost(), Opened())
    before = bench.rooms.reads
    await eventually(lambda: bench.rooms.reads > before)
    with pytest.raises(StoreUnavailable):
        await bench.join("bob")
    bench.rooms.snapshots["lobby"] = Snapshot([(1, draft("missed"))], (), 1)
    bench.rooms.is_away = False
    await eventually(lambda: screen.texts() == ["missed"])
    await eventually(lambda: _is_open(bench.hub))


async def test_a_thousand_who_come_at_once_read_the_store_once(bench: Bench) -> None:
    before = bench.rooms.reads
    await asyncio.gather(*(bench.hub.prepare("garden") for _ in range(1000)))
    assert bench.rooms.reads == before + 1


async def test_what_is_said_while_a_room_is_read_is_not_missed(bench: Bench) -> None:
    bench.rooms.snapshots["garden"] = Snapshot([(1, draft("one"))], (), 1)
    preparing = asyncio.create_task(bench.hub.prepare("garden"))
    bench.feed.say(Spoken("garden", 1, draft("one")), Spoken("garden", 2, draft("two")))
    await preparing
    assert await eventually(lambda: _texts(bench.hub, "garden", 2)) == ["one", "two"]


async def _texts(hub: Hub, room: str, count: int) -> list[str]:
    messages = (await hub.since(room, 0)).messages
    return [message.text for message in messages] if len(messages) == count else []


async def test_a_slow_listener_is_sent_away_and_the_others_stay(bench: Bench) -> None:
    slow, quick = await bench.join("ann", slow_after=2), await bench.join("bob")
    for number in range(1, 6):
        bench.feed.say(Spoken("lobby", number, draft(str(number))))
        await eventually(lambda count=number: len(quick.texts()) == count)  # type: ignore[misc]
    assert slow.code == 1013
    assert len(slow.texts()) == 2
    assert (quick.code, bench.metric("sakimori_chat_live_slow_total")) == (0, 1)
    assert bench.metric("sakimori_chat_live_connections") == 1


@pytest.mark.parametrize(("kind", "entity"), [("user", "ann"), ("fp", "fp of 203.0.113.7"), ("ip", "203.0.113.7")])
async def test_a_measure_reaches_whom_it_means_and_nobody_else(bench: Bench, kind: str, entity: str) -> None:
    ann, bob = Screen(), Screen()
    await bench.hub.join(Listener("lobby", "ann", client(), ann), None, LOBBY)
    await bench.hub.join(Listener("lobby", "bob", client("203.0.113.8"), bob), None, LOBBY)
    bench.feed.say(Measured(kind, entity, 29.2))
    await eventually(lambda: ann.frames("blocked") == [{"type": "blocked", "block_sec": 30}])
    assert bob.frames("blocked") == []


async def test_who_left_is_told_nothing_more(bench: Bench) -> None:
    screen, other = Screen(), await bench.join("bob")
    listener = Listener("lobby", "ann", client(), screen)
    await bench.hub.join(listener, None, LOBBY)
    bench.hub.leave(listener)
    bench.hub.leave(listener)
    bench.feed.say(Spoken("lobby", 1, draft("hello")), Measured("user", "ann", 1.0))
    await eventually(lambda: other.texts() == ["hello"])
    assert (screen.texts(), screen.frames("blocked")) == ([], [])
    assert bench.metric("sakimori_chat_live_connections") == 1


async def test_a_room_that_changes_tells_its_listeners_and_one_that_closes_sends_them_away(bench: Bench) -> None:
    screen = await bench.join()
    (changed,) = bench.directory.listeners
    changed("lobby", Room(name="lobby", policy=RoomPolicy(is_locked=True)))
    changed("cellar", None)
    assert [frame["is_locked"] for frame in screen.frames("room")] == [False, True]
    changed("lobby", None)
    assert screen.code == 4404


async def test_at_the_end_all_is_told_before_all_are_sent_away() -> None:
    async with running(Pace(least=60, most=60)) as bench:
        screen = await bench.join()
        bench.feed.say(Spoken("lobby", 1, draft("first")))
        await eventually(lambda: screen.texts() == ["first"])
        bench.feed.say(Spoken("lobby", 2, draft("the last words")), Removed("lobby", 1))
        await eventually(bench.feed.is_heard)
    assert screen.texts() == ["first", "the last words"]
    assert screen.frames("deleted") == [{"type": "deleted", "ids": [1]}]
    assert screen.code == 1001


async def test_bots_are_woken_and_read_from_memory(bench: Bench) -> None:
    woken: list[None] = []
    with bench.hub.watch("lobby", lambda: woken.append(None)):
        assert (await bench.hub.since("lobby", 0)).messages == []
        bench.feed.say(Spoken("lobby", 1, draft("hello")), Spoken("lobby", 2, draft("held", is_private=True)))
        await eventually(lambda: woken)
        page = await bench.hub.since("lobby", 0)
        assert [message.text for message in page.messages] == ["hello"]
    count = len(woken)
    bench.feed.say(Spoken("lobby", 3, draft("later")))
    assert await eventually(lambda: _texts(bench.hub, "lobby", 2)) == ["hello", "later"]
    assert len(woken) == count
