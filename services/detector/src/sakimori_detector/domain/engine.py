"""The engine: events in, what the state has to count out. It remembers nothing; the state does."""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field

from sakimori_common.contracts import Event
from sakimori_detector.domain.analytics import Analytic, World, build
from sakimori_detector.domain.columns import Columns
from sakimori_detector.domain.counting import Counting, plan
from sakimori_detector.domain.folds import Fold
from sakimori_detector.domain.matchers import Matchers
from sakimori_detector.domain.rules import AnalyticRule, EventRule, Rule
from sakimori_detector.sigma.matcher import is_telling
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
        self.feeds, self.levels, self.below = planned.feeds, planned.levels, planned.below
        self.depth = max(planned.levels.values(), default=0)
        self.opinion = world.opinion
        self.telling = frozenset(
            rule.id
            for rule in self.rules.values()
            if isinstance(rule, EventRule) and is_telling(rule.detection.condition)
        )
        self._analytics: list[tuple[frozenset[str], Analytic]] = []
        for rule in self.rules.values():
            if isinstance(rule, AnalyticRule):
                self._add_analytic(rule, build(rule, world))
        self._matchers = Matchers(planned.conditions)

    def _add_analytic(self, rule: AnalyticRule, analytic: Analytic) -> None:
        self.windows[rule.id] = analytic.window
        self._analytics.append((frozenset(rule.datasets), analytic))

    def view(self, event: Event) -> View:
        """Look at an event as the rules of its dataset do, to explain a finding."""
        return self._matchers.view(event)

    def evaluate(self, events: Sequence[Event]) -> Signs:
        """Find the signs in a batch, in the order of its events. Some 5-15 us an event, little of it per rule."""
        counting = Counting()
        placed: set[str] = set()
        for place, counted in self._matchers.met(events):
            counting.enter(counted, events[place])
            if counted.is_entity:
                placed.add(events[place].id)
        signs = Signs(list(counting.groups.values()))
        present = frozenset(event.dataset for event in events)
        by_datasets = {present: Columns(events, placed)}
        for datasets, analytic in self._analytics:
            meant = datasets & present
            if meant:
                if meant not in by_datasets:
                    by_datasets[meant] = Columns((event for event in events if event.dataset in meant), placed)
                found, folds = analytic.observe(by_datasets[meant])
                signs.groups += found
                signs.folds += folds
        return signs
