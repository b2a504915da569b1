"""A crowd whose connections only keep what they are given."""

import asyncio
import json
from dataclasses import dataclass, field

import hypothesis.strategies as st
from hypothesis import given, settings
from prometheus_client import CollectorRegistry

from sakimori_chat.crowds import HURRY_AT, STOP_AT, Crowd, Listener
from sakimori_chat.domain.identity import Client
from sakimori_chat.domain.messages import Draft, Snapshot
from sakimori_chat.domain.mirror import RoomMirror
from sakimori_chat.metrics import ChatMetrics
from sakimori_chat.spreading import WRITES_A_TURN, Pace, Spreading
from servers.eventually import eventually

CLIENT = Client("203.0.113.7", "203.0.113.7", "h", "n", "u", "f")
AT_ONCE = Pace(least=0.0, most=0.0)
NEVER_AGAIN = Pace(least=60.0, most=60.0)


@dataclass
class Socket:
    """Keeps the numbers that it is told; `holds` is how many frames it takes before it is too slow."""

    holds: int = 100_000
    numbers: list[int] = field(default_factory=list)
    frames: list[bytes] = field(default_factory=list)

    def write(self, frame: bytes) -> bool:
        self.frames.append(frame)
        begin = {126: 4, 127: 10}.get(frame[1], 2)
        self.numbers += [message["id"] for message in json.loads(frame[begin:])["messages"]]
        return len(self.frames) <= self.holds

    def close(self, code: int, reason: str = "") -> None:
        raise AssertionError("whoever is told of a slow listener closes it")


class Room:
    """A crowd and what is said to it."""

    def __init__(self, pace: Pace = AT_ONCE) -> None:
        self.mirror = RoomMirror(Snapshot((), (), 0))
        self.slow: list[Listener] = []
        self.crowd = Crowd("lobby", Spreading(pace), ChatMetrics(CollectorRegistry()), self.drop)
        self.crowd.mirror = self.mirror
        self.said = 0

    def drop(self, listener: Listener) -> None:
        self.slow.append(listener)
        self.crowd.remove(listener)

    def join(self, viewer: str = "ann", holds: int = 100_000) -> tuple[Listener, Socket]:
        socket = Socket(holds)
        listener = Listener("lobby", viewer, CLIENT, socket)
        self.crowd.add(listener, self.mirror)
        return listener, socket

    def say(self, author: str = "bob", *, is_private: bool = False) -> None:
        self.said += 1
        self.mirror.take(self.said, Draft(author, "", "hello", "2026-01-01T00:00:00Z", is_private=is_private))
        self.crowd.spread(self.mirror)


@settings(deadline=None, max_examples=60)
@given(st.lists(st.sampled_from(["say", "say", "join", "join many", "leave", "go on"]), max_size=30))
def test_everybody_gets_every_message_after_its_joining_once_and_in_order(happens: list[str]) -> None:
    async def play() -> None:
        room = Room()
        joined: list[tuple[Listener, Socket, int]] = []
        gone: list[tuple[Socket, int, int]] = []
        for what in happens:
            if what == "say":
                room.say()
            elif what == "go on":
                await asyncio.sleep(0)
            elif what == "leave" and joined:
                listener, socket, since = joined.pop(len(joined) // 2)
                room.crowd.remove(listener)
                gone.append((socket, since, room.said))
            elif what != "leave":
                joined += [(*room.join(), room.said) for _ in range(1 if what == "join" else WRITES_A_TURN)]
        room.crowd.tell_all()
        for _, socket, since in joined:
            assert socket.numbers == list(range(since + 1, room.said + 1))
        for socket, since, until in gone:
            assert socket.numbers == list(range(since + 1, since + 1 + len(socket.numbers)))
            assert since + len(socket.numbers) <= until

    asyncio.run(play())


async def test_a_crowd_is_told_row_by_row_and_each_row_all_that_was_said_until_then() -> None:
    room = Room()
    sockets = [room.join()[1] for _ in range(3 * WRITES_A_TURN)]
    room.say()
    assert [len(socket.frames) for socket in sockets[::WRITES_A_TURN]] == [1, 0, 0]
    room.say()
    await eventually(lambda: all(socket.numbers == [1, 2] for socket in sockets))
    assert [len(socket.frames) for socket in sockets[::WRITES_A_TURN]] == [2, 1, 1]


async def test_who_is_told_the_same_is_given_the_very_same_bytes() -> None:
    room = Room()
    first, second = room.join()[1], [room.join()[1] for _ in range(2 * WRITES_A_TURN)][-1]
    room.say()
    await eventually(lambda: second.frames)
    assert first.frames[0] is second.frames[0]


async def test_what_is_private_is_told_to_its_author_and_to_others_nothing() -> None:
    room = Room()
    (_, anns), (_, bobs) = room.join("ann"), room.join("bob")
    room.say("ann", is_private=True)
    await eventually(lambda: anns.numbers == [1])
    assert bobs.frames == []


async def test_who_does_not_keep_up_is_named_and_nobody_else() -> None:
    room = Room()
    (slow, _), (_, other) = room.join(holds=1), room.join()
    for number in (1, 2):
        room.say()
        await eventually(lambda count=number: len(other.frames) == count)  # type: ignore[misc]
    assert room.slow == [slow]


async def test_a_flood_does_not_wait_for_the_pace() -> None:
    room = Room(NEVER_AGAIN)
    sockets = [room.join()[1] for _ in range(WRITES_A_TURN + 1)]
    for _ in range(HURRY_AT + 1):
        room.say()
    await eventually(lambda: all(len(socket.numbers) >= HURRY_AT for socket in sockets))


async def test_more_than_can_be_told_in_turns_is_told_before_more_is_heard() -> None:
    room = Room(NEVER_AGAIN)
    sockets = [room.join()[1] for _ in range(2 * WRITES_A_TURN)]
    for _ in range(STOP_AT + 1):
        room.say()
    assert all(len(socket.numbers) >= STOP_AT for socket in sockets)
    assert room.mirror.waiting < STOP_AT


async def test_news_are_kept_for_nobody() -> None:
    room = Room()
    for _ in range(10):
        room.say()
    assert room.mirror.waiting == 0
    listener, _ = room.join()
    room.crowd.remove(listener)
    room.say()
    assert room.mirror.waiting == 0
