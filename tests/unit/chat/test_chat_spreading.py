import asyncio
from dataclasses import dataclass, field

import hypothesis.strategies as st
import pytest
from hypothesis import given

from sakimori_chat.domain.identity import Client
from sakimori_chat.spreading import WRITES_A_TURN, Delivery, Listener, Pace, Spreading

CLIENT = Client("203.0.113.7", "203.0.113.7", "h", "n", "u", "f")


@dataclass
class Socket:
    """Keeps what it is given; `holds` is how many frames it takes before it is too slow."""

    holds: int = 1000
    frames: list[bytes] = field(default_factory=list)

    def write(self, frame: bytes) -> bool:
        self.frames.append(frame)
        return len(self.frames) <= self.holds

    def close(self, code: int, reason: str = "") -> None:
        raise AssertionError("whoever is told of a slow listener closes it")


def _listeners(count: int) -> list[tuple[Listener, Socket]]:
    sockets = [Socket() for _ in range(count)]
    return [(Listener("lobby", f"viewer {n}", CLIENT, socket), socket) for n, socket in enumerate(sockets)]


def _spreading() -> Spreading:
    return Spreading(Pace(), on_slow=lambda _: None)


async def test_others_have_their_turn_while_a_crowd_is_told() -> None:
    crowd = _listeners(10 * WRITES_A_TURN)
    spreading = _spreading()
    spreading.start(Delivery(b"hello", {}, [listener for listener, _ in crowd]))
    told_by_turn: list[int] = []
    while not told_by_turn or told_by_turn[-1] < len(crowd):
        told_by_turn.append(sum(len(socket.frames) for _, socket in crowd))
        await asyncio.sleep(0)
    assert told_by_turn == [WRITES_A_TURN * turn for turn in range(1, 11)]


@given(st.lists(st.integers(0, 250), max_size=6), st.booleans())
def test_everybody_gets_every_frame_once_and_in_order(sizes: list[int], at_once: bool) -> None:
    crowd = _listeners(250)

    async def tell() -> None:
        spreading = _spreading()
        for number, size in enumerate(sizes):
            spreading.start(Delivery(str(number).encode(), {}, [listener for listener, _ in crowd[:size]]))
        if at_once:
            spreading.finish()
        for _ in range(20):
            await asyncio.sleep(0)

    asyncio.run(tell())
    for place, (_, socket) in enumerate(crowd):
        assert socket.frames == [str(number).encode() for number, size in enumerate(sizes) if place < size]


async def test_who_has_a_frame_of_its_own_gets_that_and_an_empty_one_is_not_sent() -> None:
    (ann, anns), (bob, bobs) = _listeners(2)
    _spreading().start(Delivery(b"", {"viewer 0": b"held"}, [ann, bob]))
    assert (anns.frames, bobs.frames) == ([b"held"], [])


async def test_who_does_not_keep_up_is_named_and_nobody_else() -> None:
    slow: list[Listener] = []
    spreading = Spreading(Pace(), slow.append)
    (ann, anns), (bob, _) = _listeners(2)
    anns.holds = 1
    for _ in range(2):
        spreading.start(Delivery(b"hello", {}, [ann, bob]))
    assert slow == [ann]


@pytest.mark.parametrize(
    ("listeners", "seconds"), [(0, 0.005), (1, 0.005), (200, 0.005), (2000, 0.05), (100_000, 0.25)]
)
def test_the_larger_the_crowd_the_further_apart_are_frames(listeners: int, seconds: float) -> None:
    assert _spreading().period(listeners) == pytest.approx(seconds)
