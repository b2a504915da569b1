"""What rules count: from rules to windows, from an event that meets one to a sign, from a finding to the next sign."""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from functools import lru_cache
from math import isfinite
from typing import Final, NamedTuple, Protocol

from sakimori_common.contracts import Event
from sakimori_common.ids import stable_id
from sakimori_detector.domain.rules import Base, CorrelationRule, Detection, EventRule, Rule
from sakimori_detector.domain.sources import read
from sakimori_detector.sigma.correlations import Correlation
from sakimori_detector.sigma.events import FieldValue, key_of, number_of
from sakimori_detector.sigma.windows import LATENESS, Group, Outcome, Sign, Window, microseconds

KEY_GLUE: Final = "\x1f"
"""Between the values of a group-by: the unit separator, which no field holds in earnest."""

MAX_REMEMBERED_CHARACTERS: Final = 256
"""Of keys whose findings' ids are remembered, so that long ones do not fill the memory."""

_NUMBERS: Final = ("value_sum", "value_avg", "value_percentile", "value_median")


class Counted(NamedTuple):
    """What to do with an event that meets a condition. `value` stands for it where no field does."""

    window: Window
    key_fields: tuple[str, ...]
    value_fields: tuple[str, ...] = ()
    value: str = ""
    is_entity: bool = False
    is_number: bool = False


class Feed(NamedTuple):
    """What to do with a finding that another correlation counts; `names` are those of the inner group-by."""

    names: tuple[str, ...]
    counted: Counted


class Planned(Protocol):
    """What `fed` needs of a plan."""

    @property
    def windows(self) -> Mapping[str, Window]:
        """By rule."""

    @property
    def feeds(self) -> Mapping[str, Sequence[Feed]]:
        """By the rule whose findings they take."""


@dataclass(slots=True)
class Plan:
    """All that the Sigma rules of a load count.

    `windows` by rule, those of correlations that yield no finding included; `feeds` by the rule whose findings they
    take; `levels`: how many correlations lie below a rule, 0 where none does, and `below` which; `judged`: what is told
    of a window only when it is over.
    """

    windows: dict[str, Window] = field(default_factory=dict)
    below: dict[str, frozenset[str]] = field(default_factory=dict)
    conditions: list[tuple[Detection, Counted]] = field(default_factory=list)
    feeds: dict[str, list[Feed]] = field(default_factory=dict)
    levels: dict[str, int] = field(default_factory=dict)
    judged: dict[str, Correlation] = field(default_factory=dict)


def plan(rules: Iterable[Rule]) -> Plan:
    """Plan the counting of Sigma rules; others are passed over."""
    made = Plan()
    for rule in rules:
        if isinstance(rule, EventRule):
            window = made.windows[rule.id] = Window(rule.id, 1, 0, microseconds(rule.window_seconds))
            made.conditions.append((rule.detection, Counted(window, (rule.entity,), is_entity=True)))
        elif isinstance(rule, CorrelationRule):
            _add(made, rule)
    return made


def _add(made: Plan, rule: CorrelationRule) -> None:
    """Add a correlation after those that it refers to; loading has seen to it that there are no circles."""
    if rule.id in made.windows:
        return
    inner = [base.rule for base in rule.bases if isinstance(base.rule, CorrelationRule)]
    for each in inner:
        _add(made, each)
    made.levels[rule.id] = 1 + max((made.levels.get(each.id, 0) for each in inner), default=-1)
    made.below[rule.id] = frozenset(each.id for each in inner).union(*(made.below[each.id] for each in inner))
    window = made.windows[rule.id] = window_of(rule, max((_delay(made, each) for each in inner), default=0))
    if window.is_judged:
        made.judged[rule.id] = rule.correlation
    for place, base in enumerate(rule.bases):
        counted = _counted(rule.correlation, window, base, place)
        if isinstance(base.rule, Detection):
            made.conditions.append((base.rule, counted))
        else:
            feed = Feed(base.rule.correlation.group_by, counted)
            made.feeds.setdefault(base.rule.id, []).append(feed)


def _delay(made: Plan, inner: CorrelationRule) -> int:
    window = made.windows[inner.id]
    return window.delay + (window.timespan + LATENESS if window.is_judged else 0)


def _counted(correlation: Correlation, window: Window, base: Base, place: int) -> Counted:
    value = f"{place:02}" if correlation.kind.startswith("temporal") else ""
    return Counted(window, base.key_fields, base.value_fields, value=value, is_number=correlation.kind in _NUMBERS)


def window_of(rule: CorrelationRule, delay: int = 0) -> Window:
    """Make the window of a correlation; `delay` is how late the findings are that it counts."""
    correlation = rule.correlation
    is_early, kind = correlation.is_known_early, correlation.kind
    ways: tuple[tuple[str, ...], ...] = ()
    threshold: float = correlation.threshold
    if is_early and kind.startswith("temporal"):
        ways = tuple(tuple(f"{place:02}" for place in way) for way in correlation.ways())
        threshold = min(map(len, ways))
    return Window(
        rule.id,
        threshold if kind == "value_sum" else max(int(threshold), 1),
        microseconds(correlation.timespan_seconds),
        microseconds(rule.window_seconds) + delay,
        counts_values=is_early and kind == "value_count",
        sums_values=is_early and kind == "value_sum",
        is_strict=any(bound == ("gt", threshold) for bound in correlation.bounds),
        ways=ways,
        is_ordered=kind == "temporal_ordered",
        delay=delay,
        is_judged=not is_early,
    )


class Counting:
    """The signs of a batch by rule and key. What several rules count of an event in the same way is made once."""

    __slots__ = ("_event", "_keys", "_signs", "groups")

    def __init__(self) -> None:
        self.groups: dict[tuple[str, str], Group] = {}
        self._event: Event | None = None
        self._keys: dict[tuple[str, ...], str] = {}
        self._signs: dict[str, Sign] = {}

    def enter(self, counted: Counted, event: Event) -> None:
        """Enter the sign that an event is, unless it lacks what it is counted by. Events in their order."""
        if event is not self._event:
            self._event, self._keys, self._signs = event, {}, {}
        window, key_fields, value_fields, value, is_entity, is_number = counted
        key = self._keys.get(key_fields)
        if key is None:
            key = self._key(event, key_fields, is_entity=is_entity)
        if value_fields:
            value = _value([read(event, name) for name in value_fields], is_number)
        if key is None or (value_fields and not value):
            return
        sign = self._signs.get(value)
        if sign is None:
            sign = self._signs[value] = Sign(event.time, event.id, value)
        place = (window.rule_id, key)
        group = self.groups.get(place)
        if group is None:
            self.groups[place] = Group(window, key, [sign])
        else:
            group.signs.append(sign)

    def _key(self, event: Event, names: tuple[str, ...], *, is_entity: bool) -> str | None:
        """Write what an event is counted by; None where it lacks a part, unless that is what a rule is about."""
        values = [read(event, name) for name in names]
        key = KEY_GLUE.join([each if type(each) is str else key_of(each) for each in values])
        if None in values:
            return key if is_entity else None
        self._keys[names] = key
        return key


def _value(values: Sequence[FieldValue], is_number: bool) -> str:
    """Write what is counted as text; empty when it is not there or no number where it must be one."""
    if is_number:
        number = number_of(values[0])
        return "" if number is None or not isfinite(number) else repr(number)
    texts = [key_of(value) for value in values]
    return KEY_GLUE.join(texts) if all(texts) else ""


def fed(plan: Planned, outcome: Outcome, event: Event) -> list[Group]:
    """List the signs that a finding is for correlations over its rule. `event` is its latest.

    Names are those of the inner group-by where it has them, else fields of the event. The time is that of its anchor,
    or of the last event of a window that was judged; the id is that of the finding.
    """
    groups: list[Group] = []
    window = plan.windows[outcome.rule_id]
    time = outcome.last if window.is_judged else outcome.anchor
    replaces = "" if outcome.replaced < 0 else finding_id(window, outcome.key, outcome.replaced)
    for names, counted in plan.feeds.get(outcome.rule_id, ()):
        known = dict(zip(names, outcome.key.split(KEY_GLUE), strict=False)) if names else {}
        values = [known[name] if name in known else event.get(name) for name in counted.key_fields]
        value = counted.value
        if counted.value_fields:
            value = _value([known.get(name) or event.get(name) for name in counted.value_fields], counted.is_number)
        if None in values or (counted.value_fields and not value):
            continue
        sign = Sign(time, finding_id(window, outcome.key, outcome.anchor), value, replaces=replaces)
        groups.append(Group(counted.window, KEY_GLUE.join(map(key_of, values)), [sign]))
    return groups


def finding_id(window: Window, key: str, anchor: int) -> str:
    """Name a finding: by rule, key and the stretch of time of its anchor.

    Anchors of a key lie more than the hold apart, so stretches of that length tell them apart; and one that moves back
    a little, since an earlier event came late, mostly stays in its stretch.
    """
    name = _finding_id if len(key) <= MAX_REMEMBERED_CHARACTERS else _finding_id.__wrapped__
    return name(window.rule_id, key, anchor // window.hold)


@lru_cache(maxsize=8192)
def _finding_id(rule_id: str, key: str, stretch: int) -> str:
    """Name a finding; the updates of it have the same name."""
    return stable_id("finding", rule_id, key, str(stretch))
