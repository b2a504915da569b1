"""Who asks for too much, told from memory: what it costs to say no must not depend on how often it is said."""

from collections import OrderedDict
from dataclasses import dataclass
from typing import Final

MAX_SOURCES: Final = 20_000
"""Networks watched at once, some 4 MB; the one that was quiet for longest is forgotten first."""
BURST_SECONDS: Final = 1.0
"""A page with its assets comes at once; but what is let in at once is what everybody else waits for."""


@dataclass(slots=True)
class _Bucket:
    tokens: float
    at: float
    shed: int = 0


class Shedder:
    """A token bucket for each source. Times are seconds of any clock that never goes back."""

    def __init__(self, per_second: float) -> None:
        self._per_second = per_second
        self._burst = per_second * BURST_SECONDS
        self._buckets: OrderedDict[str, _Bucket] = OrderedDict()
        self._shedding: dict[str, _Bucket] = {}

    def admits(self, source: str, now: float) -> bool:
        """Count a request; tells whether it is within what its source may ask for."""
        bucket = self._buckets.get(source)
        if bucket is None:
            bucket = self._buckets[source] = _Bucket(self._burst, now)
            if len(self._buckets) > MAX_SOURCES:
                self._buckets.popitem(last=False)
        else:
            self._buckets.move_to_end(source)
        bucket.tokens = min(self._burst, bucket.tokens + (now - bucket.at) * self._per_second)
        bucket.at = now
        if bucket.tokens >= 1.0:
            bucket.tokens -= 1.0
            return True
        bucket.shed += 1
        self._shedding[source] = bucket
        return False

    def taken(self) -> list[tuple[str, int]]:
        """Take what was shed since the last call: sources and how many requests of each."""
        shed = [(source, bucket.shed) for source, bucket in self._shedding.items()]
        for bucket in self._shedding.values():
            bucket.shed = 0
        self._shedding.clear()
        return shed
