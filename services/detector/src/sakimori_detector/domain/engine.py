"""The engine: events in, what the state has to count out. It remembers nothing; the state does."""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field

from sakimori_common.contracts import Event
from sakimori_detector.domain.analytics import Analytic, World, build
from sakimori_detector.domain.counting import Counted, count, plan
from sakimori_detector.domain.folds import Fold
from sakimori_detector.domain.rules import AnalyticRule, Rule
from sakimori_detector.domain.sources import derived_fields
from sakimori_detector.sigma.conditions import Condition
from sakimori_detector.sigma.matcher import Matcher
from sakimori_detector.sigma.view import View
from sakimori_detector.sigma.windows import Group


@dataclass(slots=True)
class Signs:
    """What a batch of events comes to before the state has seen it."""

    groups: list[Group] = field(default_factory=list)
    folds: list[Fold] = field(default_factory=list)


class Engine:
    """All rules of one load, ready to run. Build a new one to change a rule: windows live in the state."""

    def __init__(self, rules: Iterable[Rule], world: World) -> None:
        self.rules: Mapping[str, Rule] = {rule.id: rule for rule in rules}
        planned = plan(self.rules.values())
        self.windows, self.judged = planned.windows, planned.judged
        self.feeds, self.levels = planned.feeds, planned.levels
        self.depth = max(planned.levels.values(), default=0)
        self.opinion = world.opinion
        self._analytics: list[tuple[frozenset[str], Analytic]] = []
        for rule in self.rules.values():
            if isinstance(rule, AnalyticRule):
                self._add_analytic(rule, build(rule, world))
        conditions: dict[str, list[tuple[Condition, Counted]]] = {}
        for detection, counted in planned.conditions:
            for dataset in detection.datasets:
                conditions.setdefault(dataset, []).append((detection.condition, counted))
        self._matchers = {dataset: Matcher(tagged, derived_fields(dataset)) for dataset, tagged in conditions.items()}

    def _add_analytic(self, rule: AnalyticRule, analytic: Analytic) -> None:
        self.windows[rule.id] = analytic.window
        self._analytics.append((frozenset(rule.datasets), analytic))

    def view(self, event: Event) -> View:
        """Look at an event as the rules of its dataset do, to explain a finding."""
        matcher = self._matchers.get(event.dataset)
        return View(event, event.fields) if matcher is None else matcher.view(event)

    def evaluate(self, events: Sequence[Event]) -> Signs:
        """Find the signs in a batch, in the order of its events. Some 5-15 us an event, little of it per rule."""
        groups: dict[tuple[str, str], Group] = {}
        placed: set[str] = set()
        for dataset, some in _by_dataset(events).items():
            matcher = self._matchers.get(dataset)
            if matcher is not None:
                for place, counted in matcher.met(some):
                    count(groups, counted, some[place])
                    if counted.is_entity:
                        placed.add(some[place].id)
        signs = Signs(list(groups.values()))
        present = {event.dataset for event in events}
        for datasets, analytic in self._analytics:
            if not datasets.isdisjoint(present):
                seen = events if present <= datasets else [event for event in events if event.dataset in datasets]
                if placed and getattr(analytic, "only_unplaced", False):
                    seen = [event for event in seen if event.id not in placed]
                found, folds = analytic.observe(seen)
                signs.groups += found
                signs.folds += folds
        return signs


def _by_dataset(events: Sequence[Event]) -> dict[str, list[Event]]:
    parted: dict[str, list[Event]] = {}
    for event in events:
        parted.setdefault(event.dataset, []).append(event)
    return parted
