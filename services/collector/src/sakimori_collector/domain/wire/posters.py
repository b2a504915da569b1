"""Who may post, and how much."""

from dataclasses import dataclass
from typing import Final

from sakimori_collector.domain.formats import AUTO

BURST_SECONDS: Final = 10
"""A source may send the lines of so many seconds at once: agents gather what they send."""


@dataclass(frozen=True, slots=True)
class Poster:
    """A source that shows a token. `name` is what its lines are counted under and its events say.

    `format` is how its raw lines are read; None for either limit: the deployment's own.
    """

    name: str
    format: str = AUTO
    lines_per_second: int | None = None
    max_body_bytes: int | None = None


class LineRate:
    """A token bucket of lines. The clock comes with each call, in seconds from wherever."""

    def __init__(self, lines_per_second: int, now: float) -> None:
        self.lines_per_second = lines_per_second
        self.capacity = lines_per_second * BURST_SECONDS
        self._level = float(self.capacity)
        self._at = now

    @property
    def level(self) -> int:
        """Lines that may come now."""
        return max(0, int(self._level))

    def take(self, lines: int, now: float) -> float:
        """Take lines out; returns 0, or in how many seconds so many may come.

        More than the bucket holds passes when it is full, and what is missing is paid back first.
        """
        self._level = min(self.capacity, self._level + (now - self._at) * self.lines_per_second)
        self._at = now
        missing = min(lines, self.capacity) - self._level
        if missing > 0:
            return missing / self.lines_per_second
        self._level -= lines
        return 0.0
