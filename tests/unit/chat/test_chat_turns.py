from hypothesis import given
from hypothesis import strategies as st

from sakimori_chat.domain.turns import Turns

HOME, OFFICE = "192.0.2.1", "2001:db8::/64"


def test_a_network_has_two_turns_and_the_rest_wait_in_order() -> None:
    turns: Turns[str] = Turns(at_once=2)
    assert [turns.begins(HOME, ticket) for ticket in "abcd"] == [True, True, False, False]
    assert [turns.ended(HOME) for _ in range(4)] == ["c", "d", None, None]


def test_another_network_does_not_wait() -> None:
    turns: Turns[str] = Turns(at_once=1)
    assert [turns.begins(HOME, ticket) for ticket in "ab"] == [True, False]
    assert turns.begins(OFFICE, "c")


def test_it_is_full_when_as_many_wait_as_may_and_only_for_that_network() -> None:
    turns: Turns[str] = Turns(at_once=1, max_waiting=2)
    full = [(turns.begins(HOME, ticket), turns.is_full(HOME)) for ticket in "abc"]
    assert full == [(True, False), (False, False), (False, True)]
    assert not turns.is_full(OFFICE)
    turns.ended(HOME)
    assert not turns.is_full(HOME)


def test_who_withdraws_gets_no_turn_and_who_has_one_cannot_withdraw() -> None:
    turns: Turns[str] = Turns(at_once=1)
    assert [turns.begins(HOME, ticket) for ticket in "abc"] == [True, False, False]
    assert (turns.withdrawn(HOME, "b"), turns.withdrawn(HOME, "a"), turns.withdrawn(OFFICE, "b")) == (
        True,
        False,
        False,
    )
    assert turns.ended(HOME) == "c"


@given(st.lists(st.tuples(st.sampled_from(["begin", "end", "withdraw"]), st.sampled_from([HOME, OFFICE]))))
def test_whatever_happens_turns_are_bounded_in_order_and_forgotten_in_the_end(steps: list[tuple[str, str]]) -> None:
    turns: Turns[int] = Turns(at_once=2)
    working: dict[str, list[int]] = {HOME: [], OFFICE: []}
    waiting: dict[str, list[int]] = {HOME: [], OFFICE: []}

    def end(source: str) -> None:
        working[source].pop()
        if (ticket := turns.ended(source)) is not None:
            assert ticket == waiting[source].pop(0)
            working[source].append(ticket)

    for ticket, (step, source) in enumerate(steps):
        if step == "begin":
            (working if turns.begins(source, ticket) else waiting)[source].append(ticket)
        elif step == "end" and working[source]:
            end(source)
        elif step == "withdraw" and waiting[source]:
            assert turns.withdrawn(source, waiting[source].pop())
        assert len(working[source]) <= 2
        assert len(working[source]) == 2 or not waiting[source]
    for source in (HOME, OFFICE):
        while working[source]:
            end(source)
    assert waiting == {HOME: [], OFFICE: []}
    assert not turns._sources
