from hypothesis import given
from hypothesis import strategies as st

from sakimori_common import shedding
from sakimori_common.shedding import Shedder


def test_a_source_may_ask_for_a_second_s_worth_at_once_and_then_for_its_rate() -> None:
    shedder = Shedder(10)
    assert [shedder.admits("192.0.2.1", 0.0) for _ in range(11)] == [True] * 10 + [False]
    assert shedder.admits("192.0.2.1", 0.1)
    assert not shedder.admits("192.0.2.1", 0.1)


def test_a_burst_may_be_longer_than_a_second_and_is_never_less_than_one_request() -> None:
    patient, strict = Shedder(2, burst_seconds=3.0), Shedder(0.5)
    assert [patient.admits("192.0.2.1", 0.0) for _ in range(7)] == [True] * 6 + [False]
    assert [strict.admits("192.0.2.1", at) for at in (0.0, 1.0, 2.0)] == [True, False, True]


def test_what_is_shed_for_another_reason_counts_and_takes_nothing_from_the_source() -> None:
    shedder = Shedder(1)
    shedder.sheds("192.0.2.1", 0.0)
    assert shedder.taken() == [("192.0.2.1", 1)]
    assert shedder.admits("192.0.2.1", 0.0)


def test_another_source_is_not_concerned() -> None:
    shedder = Shedder(3)
    assert [shedder.admits("192.0.2.1", 0.0) for _ in range(4)] == [True, True, True, False]
    assert shedder.admits("192.0.2.2", 0.0)


def test_what_was_shed_is_counted_once() -> None:
    shedder = Shedder(3)
    for _ in range(10):
        shedder.admits("192.0.2.1", 0.0)
    shedder.admits("192.0.2.2", 0.0)
    assert shedder.taken() == [("192.0.2.1", 7)]
    assert shedder.taken() == []
    shedder.admits("192.0.2.1", 0.1)
    assert shedder.taken() == [("192.0.2.1", 1)]


def test_memory_is_bounded_and_the_count_of_who_was_forgotten_is_not_lost() -> None:
    shedder = Shedder(3)
    for _ in range(5):
        shedder.admits("192.0.2.1", 0.0)
    for number in range(shedding.MAX_SOURCES):
        shedder.admits(f"2001:db8::{number:x}", 1.0)
    assert len(shedder._buckets) == shedding.MAX_SOURCES
    assert shedder.taken() == [("192.0.2.1", 2)]


@given(st.lists(st.floats(0, 5), max_size=200))
def test_never_more_than_the_burst_and_the_rate_are_let_in(gaps: list[float]) -> None:
    shedder, at, admitted = Shedder(4), 0.0, 0
    for gap in gaps:
        at += gap
        admitted += shedder.admits("192.0.2.1", at)
    assert admitted <= 4 + 4 * at + 1e-6
    assert sum(count for _, count in shedder.taken()) == len(gaps) - admitted
