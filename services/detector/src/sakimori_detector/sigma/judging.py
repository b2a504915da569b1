"""Windows that can only be judged when they are over: upper bounds, averages, percentiles, rules that must not be seen.

The window of a key opens at its first sign, lasts the timespan, both ends included, and is over when nothing can come
for it any more; the next one opens at the first sign after it. So what is found does not depend on the order within
the lateness, nor on when somebody looks. Signs wait in the state; whoever collects those that are over judges them
here. Memory per key: `MAX_WAITING` signs, those beyond are not counted; the event that explains a finding is kept
`SLOTS` times a window.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final, NamedTuple

import msgspec

from sakimori_detector.sigma.correlations import Correlation
from sakimori_detector.sigma.expressions import holds
from sakimori_detector.sigma.windows import EVIDENCE_EVENTS, Outcome, Seen, Sign, Window, number

MAX_WAITING: Final = 2000
SLOTS: Final = 8


class Held(msgspec.Struct, frozen=True, array_like=True):
    """The finding that takes in what is judged within its hold."""

    anchor: int
    first: int
    last: int
    count: int


class Judged(msgspec.Struct, frozen=True, array_like=True):
    """How far the windows of a key are judged: until when, inclusive, and the finding that is still held."""

    until: int = -1
    held: Held | None = None


@dataclass(frozen=True, slots=True)
class Ripe:
    """The signs of a key of which at least one window is over. `name` and `version` are for the state alone.

    `reached` is how far time has gone for the key, beyond its newest sign where there was silence since.
    """

    rule_id: str
    key: str
    name: str
    version: int
    signs: Sequence[Sign]
    judged: Judged
    reached: int

    @property
    def id(self) -> str:
        """A name for what comes of it, the same whoever judges it."""
        return f"{self.name}:{self.version}"


class Verdict(NamedTuple):
    """What came of it: findings, how far it is judged now, and the signs of windows that are not over."""

    outcomes: list[Outcome]
    judged: Judged
    waiting: list[Sign]


class Settled(NamedTuple):
    """A verdict on what was ripe, for the state to remember."""

    window: Window | None
    ripe: Ripe
    verdict: Verdict


def reach_of(window: Window, lateness: int) -> int:
    """How long after its end a window waits for latecomers."""
    return lateness + window.delay


def deadline_of(window: Window, lateness: int, opened: int, newest: int, arrived: int) -> int:
    """When, by the clock of arrivals, time will have gone past the window that opened first."""
    return arrived + max(0, opened + window.timespan + reach_of(window, lateness) + 1 - newest)


def slot_of(window: Window) -> int:
    """How long a slot is, of whose signs only the latest keeps its event: so each window has at least one."""
    return max(window.timespan // SLOTS, 1)


def latest_of_slots(window: Window, signs: Sequence[Sign]) -> set[str]:
    """Name the events that are the latest of their slot."""
    width = slot_of(window)
    return {sign.event_id for sign in {sign.time // width: sign for sign in sorted(signs)}.values()}


def judge(window: Window, correlation: Correlation, ripe: Ripe, lateness: int) -> Verdict:
    """Judge the windows of a key that are over."""
    waiting = _in_order(ripe.signs)
    judged, outcomes = ripe.judged, list[Outcome]()
    while waiting:
        end = waiting[0].time + window.timespan
        if end + reach_of(window, lateness) >= ripe.reached:
            break
        inside = [sign for sign in waiting if sign.time <= end]
        waiting = waiting[len(inside) :]
        judged = Judged(end, judged.held)
        observed = _observed(correlation, inside)
        if observed is not None:
            held = _held(window, judged.held, inside)
            outcome = _outcome(ripe, correlation, inside, observed, held)
            outcomes.append(outcome)
            judged = Judged(end, Held(outcome.anchor, outcome.first, outcome.last, outcome.count))
    return Verdict(outcomes, judged, waiting)


def _in_order(signs: Sequence[Sign]) -> list[Sign]:
    """Sort, and count a sign that came twice, or was replaced, once."""
    replaced = {(sign.value, sign.replaces) for sign in signs if sign.replaces != sign.event_id}
    found: dict[tuple[str, str], Sign] = {}
    for sign in signs:
        place = (sign.value, sign.event_id)
        if place not in replaced and (place not in found or (sign.replaces or sign.sample)):
            found[place] = sign
    return sorted(found.values())


def _observed(correlation: Correlation, signs: Sequence[Sign]) -> float | None:
    """Give what the condition is about if it holds, else None."""
    if correlation.kind.startswith("temporal"):
        return _rules_seen(correlation, signs)
    observed: float
    match correlation.kind:
        case "event_count":
            observed = len({sign.event_id for sign in signs})
        case "value_count":
            observed = len({sign.value for sign in signs})
        case "value_sum":
            observed = sum(_numbers(signs))
        case "value_avg":
            observed = sum(_numbers(signs)) / len(signs)
        case "value_median":
            observed = percentile(_numbers(signs), 50)
        case _:
            observed = percentile(_numbers(signs), correlation.percentile)
    return observed if all(bound.holds(observed) for bound in correlation.bounds) else None


def _numbers(signs: Sequence[Sign]) -> list[float]:
    return [number(sign.value) for sign in signs]


def percentile(numbers: Sequence[float], percent: int) -> float:
    """Interpolate between the closest ranks (Hyndman and Fan's type 7, as numpy and SQL's percentile_cont do)."""
    ordered = sorted(numbers)
    place = (len(ordered) - 1) * percent / 100
    below = int(place)
    above = min(below + 1, len(ordered) - 1)
    return ordered[below] + (ordered[above] - ordered[below]) * (place - below)


def _rules_seen(correlation: Correlation, signs: Sequence[Sign]) -> float | None:
    """Count the rules that were seen; in order, the most of them that were."""
    names = correlation.references
    signs = [
        sign for sign in signs if sign.value.isdigit() and int(sign.value) < len(names)
    ]  # the rule may have changed
    seen = {sign.value for sign in signs}
    longest = _longest_in_order([int(sign.value) for sign in signs])
    if correlation.expression is None:
        observed = longest if correlation.kind == "temporal_ordered" else len(seen)
        return observed if all(bound.holds(observed) for bound in correlation.bounds) else None
    if correlation.kind == "temporal_ordered" and longest < len(seen):
        return None
    return len(seen) if holds(correlation.expression, frozenset(names[int(value)] for value in seen)) else None


def _longest_in_order(places: Sequence[int]) -> int:
    """Length of the longest strictly rising sequence of places."""
    longest: dict[int, int] = {}
    for place in places:
        before = max((length for earlier, length in longest.items() if earlier < place), default=0)
        longest[place] = max(longest.get(place, 0), before + 1)
    return max(longest.values(), default=0)


def _held(window: Window, held: Held | None, signs: Sequence[Sign]) -> Held:
    """Give the finding that takes these signs in: the one that is held, or a new one that has counted nothing yet."""
    first = signs[0].time
    if held is not None and first <= held.anchor + window.hold:
        return held
    return Held(first, first, first, 0)


def _outcome(ripe: Ripe, correlation: Correlation, signs: Sequence[Sign], observed: float, held: Held) -> Outcome:
    latest = signs[-1]
    shown = next((sign for sign in reversed(signs) if sign.sample), latest)
    ids = list(dict.fromkeys(sign.event_id for sign in signs))
    return Outcome(
        rule_id=ripe.rule_id,
        key=ripe.key,
        anchor=held.anchor,
        first=held.first,
        last=latest.time,
        count=held.count + (int(observed) if correlation.kind == "value_count" else len(ids)),
        is_opened=held.count == 0,
        event_ids=ids[-EVIDENCE_EVENTS:],
        event_id=shown.event_id,
        note="",
        observed=observed,
        seen=_seen(signs) if correlation.kind.startswith("temporal") else [],
        sample=shown.sample,
    )


def _seen(signs: Sequence[Sign]) -> list[Seen]:
    counts: dict[str, tuple[int, str]] = {}
    for sign in signs:
        counts[sign.value] = (counts.get(sign.value, (0, ""))[0] + 1, sign.event_id)
    return [Seen(value, *seen) for value, seen in sorted(counts.items())]
