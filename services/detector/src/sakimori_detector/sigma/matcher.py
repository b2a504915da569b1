"""Which conditions of a dataset events meet."""

from collections.abc import Iterable, Sequence
from typing import Final, Generic, NamedTuple, TypeVar

from sakimori_detector.sigma.batch import Batch, Derived
from sakimori_detector.sigma.conditions import Condition, Fits, Matches, fields_of, tests_of
from sakimori_detector.sigma.costs import costs
from sakimori_detector.sigma.events import Event
from sakimori_detector.sigma.index import POOR_SHARE, EventIndex
from sakimori_detector.sigma.joining import joined
from sakimori_detector.sigma.literals import NONE, CommonTexts
from sakimori_detector.sigma.view import Aliases, View

T = TypeVar("T")

FIRST_PLAN_EVENTS: Final = 1_000
"""After so many events the matcher looks which of its triggers are common; then after four times as many, and so on."""

_SHOWN_CHARACTERS: Final = 200


class Match(NamedTuple):
    """A part of a field that an expression matched, and the expression as the rule has it."""

    field: str
    text: str
    pattern: str


class Matcher(Generic[T]):
    """All conditions of one dataset; each yields its tag when an event meets it.

    The index searches a batch for candidates, then each candidate's condition is asked. Conditions that no index can
    tell anything about (they only deny) are asked about every event.
    """

    def __init__(
        self, conditions: Iterable[tuple[Condition, T]], derived: Derived | None = None, aliases: Aliases | None = None
    ) -> None:
        given = list(conditions)
        self._given = [condition for condition, _ in given]
        self._conditions = [(joined(condition), tag) for condition, tag in given]
        fields = {field for condition in self._given for field in fields_of(condition)}
        self._derived = {name: derive for name, derive in (derived or {}).items() if name in fields}
        self._aliases = {name: others for name, others in (aliases or {}).items() if name in fields}
        self._common: CommonTexts = {}
        self._index = self._plan()
        self._events_left = self._events_of_plan = FIRST_PLAN_EVENTS

    def _plan(self) -> EventIndex:
        cost = costs(self._given, self._common)
        return EventIndex([condition.triggers(cost) for condition in self._given], self._common)

    def _plan_anew(self) -> None:
        """Wait for other texts than those that turned out to be in many events. What events meet stays the same."""
        found = self._index.found_in(POOR_SHARE, self._events_of_plan)
        if any(found.values()):
            names = {*found, *self._common}
            self._common = {name: found.get(name, NONE) | self._common.get(name, NONE) for name in names}
            self._index = self._plan()
        self._events_left = self._events_of_plan = self._events_of_plan * 4

    def view(self, event: Event) -> View:
        """Make what conditions read of an event."""
        return Batch([event], self._derived, self._aliases).view(0)

    def met(self, events: Sequence[Event]) -> list[tuple[int, T]]:
        """List the events, by their place, with the tag of each condition that they meet; both in their order."""
        batch, conditions = Batch(events, self._derived, self._aliases), self._conditions
        met = []
        for row, places in self._index.candidates(batch):
            view = batch.view(row)
            met += [(row, conditions[place][1]) for place in places if conditions[place][0].holds(view)]
        self._events_left -= len(events)
        if self._events_left <= 0:
            self._plan_anew()
        return met


def explain(condition: Condition, view: View) -> list[Match]:
    """Show which expressions of a condition that holds matched what. For findings only, not for every event."""
    shown = []
    for test in tests_of(condition, denied=False):
        if isinstance(test, Matches | Fits) and test.field is not None:
            found = test.found(view)
            if found is not None:
                shown.append(Match(test.field, found[:_SHOWN_CHARACTERS], test.shown))
    return shown


def is_telling(condition: Condition) -> bool:
    """Say whether `explain` can have anything to show."""
    tests = tests_of(condition, denied=False)
    return any(isinstance(test, Matches | Fits) and test.field is not None for test in tests)
