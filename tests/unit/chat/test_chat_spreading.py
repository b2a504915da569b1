"""Turns of the loop that a test counts; the pace stands still unless the test says otherwise."""

import asyncio

import pytest

from sakimori_chat.spreading import WRITES_A_TURN, Pace, Spreading, Turn
from servers.eventually import eventually

AT_ONCE = Pace(least=0.0, most=0.0)
NEVER_AGAIN = Pace(least=60.0, most=60.0)


def _turns(count: int, taken: list[int]) -> list[Turn]:
    def act(number: int) -> int:
        taken.append(number)
        return WRITES_A_TURN

    return [Turn(lambda number=number: act(number)) for number in range(count)]  # type: ignore[misc]


async def test_others_have_their_go_between_two_turns() -> None:
    taken: list[int] = []
    spreading = Spreading(AT_ONCE)
    for turn in _turns(5, taken):
        spreading.want(turn)
    so_far = []
    for _ in range(5):
        so_far.append(list(taken))
        await asyncio.sleep(0)
    assert so_far == [[0], [0, 1], [0, 1, 2], [0, 1, 2, 3], [0, 1, 2, 3, 4]]


async def test_a_turn_that_is_wanted_twice_comes_once_and_later_again() -> None:
    taken: list[int] = []
    spreading = Spreading(AT_ONCE)
    first, second = _turns(2, taken)
    for _ in range(2):
        spreading.want(first)
        spreading.want(second)
        spreading.want(second)
        await eventually(lambda: not first.is_wanted and not second.is_wanted)
    assert sorted(taken) == [0, 0, 1, 1]


async def test_the_pace_holds_for_each_turn_by_itself() -> None:
    taken: list[int] = []
    spreading = Spreading(NEVER_AGAIN)
    first, second = _turns(2, taken)
    spreading.want(first)
    spreading.want(first)
    spreading.want(second)
    await eventually(lambda: taken == [0, 1])
    assert first.is_wanted
    first.cancel()


async def test_a_turn_in_a_hurry_does_not_wait_for_the_pace() -> None:
    taken: list[int] = []
    spreading = Spreading(NEVER_AGAIN)
    (turn,) = _turns(1, taken)
    spreading.want(turn)
    spreading.want(turn)
    spreading.hurry(turn)
    spreading.hurry(turn)
    await eventually(lambda: taken == [0, 0])
    assert not turn.is_wanted


async def test_a_turn_that_was_cancelled_does_not_come_and_holds_up_nobody() -> None:
    taken: list[int] = []
    spreading = Spreading(AT_ONCE)
    first, second, third = _turns(3, taken)
    for turn in (first, second, third):
        spreading.want(turn)
    second.cancel()
    await eventually(lambda: taken == [0, 2])
    spreading.want(second)
    await eventually(lambda: taken == [0, 2, 1])


async def test_a_turn_that_fails_does_not_end_the_others() -> None:
    taken: list[int] = []
    spreading = Spreading(AT_ONCE)

    def fail() -> int:
        raise RuntimeError("no writes")

    with pytest.raises(RuntimeError):
        spreading.want(Turn(fail))
    (turn,) = _turns(1, taken)
    spreading.want(turn)
    await eventually(lambda: taken == [0])


@pytest.mark.parametrize(
    ("listeners", "seconds"), [(0, 0.005), (1, 0.005), (200, 0.005), (2800, 0.06), (100_000, 0.25)]
)
def test_the_larger_the_crowd_the_further_apart_are_frames(listeners: int, seconds: float) -> None:
    assert Spreading(Pace()).period(listeners) == pytest.approx(seconds)
