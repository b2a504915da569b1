"""The signs of one process that wait until their window is over."""

import heapq
from collections import OrderedDict
from dataclasses import dataclass, field
from typing import Final

from sakimori_detector.sigma.judging import MAX_WAITING, Judged, Ripe, Settled, deadline_of, slot_of
from sakimori_detector.sigma.windows import Group, Sign, Window

MAX_RIPE: Final = 100
"""Keys that are handed out at a time."""


@dataclass(slots=True)
class _Waiting:
    window: Window
    key: str
    signs: list[Sign] = field(default_factory=list)
    judged: Judged = field(default_factory=Judged)
    version: int = 0
    newest: int = 0
    arrived: int = 0

    def add(self, sign: Sign) -> None:
        if len(self.signs) >= MAX_WAITING:
            return
        if sign.sample and self.signs:  # one event a slot is enough
            before, slot = self.signs[-1], slot_of(self.window)
            if before.sample and before.time // slot == sign.time // slot:
                self.signs[-1] = before._replace(sample="")
        self.signs.append(sign)
        self.newest = max(self.newest, sign.time)

    def deadline(self, lateness: int) -> int:
        return deadline_of(self.window, lateness, min(self.signs).time, self.newest, self.arrived)


class WaitingSigns:
    """Signs by name of their key; `max_keys` of them, those untouched for longest go first."""

    def __init__(self, max_keys: int, lateness: int) -> None:
        self._max_keys = max_keys
        self._lateness = lateness
        self._waiting: OrderedDict[str, _Waiting] = OrderedDict()
        self._deadlines: list[tuple[int, str]] = []  # a heap; of a name the latest is true

    def add(self, group: Group, arrived_at: int) -> None:
        """Keep the signs of a group; those for windows that are judged already wait apart."""
        name, late = f"waiting:{group.window.rule_id}:{group.key}", f"late:{group.window.rule_id}:{group.key}"
        until = self._waiting[name].judged.until if name in self._waiting else -1
        self._add(name, group, [sign for sign in group.signs if sign.time > until], arrived_at)
        self._add(late, group, [sign for sign in group.signs if sign.time <= until], arrived_at)

    def _add(self, name: str, group: Group, signs: list[Sign], arrived_at: int) -> None:
        if not signs:
            return
        waiting = self._waiting.setdefault(name, _Waiting(group.window, group.key))
        self._waiting.move_to_end(name)
        for sign in signs:
            waiting.add(sign)
        waiting.arrived = max(waiting.arrived, arrived_at)
        heapq.heappush(self._deadlines, (waiting.deadline(self._lateness), name))
        while len(self._waiting) > self._max_keys:
            self._waiting.popitem(last=False)

    def ripe(self, now: int) -> list[Ripe]:
        """List some keys with a window that is over."""
        found: dict[str, Ripe] = {}
        while self._deadlines and self._deadlines[0][0] <= now and len(found) < MAX_RIPE:
            _, name = heapq.heappop(self._deadlines)
            waiting = self._waiting.get(name)
            if waiting is None or not waiting.signs or name in found:
                continue
            deadline = waiting.deadline(self._lateness)
            if deadline > now:
                heapq.heappush(self._deadlines, (deadline, name))
                continue
            reached = waiting.newest + now - waiting.arrived
            found[name] = Ripe(
                waiting.window.rule_id,
                waiting.key,
                name,
                waiting.version,
                tuple(waiting.signs),
                waiting.judged,
                reached,
            )
        for name in found:
            heapq.heappush(self._deadlines, (self._waiting[name].deadline(self._lateness), name))
        return list(found.values())

    def settle(self, settled: Settled) -> None:
        """Put the signs back that are not judged, before those that came meanwhile."""
        ripe, verdict = settled.ripe, settled.verdict
        waiting = self._waiting.get(ripe.name)
        if waiting is None or waiting.version != ripe.version:
            return
        waiting.signs = [*verdict.waiting, *waiting.signs[len(ripe.signs) :]]
        waiting.judged = verdict.judged
        waiting.version += 1
        if waiting.signs:
            heapq.heappush(self._deadlines, (waiting.deadline(self._lateness), ripe.name))
