"""Which conditions of a dataset an event meets."""

from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import Final, Generic, NamedTuple, TypeVar

from sakimori_detector.sigma import patterns
from sakimori_detector.sigma.conditions import Condition, Matches, costs, fields_of, tests_of
from sakimori_detector.sigma.events import Event, FieldValue
from sakimori_detector.sigma.index import EventIndex
from sakimori_detector.sigma.view import View

T = TypeVar("T")

Derived = Mapping[str, Callable[[Mapping[str, FieldValue]], FieldValue]]
"""Fields that are made of an event's other fields, once an event, when a condition reads them."""

_SHOWN_CHARACTERS: Final = 200


class Match(NamedTuple):
    """A part of a field that an expression matched, and the expression as the rule has it."""

    field: str
    text: str
    pattern: str


class Matcher(Generic[T]):
    """All conditions of one dataset; each yields its tag when an event meets it.

    An event's cost is the index plus the conditions of which it let a trigger through; conditions that no index can
    tell anything about (they only deny) are asked every time.
    """

    def __init__(self, conditions: Iterable[tuple[Condition, T]], derived: Derived | None = None) -> None:
        self._conditions = list(conditions)
        cost = costs(condition for condition, _ in self._conditions)
        self._index = EventIndex([condition.triggers(cost) for condition, _ in self._conditions])
        fields = {field for condition, _ in self._conditions for field in fields_of(condition)}
        self._derived = [(name, derive) for name, derive in (derived or {}).items() if name in fields]

    def view(self, event: Event) -> View:
        """Make what conditions read of an event."""
        fields = event.fields
        if self._derived:
            fields = {**fields, **{name: derive(fields) for name, derive in self._derived}}
        return View(event, fields)

    def met(self, event: Event) -> Sequence[T]:
        """List the tags of the conditions that the event meets, in the order they were given."""
        view = self.view(event)
        conditions = self._conditions
        return [conditions[place][1] for place in self._index.places(view) if conditions[place][0].holds(view)]


def explain(condition: Condition, view: View) -> list[Match]:
    """Show which expressions of a condition that holds matched what. For findings only, not for every event."""
    shown = []
    for test in tests_of(condition, denied=False):
        if isinstance(test, Matches) and test.field is not None:
            found = (patterns.find(test.expression, text) for text in view.texts(test.field))
            text = next((text for text in found if text is not None), None)
            if text is not None:
                shown.append(Match(test.field, text[:_SHOWN_CHARACTERS], test.expression.shown))
    return shown
