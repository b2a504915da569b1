"""How many wrong signatures a network has sent lately."""

from typing import Final

MAX_NETWORKS: Final = 10_000
"""Networks watched at once, some 2 MB; beyond that new ones share one count."""
WINDOW_SECONDS: Final = 60.0


class Forgeries:
    """Counts wrong signatures of each network in windows of a minute.

    In this process, since a forgery shall cost no round trip. Only what is wrong counts and only that is answered
    differently: an honest bot behind the same address comes in as ever.
    """

    def __init__(self, per_minute: int) -> None:
        self._per_minute = per_minute
        self._counts: dict[str, int] = {}
        self._ends_at = 0.0

    def is_over(self, network: str, now: float) -> bool:
        """Count one more, and tell whether that is too many. `now` is in seconds."""
        if not now < self._ends_at <= now + WINDOW_SECONDS:
            self._counts.clear()
            self._ends_at = now + WINDOW_SECONDS
        key = network if network in self._counts or len(self._counts) < MAX_NETWORKS else ""
        self._counts[key] = self._counts.get(key, 0) + 1
        return self._counts[key] > self._per_minute
