"""Sliding windows: when a count reaches its threshold, and what belongs to the finding that this opens.

Time is event time, in microseconds. A window is exact: it fires at the first event that completes `threshold` events
(or distinct values) of which the first and the last lie at most `timespan` apart. What counts within `hold` of the
event that fired belongs to its finding; what comes later opens the next. An event that lies before everything the
window can reach (a replay of old logs) starts it anew.

Memory per key is bounded: the newest `Window.retained` entries. adapters/valkey.py does the same in Valkey; the
contract suite holds the two together.
"""

import bisect
from collections.abc import Sequence
from dataclasses import dataclass
from operator import itemgetter
from typing import Final, NamedTuple

import msgspec

EVIDENCE_EVENTS: Final = 20
"""Event ids that a finding shows, the newest last."""


@dataclass(frozen=True, slots=True)
class Window:
    """How the signs of a rule are counted: by distinct value or one by one; times in microseconds."""

    rule_id: str
    threshold: int
    timespan: int
    hold: int
    counts_values: bool = False

    @property
    def retained(self) -> int:
        """How many entries of a key are kept: the threshold, at least what the evidence shows, and the newcomer."""
        return max(self.threshold, EVIDENCE_EVENTS) + 1


class Sign(NamedTuple):
    """One event that counts for a rule. `note` goes with it untouched: what an analytic has to say about it."""

    time: int
    event_id: str
    value: str = ""
    note: str = ""


class Group(NamedTuple):
    """The signs of one batch for one rule and one key, in the order they came."""

    window: Window
    key: str
    signs: list[Sign]


class Outcome(msgspec.Struct, frozen=True, array_like=True):
    """A finding that a batch opened or added to.

    `anchor` is the time of the event that opened it and, with rule and key, its identity. `event_id` and `note` are
    those of the latest sign that counted.
    """

    rule_id: str
    key: str
    anchor: int
    first: int
    last: int
    count: int
    is_opened: bool
    event_ids: list[str]
    event_id: str
    note: str


@dataclass(slots=True)
class _Open:
    """A finding that still takes in what comes."""

    anchor: int
    first: int
    last: int
    count: int


class KeyWindow:
    """The window of one key. Entries are (time, member) by time, then arrival; a member is an event id or a value."""

    __slots__ = ("_entries", "_events", "_open", "_times")

    def __init__(self) -> None:
        self._entries: list[tuple[int, str]] = []
        self._times: dict[str, int] = {}
        self._events: dict[str, str] = {}
        self._open: _Open | None = None

    @property
    def newest(self) -> int:
        """Time of the newest entry."""
        return self._entries[-1][0] if self._entries else 0

    def observe(self, group: Group) -> list[Outcome]:
        """Count the signs in their order; returns each finding that they opened or added to, once."""
        outcomes: list[Outcome] = []
        window = group.window
        touched: Sign | None = None
        is_opened = False
        for sign in group.signs:
            finding = self._open
            if finding is not None and self._is_beyond(window, finding, sign.time):
                if touched is not None:
                    outcomes.append(self._outcome(group, finding, touched, is_opened))
                finding, self._open, touched, is_opened = None, None, None, False
            is_new = self._add(window, sign)
            if finding is not None:
                if is_new:
                    finding.count += 1
                    finding.first, finding.last = min(finding.first, sign.time), max(finding.last, sign.time)
                    touched = sign
            elif (fired := self._fired(window)) is not None:
                self._open, touched, is_opened = fired, sign, True
        if self._open is not None and touched is not None:
            outcomes.append(self._outcome(group, self._open, touched, is_opened))
        return outcomes

    def _is_beyond(self, window: Window, finding: _Open, time: int) -> bool:
        return time > finding.anchor + window.hold or self._is_before_all(window, time)

    def _is_before_all(self, window: Window, time: int) -> bool:
        return bool(self._entries) and time < self.newest - window.timespan - window.hold

    def _add(self, window: Window, sign: Sign) -> bool:
        """Enter a sign, forgetting the oldest beyond the bound; says whether its member was not there."""
        if self._is_before_all(window, sign.time):
            self._entries, self._times, self._events = [], {}, {}
        member = sign.value if window.counts_values else sign.event_id
        known = self._times.get(member)
        if known is not None:
            if not window.counts_values or known >= sign.time:
                return False
            self._entries.remove((known, member))
        bisect.insort(self._entries, (sign.time, member), key=itemgetter(0))
        self._times[member], self._events[member] = sign.time, sign.event_id
        if len(self._entries) > window.retained:
            _, oldest = self._entries.pop(0)
            del self._times[oldest], self._events[oldest]
        return known is None

    def _fired(self, window: Window) -> _Open | None:
        if len(self._entries) < window.threshold:
            return None
        anchor = self.newest
        if anchor - self._entries[-window.threshold][0] > window.timespan:
            return None
        start = bisect.bisect_left(self._entries, anchor - window.timespan, key=itemgetter(0))
        return _Open(anchor, self._entries[start][0], anchor, len(self._entries) - start)

    def _outcome(self, group: Group, finding: _Open, latest: Sign, is_opened: bool) -> Outcome:
        return Outcome(
            rule_id=group.window.rule_id,
            key=group.key,
            anchor=finding.anchor,
            first=finding.first,
            last=finding.last,
            count=finding.count,
            is_opened=is_opened,
            event_ids=self._evidence(finding.first),
            event_id=latest.event_id,
            note=latest.note,
        )

    def _evidence(self, first: int) -> list[str]:
        """List the events since `first`; a value that came again may be later than the last that counted."""
        members = [member for time, member in self._entries[-EVIDENCE_EVENTS:] if time >= first]
        return [self._events[member] for member in members]


def microseconds(seconds: float) -> int:
    """Count the microseconds of a span."""
    return round(seconds * 1_000_000)


def merged(groups: Sequence[Group]) -> list[Group]:
    """Join the groups of one rule and key, so that each window is touched once a batch."""
    joined = {(group.window.rule_id, group.key): group for group in groups}
    if len(joined) == len(groups):
        return list(groups)
    joined.clear()
    for group in groups:
        known = joined.get((group.window.rule_id, group.key))
        if known is None:
            joined[(group.window.rule_id, group.key)] = Group(group.window, group.key, list(group.signs))
        else:
            known.signs.extend(group.signs)
    return list(joined.values())
