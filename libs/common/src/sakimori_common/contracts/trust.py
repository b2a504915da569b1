"""What a quiet history adds to the trust in a device: the sensor's events and the gateway's answers say the same."""

from typing import Final

DAY: Final = 86_400_000_000
"""In microseconds."""
_A_DAY: Final = 0.01
_MOST_DAYS: Final = 20


def worth_of_quiet(since: int, now: int) -> tuple[int, float]:
    """Tell the whole days from `since` to `now`, both in microseconds, that count, and what they add together."""
    days = min(max(now - since, 0) // DAY, _MOST_DAYS)
    return days, round(days * _A_DAY, 4)
