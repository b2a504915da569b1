"""How many may listen at once, and how fast they may speak."""

from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager


class NoSeat(Exception):
    """There is none left; `reason` is too_many_here (this network holds its share) or full (the whole replica)."""

    def __init__(self, reason: str) -> None:
        super().__init__(reason)
        self.reason = reason


class Seats:
    """Counts the connections of this replica, by network."""

    def __init__(self, total: int, per_network: int) -> None:
        self._total = total
        self._per_network = per_network
        self._taken: Counter[str] = Counter()
        self._count = 0

    @contextmanager
    def taken(self, network: str) -> Iterator[None]:
        """Hold a seat for the length of the block. Raises NoSeat."""
        if self._taken.get(network, 0) >= self._per_network:
            raise NoSeat("too_many_here")
        if self._count >= self._total:
            raise NoSeat("full")
        self._taken[network] += 1
        self._count += 1
        try:
            yield
        finally:
            self._count -= 1
            self._taken[network] -= 1
            if not self._taken[network]:
                del self._taken[network]


class Allowance:
    """So many frames a second, four seconds' worth at once. Times are seconds of any clock that never goes back."""

    def __init__(self, per_second: float, now: float) -> None:
        self._per_second = per_second
        self._most = self._left = 4 * per_second
        self._at = now

    def takes(self, now: float) -> bool:
        """Count a frame; tells whether it is within the allowance."""
        self._left = min(self._most, self._left + (now - self._at) * self._per_second)
        self._at = now
        if self._left < 1:
            return False
        self._left -= 1
        return True
