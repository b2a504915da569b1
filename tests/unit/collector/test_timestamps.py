"""Times as structured logs write them."""

from contextlib import suppress
from datetime import UTC, datetime
from typing import Any
from zoneinfo import ZoneInfo

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from sakimori_collector.domain.format import LineRejected, Reference
from sakimori_collector.domain.times import DAY, OLDEST
from sakimori_collector.domain.timestamps import epoch_time, time_of
from sakimori_common.instants import format_instant, parse_instant

NOW = parse_instant("2026-01-16T02:00:00Z")
HERE = Reference(NOW)
TOKYO = Reference(NOW, ZoneInfo("Asia/Tokyo"))


@pytest.mark.parametrize(
    "value",
    [
        1768528798,
        1768528798.0,
        1768528798000,
        1768528798000000,
        1768528798000000000,
        "1768528798",
        "1768528798.000",
        "1768528798000",
        "2026-01-16T01:59:58Z",
        "2026-01-16 01:59:58+00:00",
        "2026-01-16T01:59:58,000Z",
        "2026-01-16T10:59:58.000000000+0900",
        "20260116T015958Z",
        "2026-01-16 01:59:58 UTC",
        "2026/01/16 01:59:58",
        "2026-01-16T01:59:58.000 Z",
        "16/Jan/2026:01:59:58 +0000",
        "Fri, 16 Jan 2026 01:59:58 GMT",
        "16 Jan 2026 01:59:58 +0000",
        "Fri Jan 16 01:59:58 2026",
        "Fri Jan 16 01:59:58.000000 2026",
        "Jan 16 2026 01:59:58",
        "Jan 16 2026 01:59:58.000 UTC",
        "Jan 16 01:59:58",
        "Fri Jan 16 10:59:58 JST 2026",
    ],
)
def test_the_same_instant_in_all_writings(value: Any) -> None:
    assert format_instant(time_of(value, HERE)) == "2026-01-16T01:59:58.000Z"


@pytest.mark.parametrize(
    ("value", "expected"),
    [
        ("2026-01-16 10:59:58", "2026-01-16T01:59:58.000Z"),
        ("2026-01-16T01:59:58Z", "2026-01-16T01:59:58.000Z"),
        ("Fri Jan 16 10:59:58 2026", "2026-01-16T01:59:58.000Z"),
        ("Jan 16 10:59:58", "2026-01-16T01:59:58.000Z"),
        ("Dec 31 10:59:58", "2025-12-31T01:59:58.000Z"),
        (1768528798, "2026-01-16T01:59:58.000Z"),
    ],
)
def test_without_a_zone_it_is_that_of_the_host(value: Any, expected: str) -> None:
    assert format_instant(time_of(value, TOKYO)) == expected


@pytest.mark.parametrize(
    ("value", "expected"),
    [
        (1768528798.384019, "2026-01-16T01:59:58.384019Z"),
        ("1768528798.384019", "2026-01-16T01:59:58.384019Z"),
        (1768528798384.5, "2026-01-16T01:59:58.384500Z"),
        (1768528798384019999, "2026-01-16T01:59:58.384019Z"),
        ("2026-01-16T01:59:58.3840199Z", "2026-01-16T01:59:58.384019Z"),
        ("2026-01-16 01:59:60", "2026-01-16T01:59:59.000Z"),
    ],
)
def test_fractions_are_kept_to_the_microsecond(value: Any, expected: str) -> None:
    assert format_instant(time_of(value, HERE)) == expected


@pytest.mark.parametrize(
    ("value", "reason"),
    [
        (0, "before 1990"),
        (12.5, "before 1990"),
        (-1, "before 1990"),
        ("1970-01-01T00:00:12Z", "no such time: 1970-01-01T00:00:12.000Z, before 1990: a clock that was never set"),
        ("1980-01-01T00:00:00Z", "before 1990"),
        ("2100-01-16T01:59:58Z", "over a day ahead of this host's clock: 2100-01-16T01:59:58.000Z"),
        (4108528798, "over a day ahead"),
        (99999999999999999999, "over a day ahead"),
        (10**40, "no such time"),
        (float("nan"), "no such time"),
        (float("inf"), "no such time"),
        (True, "no time: True"),
        (None, "no time in it"),
        ([1], "no time: [1]"),
        ("", "no such time"),
        ("yesterday", "no such time: yesterday"),
        ("2026-02-30T00:00:00Z", "no such time"),
        ("2026-01-16 01:59:58 XYZ", "no zone that is known: XYZ"),
        ("1" * 5000, "no such time"),
    ],
)
def test_a_clock_that_cannot_be_right_and_what_is_no_time(value: Any, reason: str) -> None:
    with pytest.raises(LineRejected) as raised:
        time_of(value, HERE)
    assert reason in str(raised.value)
    assert len(str(raised.value)) < 200


def test_the_borders_of_the_rule() -> None:
    assert time_of("1990-01-01T00:00:00Z", HERE) == OLDEST
    assert time_of(format_instant(NOW + DAY), HERE) == NOW + DAY
    with pytest.raises(LineRejected):
        time_of("1989-12-31T23:59:59.999Z", HERE)
    with pytest.raises(LineRejected):
        time_of(format_instant(NOW + DAY + 1), HERE)


@settings(deadline=None)
@given(st.datetimes(datetime(1990, 1, 2), datetime(2026, 1, 15), timezones=st.just(UTC)))
def test_every_unit_of_the_epoch_and_iso_agree(moment: datetime) -> None:
    whole = moment.replace(microsecond=0)
    seconds = int(whole.timestamp())
    expected = seconds * 1_000_000
    for value in (seconds, seconds * 1000, seconds * 10**6, seconds * 10**9):
        assert epoch_time(value) == expected
    assert time_of(whole.isoformat(), HERE) == expected
    assert time_of(moment.isoformat(), HERE) == expected + moment.microsecond


@settings(deadline=None)
@given(st.text(max_size=80))
def test_no_text_raises_anything_else(text: str) -> None:
    with suppress(LineRejected):
        time_of(text, TOKYO)
