"""When a failed notice is tried again."""

from datetime import UTC, datetime

import pytest

from sakimori_notifier.domain.backoff import parse_retry_after, wait_seconds

NOW = datetime(2026, 1, 16, 2, 0, 0, tzinfo=UTC)


@pytest.mark.parametrize(
    ("attempt", "retry_after", "seconds"),
    [
        (1, None, 1.0),
        (2, None, 2.0),
        (4, None, 8.0),
        (7, None, 60.0),
        (50, None, 60.0),
        (1, 30.0, 30.0),
        (1, 1e9, 3600.0),
    ],
)
def test_waits_double_to_a_minute_unless_the_receiver_says_when(
    attempt: int, retry_after: float | None, seconds: float
) -> None:
    assert wait_seconds(attempt, 1.0, retry_after) == seconds


@pytest.mark.parametrize(
    ("header", "seconds"),
    [
        (None, None),
        ("120", 120.0),
        ("0.5", 0.5),
        ("Fri, 16 Jan 2026 02:01:00 GMT", 60.0),
        ("Fri, 16 Jan 2026 01:00:00 GMT", 0.0),
        ("soon", None),
    ],
)
def test_retry_after_is_seconds_or_a_date(header: str | None, seconds: float | None) -> None:
    assert parse_retry_after(header, NOW) == seconds
