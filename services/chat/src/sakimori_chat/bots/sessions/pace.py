"""How fast frames of one bot are read, whatever they ask: each costs a signature, and the loop is everybody's."""

from typing import Final

FRAMES_PER_SECOND: Final = 50.0
BURST_FRAMES: Final = 400
"""All that a bot may post in a minute, at once, and the pings beside it."""


class Pace:
    """A bucket that `BURST_FRAMES` fit in. Times are seconds of a clock that never goes back."""

    def __init__(self, per_second: float = FRAMES_PER_SECOND, burst: int = BURST_FRAMES) -> None:
        self._seconds_each = 1 / per_second
        self._burst_seconds = burst / per_second
        self._filled_until = float("-inf")

    def delay(self, now: float) -> float:
        """Count a frame; the seconds to wait before the next is read, 0 while the bot keeps within bounds."""
        self._filled_until = max(self._filled_until, now) + self._seconds_each
        return max(0.0, self._filled_until - now - self._burst_seconds)
