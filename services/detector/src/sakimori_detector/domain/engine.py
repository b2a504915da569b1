"""The engine: events in, what the state has to count out. It remembers nothing; the state does."""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import NamedTuple

from sakimori_common.contracts import Event
from sakimori_detector.domain.analytics import Analytic, World, build
from sakimori_detector.domain.folds import Fold
from sakimori_detector.domain.rules import AnalyticRule, CorrelationRule, EventRule, Rule
from sakimori_detector.domain.sources import derived_fields
from sakimori_detector.sigma.conditions import Condition
from sakimori_detector.sigma.events import key_of
from sakimori_detector.sigma.matcher import Matcher
from sakimori_detector.sigma.view import View
from sakimori_detector.sigma.windows import Group, Sign, Window, microseconds

KEY_GLUE = "\x1f"
"""Between the values of a group-by: the unit separator, which no field holds in earnest."""


@dataclass(slots=True)
class Signs:
    """What a batch of events comes to before the state has seen it."""

    groups: list[Group] = field(default_factory=list)
    folds: list[Fold] = field(default_factory=list)


class _Counted(NamedTuple):
    """What to do with an event that meets a condition."""

    window: Window
    key_fields: tuple[str, ...]
    value_field: str | None
    is_entity: bool


class Engine:
    """All rules of one load, ready to run. Build a new one to change a rule: windows live in the state."""

    def __init__(self, rules: Iterable[Rule], world: World) -> None:
        self.rules: Mapping[str, Rule] = {rule.id: rule for rule in rules}
        self.windows: dict[str, Window] = {}
        self._analytics: list[tuple[frozenset[str], Analytic]] = []
        conditions: dict[str, list[tuple[Condition, _Counted]]] = {}
        for rule in self.rules.values():
            if isinstance(rule, AnalyticRule):
                self._add_analytic(rule, build(rule, world))
            else:
                self._add_counted(rule, conditions)
        self._matchers = {dataset: Matcher(tagged, derived_fields(dataset)) for dataset, tagged in conditions.items()}

    def _add_analytic(self, rule: AnalyticRule, analytic: Analytic) -> None:
        self.windows[rule.id] = analytic.window
        self._analytics.append((frozenset(rule.datasets), analytic))

    def _add_counted(self, rule: Rule, conditions: dict[str, list[tuple[Condition, _Counted]]]) -> None:
        window = self.windows[rule.id] = window_of(rule)
        if isinstance(rule, CorrelationRule):
            counted, detections = _Counted(window, rule.group_by, rule.field, False), rule.detections
        elif isinstance(rule, EventRule):
            counted, detections = _Counted(window, (rule.entity,), None, True), (rule.detection,)
        else:
            raise TypeError(f"{type(rule).__name__} is no rule that counts events")
        for detection in detections:
            for dataset in detection.datasets:
                conditions.setdefault(dataset, []).append((detection.condition, counted))

    def view(self, event: Event) -> View:
        """Look at an event as the rules of its dataset do, to explain a finding."""
        matcher = self._matchers.get(event.dataset)
        return View(event, event.fields) if matcher is None else matcher.view(event)

    def evaluate(self, events: Sequence[Event]) -> Signs:
        """Find the signs in a batch, in the order of its events. Some 5-15 us an event, little of it per rule."""
        groups: dict[tuple[str, str], Group] = {}
        for dataset, some in _by_dataset(events).items():
            matcher = self._matchers.get(dataset)
            if matcher is not None:
                for place, counted in matcher.met(some):
                    _count(groups, counted, some[place])
        signs = Signs(list(groups.values()))
        present = {event.dataset for event in events}
        for datasets, analytic in self._analytics:
            if not datasets.isdisjoint(present):
                found, folds = analytic.observe(
                    events if present <= datasets else [event for event in events if event.dataset in datasets]
                )
                signs.groups += found
                signs.folds += folds
        return signs


def _by_dataset(events: Sequence[Event]) -> dict[str, list[Event]]:
    parted: dict[str, list[Event]] = {}
    for event in events:
        parted.setdefault(event.dataset, []).append(event)
    return parted


def window_of(rule: Rule) -> Window:
    """Make the window of a Sigma rule: of one event, or of a correlation."""
    hold = microseconds(rule.window_seconds)
    if isinstance(rule, CorrelationRule):
        timespan = microseconds(rule.timespan_seconds)
        return Window(rule.id, rule.threshold, timespan, hold, rule.kind == "value_count")
    return Window(rule.id, 1, 0, hold)


def _count(groups: dict[tuple[str, str], Group], counted: _Counted, event: Event) -> None:
    window, key_fields, value_field, is_entity = counted
    fields = event.fields
    values = [fields[name] if name in fields else event.get(name) for name in key_fields]
    if None in values and not is_entity:
        return
    key = KEY_GLUE.join([value if type(value) is str else key_of(value) for value in values])
    value = "" if value_field is None else key_of(event.get(value_field))
    if value_field is not None and not value:
        return
    place = (window.rule_id, key)
    group = groups.get(place)
    if group is None:
        groups[place] = Group(window, key, [Sign(event.time, event.id, value)])
    elif group.signs[-1].event_id != event.id:  # two base rules of one correlation may meet the same event
        group.signs.append(Sign(event.time, event.id, value))
