"""Identifiers as functions of what they name."""

import uuid

from hypothesis import given
from hypothesis import strategies as st

from sakimori_common.ids import PlacedEventIds, digest, event_id, numbered_event_id, random_event_id, stable_id
from sakimori_common.instants import LATEST

MORNING = 1_768_528_800_000_000


def test_the_same_line_of_the_same_file_has_the_same_id() -> None:
    assert event_id(MORNING, "/var/log/auth.log", "9123") == event_id(MORNING, "/var/log/auth.log", "9123")


def test_the_next_line_has_another() -> None:
    assert event_id(MORNING, "/var/log/auth.log", "9123") != event_id(MORNING, "/var/log/auth.log", "9207")


@given(st.integers(0, LATEST), st.lists(st.one_of(st.text(), st.binary())))
def test_event_ids_are_uuids_of_version_7_with_their_time(time: int, identity: list[str | bytes]) -> None:
    parsed = uuid.UUID(event_id(time, *identity))
    assert (parsed.version, parsed.variant) == (7, uuid.RFC_4122)
    assert parsed.int >> 80 == time // 1000
    assert str(parsed) == event_id(time, *identity)


@given(
    st.integers(0, LATEST),
    st.text(),
    st.integers(0, (1 << 64) - 1),
    st.integers(0, (1 << 32) - 1),
    st.binary(max_size=99),
)
def test_placed_ids_are_uuids_of_version_7_with_their_time(
    time: int, source: str, place: int, number: int, raw: bytes
) -> None:
    text = PlacedEventIds(source).at(time, place, number, raw)
    parsed = uuid.UUID(text)
    assert (str(parsed), parsed.version, parsed.variant) == (text, 7, uuid.RFC_4122)
    assert parsed.int >> 80 == time // 1000
    assert PlacedEventIds(source).at(time, place, number, raw) == text


_PLACES = st.tuples(st.text(max_size=3), st.integers(0, 300), st.integers(0, 3), st.binary(max_size=3))


@given(st.sets(_PLACES, min_size=2))
def test_placed_ids_differ_in_source_place_number_or_line(places: set[tuple[str, int, int, bytes]]) -> None:
    ids = {PlacedEventIds(source).at(MORNING, place, number, raw) for source, place, number, raw in places}
    assert len(ids) == len(places)


def test_each_of_the_random_bits_of_placed_ids_is_set_half_of_the_time() -> None:
    ids = PlacedEventIds("/var/log/auth.log")
    made = [uuid.UUID(ids.at(MORNING, place, 0, b"the same line")).int for place in range(4096)]
    for bit in [*range(62), *range(64, 76)]:
        assert 1848 < sum(value >> bit & 1 for value in made) < 2248  # 4 in 10**10 by chance


@given(st.lists(st.one_of(st.text(), st.binary())))
def test_stable_ids_are_uuids_of_version_8(parts: list[str | bytes]) -> None:
    parsed = uuid.UUID(stable_id(*parts))
    assert (parsed.version, parsed.variant) == (8, uuid.RFC_4122)


def test_where_a_part_ends_matters() -> None:
    assert digest("ab", "c") != digest("a", "bc") != digest("abc")


def test_ids_sort_by_time() -> None:
    assert event_id(MORNING, "b") < event_id(MORNING + 1000, "a")


@given(st.integers(0, LATEST), st.integers(0, (1 << 128) - 1), st.sets(st.integers(0, (1 << 74) - 1), min_size=2))
def test_what_a_sequence_numbers_differently_has_ids_of_its_own(time: int, identity: int, numbers: set[int]) -> None:
    ids = {numbered_event_id(time, identity, number) for number in numbers}
    assert len(ids) == len(numbers)
    for text in ids:
        parsed = uuid.UUID(text)
        assert (str(parsed), parsed.version, parsed.variant) == (text, 7, uuid.RFC_4122)
        assert parsed.int >> 80 == time // 1000


def test_random_ids_differ() -> None:
    assert len({random_event_id(MORNING) for _ in range(1000)}) == 1000


def test_a_lone_surrogate_can_be_named() -> None:
    assert digest("\ud800") != digest("?")
