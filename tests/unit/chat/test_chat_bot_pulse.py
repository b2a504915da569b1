import pytest

from sakimori_chat.bots.domain.frames import Pong
from sakimori_chat.bots.sessions.pace import Pace
from sakimori_chat.bots.sessions.pulse import Pulse


class Clock:
    def __init__(self) -> None:
        self.now = 1000.0

    def __call__(self) -> float:
        return self.now


def _pulse(clock: Clock, first_seconds: float = 10.0) -> Pulse:
    return Pulse(
        "bot-0123456789abcdef",
        clock=clock,
        wall=lambda: 1_768_528_800.0,
        interval=30.0,
        timeout=90.0,
        first_seconds=first_seconds,
    )


def test_the_first_ping_comes_when_chance_says_and_the_next_every_thirty_seconds() -> None:
    pulse = _pulse(Clock())
    assert [pulse.next_ping(now) for now in (1009.9, 1010.0, 1011.0, 1039.9, 1040.0)] == [None, 1, None, None, 2]


def test_an_answer_tells_how_long_it_took_and_how_the_bot_is_doing() -> None:
    clock = Clock()
    pulse = _pulse(clock)
    clock.now = 1010.0
    assert pulse.next_ping(clock.now) == 1
    clock.now = 1010.25
    pulse.answered(Pong(1, memory_bytes=5, queue=2, rooms=3))
    (beat,) = pulse.take()
    assert (beat.rtt_seconds, beat.memory_bytes, beat.queue, beat.rooms) == (0.25, 5, 2, 3)
    assert pulse.take() == []


@pytest.mark.parametrize("answers", [[2], [0], [1, 1]])
def test_an_answer_to_no_ping_or_to_one_that_was_answered_says_nothing(answers: list[int]) -> None:
    clock = Clock()
    pulse = _pulse(clock)
    pulse.next_ping(1010.0)
    for number in answers:
        pulse.answered(Pong(number))
    assert len(pulse.take()) == answers.count(1) - (len(answers) > 1)


def test_a_bot_without_an_answer_for_ninety_seconds_is_lost_even_if_it_was_never_pinged() -> None:
    pulse = _pulse(Clock())
    assert not pulse.is_lost(1089.9)
    assert pulse.is_lost(1090.0)


def test_an_answer_starts_the_ninety_seconds_anew() -> None:
    clock = Clock()
    pulse = _pulse(clock)
    clock.now = 1060.0
    pulse.next_ping(clock.now)
    pulse.answered(Pong(1))
    assert not pulse.is_lost(1149.9)
    assert pulse.is_lost(1150.0)


def test_time_in_which_the_server_did_not_read_does_not_count_against_the_bot() -> None:
    clock = Clock()
    pulse = _pulse(clock)
    with pulse.held_up():
        clock.now = 1200.0
        assert not pulse.is_lost(1200.0)
    assert not pulse.is_lost(1289.9)
    assert pulse.is_lost(1290.0)


def test_a_ping_that_was_missed_is_noted_without_a_time() -> None:
    pulse = _pulse(Clock())
    pulse.missed()
    assert [beat.rtt_seconds for beat in pulse.take()] == [None]


def test_a_bot_may_send_four_hundred_frames_at_once_and_fifty_a_second_from_then_on() -> None:
    pace = Pace()
    assert [pace.delay(0.0) for _ in range(400)] == [0.0] * 400
    assert pace.delay(0.0) == pytest.approx(0.02)
    assert pace.delay(0.04) == 0.0
    assert [pace.delay(100.0) for _ in range(400)] == [0.0] * 400
