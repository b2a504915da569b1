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
    """A token bucket for each source. Times are seconds of any clock that never goes back.

    At least one request, and otherwise what comes in `burst_seconds`, may come at once.
    """

    def __init__(self, per_second: float, burst_seconds: float = BURST_SECONDS) -> None:
        self._per_second = per_second
        self._burst = max(1.0, per_second * burst_seconds)
        self._buckets: OrderedDict[str, _Bucket] = OrderedDict()
        self._shedding: dict[str, _Bucket] = {}

    def admits(self, source: str, now: float) -> bool:
        """Count a request; tells whether it is within what its source may ask for."""
        bucket = self._bucket(source, now)
        bucket.tokens = min(self._burst, bucket.tokens + (now - bucket.at) * self._per_second)
        bucket.at = now
        if bucket.tokens >= 1.0:
            bucket.tokens -= 1.0
            return True
        self._note(source, bucket)
        return False

    def sheds(self, source: str, now: float) -> None:
        """Count a request that is shed for another reason."""
        self._note(source, self._bucket(source, now))

    def taken(self) -> list[tuple[str, int]]:
        """Take what was shed since the last call: sources and how many requests of each."""
        shed = [(source, bucket.shed) for source, bucket in self._shedding.items()]
        for bucket in self._shedding.values():
            bucket.shed = 0
        self._shedding.clear()
        return shed

    def _bucket(self, source: str, now: float) -> _Bucket:
        bucket = self._buckets.get(source)
        if bucket is not None:
            self._buckets.move_to_end(source)
            return bucket
        bucket = self._buckets[source] = _Bucket(self._burst, now)
        if len(self._buckets) > MAX_SOURCES:
            self._buckets.popitem(last=False)
        return bucket

    def _note(self, source: str, bucket: _Bucket) -> None:
        bucket.shed += 1
        self._shedding[source] = bucket
