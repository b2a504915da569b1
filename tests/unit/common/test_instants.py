"""Instants in and out of text."""

from datetime import UTC, datetime

import pytest
from hypothesis import given
from hypothesis import strategies as st

from sakimori_common.instants import (
    EARLIEST,
    LATEST,
    format_instant,
    now_text,
    parse_instant,
    to_datetime,
    to_microseconds,
)

MORNING = 1_768_528_800_000_000


def test_an_instant_is_written_with_milliseconds_and_z() -> None:
    assert format_instant(MORNING) == "2026-01-16T02:00:00.000Z"


def test_microseconds_are_written_where_they_say_something() -> None:
    assert format_instant(MORNING + 1) == "2026-01-16T02:00:00.000001Z"


@pytest.mark.parametrize(
    "text", ["2026-01-16T02:00:00.000Z", "2026-01-16T11:00:00+09:00", "2026-01-16T02:00:00Z", "2026-01-16 02:00:00Z"]
)
def test_the_same_instant_is_read_from_any_offset(text: str) -> None:
    assert parse_instant(text) == MORNING


@pytest.mark.parametrize(
    ("text", "reason"),
    [
        ("2026-01-16T02:00:00", "without a zone"),
        ("yesterday", "yesterday"),
        ("1969-12-31T23:59:59Z", "before 1970"),
        ("", "Invalid isoformat"),
    ],
)
def test_what_is_no_instant_is_refused(text: str, reason: str) -> None:
    with pytest.raises(ValueError, match=reason):
        parse_instant(text)


@given(st.integers(EARLIEST, LATEST))
def test_every_instant_survives_text(microseconds: int) -> None:
    assert parse_instant(format_instant(microseconds)) == microseconds


@given(st.integers(EARLIEST, LATEST))
def test_every_instant_survives_a_datetime_exactly(microseconds: int) -> None:
    assert to_microseconds(to_datetime(microseconds)) == microseconds


def test_a_naive_datetime_is_no_instant() -> None:
    with pytest.raises(ValueError, match="without a zone"):
        to_microseconds(datetime(2026, 1, 16))


def test_the_clock_is_read_in_utc_with_milliseconds() -> None:
    before = datetime.now(UTC)
    text = now_text()
    assert len(text) == len("2026-01-16T02:00:00.000Z")
    assert abs(parse_instant(text) - to_microseconds(before)) < 60_000_000
