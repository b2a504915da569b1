"""When a delivery that failed is tried again."""

from contextlib import suppress
from datetime import UTC, datetime
from email.utils import parsedate_to_datetime

LONGEST_SECONDS = 60.0
LONGEST_RETRY_AFTER_SECONDS = 3600.0
"""A receiver that asks for more is asked again after an hour all the same."""


def wait_seconds(attempt: int, first_seconds: float, retry_after_seconds: float | None) -> float:
    """Tell how long to wait after a try (from 1): what the receiver asked for, else doubling up to a minute."""
    if retry_after_seconds is not None:
        return min(max(retry_after_seconds, 0.0), LONGEST_RETRY_AFTER_SECONDS)
    return float(min(first_seconds * 2 ** min(attempt - 1, 16), LONGEST_SECONDS))


def parse_retry_after(value: str | None, now: datetime) -> float | None:
    """Read a Retry-After header (RFC 9110, 10.2.3): seconds or an HTTP date; None when absent or neither."""
    if value is None:
        return None
    with suppress(ValueError):
        return max(0.0, float(value))
    try:
        moment = parsedate_to_datetime(value)
    except ValueError:
        return None
    if moment.tzinfo is None:
        moment = moment.replace(tzinfo=UTC)
    return max(0.0, (moment - now).total_seconds())
