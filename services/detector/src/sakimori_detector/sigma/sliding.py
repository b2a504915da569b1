"""Sliding windows: when signs add up to a finding, and what belongs to it. Time is event time, in microseconds.

What comes out is a function of the set of signs, not of the order in which they came. The signs of a key are replayed
in order of time; a finding opens at the first that completes its window (a count, distinct values, a sum, all of some
rules), takes in whatever comes within `hold` of that one, its anchor, and what comes later may open the next. Signs
newer than the newest less the lateness stay open to change: when an earlier one arrives, the replay of those few goes
another way, and since more signs only make a window complete earlier, the anchor moves back and nothing else. What is
older is settled. A sign older than that counts for the finding whose time it falls into; else it goes to a second
window of the same key, that of the latecomers, so that neither a replay of old logs nor a wrong clock spoils the first.

Signs that come in order, nearly all, go on from the finding as it is after the last one; the base follows in steps.

Memory per key is bounded: `MAX_UNSETTLED` signs that are not settled and `Window.retained` that are, twice if there
are latecomers. Of a key with more signs within the lateness the older are settled before their time, which only shows
if an even older one comes. adapters/state.lua does the same in Valkey; the contract suite holds the two together.
"""

import bisect
import operator
from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from typing import Final

import msgspec

from sakimori_detector.sigma.completing import Entry, fired, retained
from sakimori_detector.sigma.windows import (
    EVIDENCE_EVENTS,
    LATENESS,
    MAX_UNSETTLED,
    Group,
    Outcome,
    Seen,
    Sign,
    Window,
    number,
)

MAX_LAG: Final = 16
"""Settled entries by which the base of a window may lag behind while signs come in order."""


_EVENT_ID: Final = operator.itemgetter(2)


@dataclass(slots=True)
class _Open:
    """A finding that still takes in what comes. `seen` maps a value to how often and in which event last."""

    anchor: int
    first: int
    last: int
    count: int = 0
    total: float = 0
    recent: list[str] = field(default_factory=list)
    seen: dict[str, tuple[int, str]] = field(default_factory=dict)

    def copy(self) -> "_Open":
        return replace(self, recent=list(self.recent), seen=dict(self.seen))

    def take(self, window: Window, entry: Entry) -> None:
        """Count an entry; of one that comes late only the span may grow backwards."""
        self.first, self.last = min(self.first, entry.time), max(self.last, entry.time)
        if window.counts_values or window.ways:
            known = self.seen.get(entry.value)
            if known is not None or len(self.seen) < window.remembered:
                self.seen[entry.value] = ((known[0] if known else 0) + 1, entry.event_id)
            if known is not None and window.counts_values:
                return
        self.count += 1
        if window.sums_values:
            self.total += number(entry.value)
        self.recent.append(entry.event_id)
        if len(self.recent) > EVIDENCE_EVENTS:
            del self.recent[0]


class KeyWindow:
    """The window of one key."""

    __slots__ = (
        "_base",
        "_base_count",
        "_emitted",
        "_entries",
        "_replacing",
        "_settled",
        "_settled_count",
        "_tip",
        "_tip_place",
        "late",
    )

    def __init__(self) -> None:
        self._entries: list[Entry] = []
        self._settled_count = 0  # the first of the entries are
        self._settled = -1  # until when, exclusive
        self._base: _Open | None = None  # the finding as it is after the first `_base_count` entries, which are settled
        self._base_count = 0
        self._tip: _Open | None = None  # the finding as it is after all entries
        self._tip_place = 0  # of the entry that opened it
        self._emitted = -1  # the anchor that was last spoken of
        self._replacing: Sign | None = None  # of this batch, if something went for it
        self.late: KeyWindow | None = None

    @property
    def newest(self) -> int:
        """Time of the newest entry; where that was taken back and none is left, until when all is settled."""
        return self._entries[-1].time if self._entries else self._settled

    def observe(self, group: Group, lateness: int = LATENESS) -> list[Outcome]:
        """Count the signs of a batch; returns each finding that they opened or added to, once."""
        if self._settled < 0 and self._opens_nothing(group, lateness):
            return []
        self._replacing = None
        following = self._following(group)
        if following is not None:
            return _Replay(self, group, following, None, lateness).go_on()
        self._catch_up(group.window)
        fresh, touched, latecomers = self._enter(group)
        outcomes = []
        if fresh or touched:
            outcomes = _Replay(self, group, fresh, touched, lateness).run()
        elif self._replacing is not None:  # by one that is known or late
            self._replacing = None
            _Replay(self, group, fresh, touched, lateness).run()
        if latecomers:
            late = Group(group.window, group.key, latecomers)
            if self.late is None or any(sign.time < self.late._settled for sign in latecomers):
                self.late = KeyWindow()
            outcomes += self.late.observe(late, lateness)
        return outcomes

    def _opens_nothing(self, group: Group, lateness: int) -> bool:
        """Enter the first sign of a key, if one is not enough; says whether it was that. Most keys have no second."""
        window = group.window
        if len(group.signs) > 1 or window.threshold <= 1 or window.sums_values:
            return False
        time, event_id, value, *_ = group.signs[0]
        self._entries = [Entry(time, value, event_id)]
        self._settled = max(time - window.reach(lateness), 0)
        return True

    def _following(self, group: Group) -> dict[Entry, Sign] | None:
        """Append signs that all come after what is there, in order: nearly all do. None, and nothing done, else."""
        entries, signs = self._entries, group.signs
        if group.window.sums_values or not entries or any(sign.replaces for sign in signs):
            return None
        fresh = {Entry(sign.time, sign.value, sign.event_id): sign for sign in signs}
        ids = {sign.event_id for sign in signs}
        ordered = sorted(fresh) if len(fresh) > 1 else list(fresh)
        has_twice = len(fresh if group.window.ways else ids) < len(signs)
        is_late = ordered[0] <= entries[-1] or ordered[0].time < self._settled  # the newest may have been taken back
        if has_twice or is_late or not ids.isdisjoint(map(_EVENT_ID, entries)):
            return None
        entries += ordered
        return fresh

    def _catch_up(self, window: Window) -> None:
        """Bring the base up to all that is settled, and let go of what no later sign needs."""
        entries, base = self._entries, self._base
        for place in range(self._base_count, self._settled_count):
            base = _after(window, base, entries, place)
        kept = retained(window, entries[: self._settled_count], self._settled)
        self._tip_place += len(kept) - self._settled_count
        self._entries = kept + entries[self._settled_count :]
        self._base, self._base_count, self._settled_count = base, len(kept), len(kept)

    def _enter(self, group: Group) -> tuple[dict[Entry, Sign], Sign | None, list[Sign]]:
        """Put signs in their places; gives those that are new, the last that the settled finding took, the late."""
        window, base = group.window, self._base
        known = {(entry.event_id, entry.value if window.ways else "") for entry in self._entries}
        fresh: dict[Entry, Sign] = {}
        touched, latecomers = None, []
        for sign in group.signs:
            entry = Entry(sign.time, sign.value, sign.event_id)
            member = (sign.event_id, sign.value if window.ways else "")
            if sign.replaces:
                known -= self._take_back(window, sign)
            if member in known:
                continue
            if sign.time >= self._settled:
                known.add(member)
                bisect.insort(self._entries, entry, lo=self._settled_count)
                fresh[entry] = sign
            elif base is not None and base.first <= sign.time <= base.anchor + window.hold:
                base.take(window, entry)
                touched = sign
            else:
                latecomers.append(sign)
        return fresh, touched, latecomers

    def _take_back(self, window: Window, sign: Sign) -> set[tuple[str, str]]:
        """Remove the sign that this one replaces, if it is not settled; gives it as `known` has it."""
        for place in range(self._settled_count, len(self._entries)):
            entry = self._entries[place]
            if (entry.event_id, entry.value) == (sign.replaces, sign.value):
                del self._entries[place]
                self._replacing = sign
                return {(entry.event_id, entry.value if window.ways else "")}
        return set()


class _Replay:
    """One pass over entries: settles what is old, gives what the new ones came to."""

    def __init__(
        self, of: KeyWindow, group: Group, fresh: dict[Entry, Sign], touched: Sign | None, lateness: int
    ) -> None:
        self._of = of
        self._group = group
        self._window = group.window
        self._fresh = fresh
        self._touched = touched
        self._latest_fresh = touched
        self._lateness = lateness
        self._is_known = True
        self._outcomes: list[Outcome] = []

    def go_on(self) -> list[Outcome]:
        """Go over the new entries only, which are the last: what came before them stays as it is."""
        of = self._of
        self._is_known = of._tip_place < of._settled_count
        self._play(of._tip, len(of._entries) - len(self._fresh))
        self._settle()
        if of._settled_count - of._base_count > MAX_LAG:
            of._catch_up(self._window)
        return self._outcomes

    def run(self) -> list[Outcome]:
        """Replay all that is not settled, on a base that has caught up."""
        of = self._of
        of._tip_place = -1
        self._play(of._base and of._base.copy(), of._settled_count)
        self._settle()
        of._catch_up(self._window)
        return self._outcomes

    def _play(self, current: _Open | None, first: int) -> None:
        of, window, entries = self._of, self._window, self._of._entries
        for place in range(first, len(entries)):
            entry = entries[place]
            if current is not None and entry.time > current.anchor + window.hold:
                self._flush(current)
                current = None
            sign = self._fresh.get(entry)
            self._latest_fresh = sign or self._latest_fresh
            if current is not None:
                current.take(window, entry)
                self._touched = sign or self._touched
            elif (start := fired(window, entries, place)) is not None:
                current, of._tip_place = self._opened(start, entry), place
        if current is not None:
            self._flush(current)
        of._tip = current

    def _settle(self) -> None:
        """Move the border of what is settled."""
        of, entries = self._of, self._of._entries
        if not entries:
            return
        of._settled = max(of._settled, entries[-1].time - self._window.reach(self._lateness))
        if len(entries) - of._settled_count > MAX_UNSETTLED:
            of._settled = max(of._settled, entries[-MAX_UNSETTLED].time)
        place, must_settle = of._settled_count, len(entries) - MAX_UNSETTLED
        while place < len(entries) and (place < must_settle or entries[place].time < of._settled):
            place += 1
        of._settled_count = place

    def _opened(self, run: list[Entry], entry: Entry) -> _Open:
        opened = _open(self._window, run, entry)
        self._is_known = False
        latest = self._latest_fresh
        self._touched = latest if latest is not None and latest.time >= opened.first else None
        return opened

    def _flush(self, finding: _Open) -> None:
        """Tell of a finding, if a sign of this batch is in it."""
        touched, emitted = self._touched or self._of._replacing, self._of._emitted
        self._touched = None
        if touched is None:
            return
        is_moved = finding.anchor <= emitted <= finding.anchor + self._window.hold
        outcome = self._outcome(finding, touched, not self._is_known and not is_moved)
        if is_moved and emitted != finding.anchor:
            outcome = msgspec.structs.replace(outcome, replaced=emitted)
        self._outcomes.append(outcome)
        self._of._emitted = finding.anchor if is_moved else max(emitted, finding.anchor)

    def _outcome(self, finding: _Open, latest: Sign, is_opened: bool) -> Outcome:
        window = self._window
        observed = finding.total if window.sums_values else len(finding.seen) if window.ways else finding.count
        return Outcome(
            rule_id=window.rule_id,
            key=self._group.key,
            anchor=finding.anchor,
            first=finding.first,
            last=finding.last,
            count=finding.count,
            is_opened=is_opened,
            event_ids=list(finding.recent),
            event_id=latest.event_id,
            note=latest.note,
            observed=observed,
            seen=[Seen(value, *seen) for value, seen in sorted(finding.seen.items())] if window.ways else [],
        )


def _open(window: Window, run: Sequence[Entry], entry: Entry) -> _Open:
    opened = _Open(entry.time, run[0].time, entry.time)
    for each in run:
        opened.take(window, each)
    return opened


def _after(window: Window, finding: _Open | None, entries: Sequence[Entry], place: int) -> _Open | None:
    """Give the finding that is open after the entry at a place."""
    entry = entries[place]
    if finding is not None and entry.time <= finding.anchor + window.hold:
        finding.take(window, entry)
        return finding
    run = fired(window, entries, place)
    return None if run is None else _open(window, run, entry)
