"""What windows count and what comes of it: the words that rules, states and findings share. Times in microseconds.

sliding.py counts what is known at once, judging.py what is known when a window is over.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final, NamedTuple

import msgspec

EVIDENCE_EVENTS: Final = 20
"""Event ids that a finding shows, the newest last."""
MAX_UNSETTLED: Final = 100
MAX_SEEN: Final = 200
"""Distinct values that a finding remembers, if its threshold is not higher; of more, one that repeats counts again."""
MAX_RETAINED: Final = 1000
"""Settled signs of a key of ordered windows and of sums, whose number no threshold bounds. Beyond, the oldest of
ordered windows go first, and those of sums are joined two by two."""
LATENESS: Final = 60_000_000
"""How much later than a newer one a sign may come and still count as if in order, unless a state is told otherwise."""


@dataclass(frozen=True, slots=True)
class Window:
    """How the signs of a rule add up; times in microseconds.

    One by one up to `threshold`, or by distinct value (`counts_values`); or as a sum of values that reaches it
    (`sums_values`; `is_strict`: exceeds it). With `ways`, what must be seen are all values of one of them, in that
    order if `is_ordered`; values are then two digits, the places of rules. `delay` is how late signs are by nature,
    those of rules that are judged when their window is over. `is_judged`: a window is judged when it is over
    (sigma.judging), and only then.
    """

    rule_id: str
    threshold: float
    timespan: int
    hold: int
    counts_values: bool = False
    sums_values: bool = False
    is_strict: bool = False
    ways: tuple[tuple[str, ...], ...] = ()
    is_ordered: bool = False
    delay: int = 0
    is_judged: bool = False

    @property
    def retained(self) -> int:
        """How many settled signs of a key are kept at most."""
        if self.sums_values or self.is_ordered:
            return MAX_RETAINED
        return max(map(len, self.ways)) * len(self.ways) if self.ways else int(self.threshold)

    @property
    def remembered(self) -> int:
        """How many distinct values a finding remembers at most."""
        return max(MAX_SEEN, int(self.threshold)) if self.counts_values else MAX_SEEN

    def reach(self, lateness: int) -> int:
        """How long a sign stays open to change: never longer than the hold, so that at most one finding does."""
        return min(lateness, self.hold) + self.delay


class Sign(NamedTuple):
    """One event that counts for a rule.

    `note` goes with it untouched: what an analytic has to say about it. `sample` is the event itself, for windows that
    are judged when nobody has it at hand any more. `replaces` is the id of a sign that this one takes the place of: of
    a finding whose anchor has moved.
    """

    time: int
    event_id: str
    value: str = ""
    note: str = ""
    sample: str = ""
    replaces: str = ""


class Group(NamedTuple):
    """The signs of one batch for one rule and one key, in the order they came."""

    window: Window
    key: str
    signs: list[Sign]


class Seen(msgspec.Struct, frozen=True, array_like=True):
    """How often a value (of `ways`: a rule) was seen, and in which event last."""

    value: str
    count: int
    event_id: str


class Outcome(msgspec.Struct, frozen=True, array_like=True):
    """A finding that a batch opened or added to.

    `anchor` is the time of the sign that completed it and, with rule and key, its identity; `replaced` is the anchor
    under which it was known until an earlier sign came, -1 if under none. `observed` is what is held against the
    threshold: the count, the distinct values or rules, the sum or another aggregate. `event_id` and `note` are those
    of the latest sign of the batch, `sample` its event where the batch does not have it.
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
    observed: int | float = 0
    replaced: int = -1
    seen: list[Seen] = []
    sample: str = ""


def number(value: str) -> float:
    """Read a value that is added up; 0 for one from before the rule did so."""
    try:
        return float(value)
    except ValueError:
        return 0


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
