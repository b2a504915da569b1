"""The state of one process, bounded."""

from collections import OrderedDict
from collections.abc import Sequence
from typing import Final, TypeVar

from sakimori_detector.adapters.memory_waiting import WaitingSigns
from sakimori_detector.domain.folds import Fold
from sakimori_detector.ports import Batch
from sakimori_detector.sigma.judging import Ripe, Settled
from sakimori_detector.sigma.sliding import KeyWindow
from sakimori_detector.sigma.windows import LATENESS, Group, Outcome, merged, microseconds

K = TypeVar("K")
V = TypeVar("V")

MAX_KEYS: Final = 200_000
"""Windows and remembered values each; the one untouched for longest goes first. A window is 1-10 KB."""
MAX_BATCHES: Final = 100
"""Batches whose outcomes are remembered: in one process nothing is handed out again."""
GRACE: Final = microseconds(3600)
"""A window is forgotten when events are later by this than anything it can still reach."""


class MemoryState:
    """Implements `ports.DetectionState` with dictionaries. Forgets by event time and beyond a bound."""

    def __init__(self, max_keys: int = MAX_KEYS, lateness: int = LATENESS) -> None:
        self._max_keys = max_keys
        self._lateness = lateness
        self._windows: OrderedDict[tuple[str, str], tuple[KeyWindow, int]] = OrderedDict()
        self._values: OrderedDict[str, tuple[bytes, int]] = OrderedDict()
        self._batches: OrderedDict[str, list[Outcome]] = OrderedDict()
        self._waiting = WaitingSigns(max_keys, lateness)

    async def apply(self, batch: Batch) -> list[Outcome]:
        """See `ports.DetectionState.apply`."""
        known = self._batches.get(batch.id)
        if known is not None:
            return known
        groups = list(batch.groups)
        for fold in batch.folds:
            groups += self._fold(fold)
        outcomes = []
        self._forget(groups)
        for group in merged(groups):
            if group.window.is_judged:
                self._waiting.add(group, batch.arrived_at)
            else:
                outcomes += self._observe(group)
        self._batches[batch.id] = outcomes
        self._trim(self._batches, MAX_BATCHES)
        return outcomes

    @property
    def lateness(self) -> int:
        """See `ports.DetectionState.lateness`."""
        return self._lateness

    async def ripe(self, now: int) -> list[Ripe]:
        """See `ports.DetectionState.ripe`."""
        return self._waiting.ripe(now)

    async def settle(self, settled: Sequence[Settled]) -> None:
        """See `ports.DetectionState.settle`."""
        for each in settled:
            self._waiting.settle(each)

    def value(self, key: str) -> bytes | None:
        """Read what an analytic remembers under a key."""
        known = self._values.get(key)
        return None if known is None else known[0]

    def _observe(self, group: Group) -> list[Outcome]:
        key = (group.window.rule_id, group.key)
        window = self._windows.pop(key)[0] if key in self._windows else KeyWindow()
        outcomes = window.observe(group, self._lateness)
        self._windows[key] = (window, window.newest + group.window.timespan + group.window.hold + GRACE)
        self._trim(self._windows, self._max_keys)
        return outcomes

    def _forget(self, groups: Sequence[Group]) -> None:
        """Drop windows that were over before the earliest sign of a batch: what it comes to is counted after it.

        The longest untouched first; two for each that comes keep up.
        """
        earliest = min((sign.time for group in groups for sign in group.signs), default=0)
        for _ in range(min(2 * len(groups), len(self._windows))):
            key = next(iter(self._windows))
            if self._windows[key][1] >= earliest:
                return
            del self._windows[key]

    def _fold(self, fold: Fold) -> list[Group]:
        since = fold.time if fold.since is None else fold.since
        step = fold.step([self._live(key, since) for key in fold.keys])
        for key, write in zip(fold.keys, step.writes, strict=True):
            if write is not None:
                self._values[key] = (write.value, fold.time + microseconds(write.ttl_seconds))
                self._values.move_to_end(key)
        self._trim(self._values, self._max_keys)
        return step.groups

    def _live(self, key: str, time: int) -> bytes | None:
        known = self._values.get(key)
        return None if known is None or known[1] < time else known[0]

    def _trim(self, kept: OrderedDict[K, V], most: int) -> None:
        while len(kept) > most:
            kept.popitem(last=False)
