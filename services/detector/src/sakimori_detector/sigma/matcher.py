"""Which conditions of a dataset an event meets."""

from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import Generic, NamedTuple, TypeVar

from sakimori_detector.sigma import patterns
from sakimori_detector.sigma.conditions import (
    Condition,
    Matches,
    Read,
    costs,
    fields_of,
    indexed_tests,
)
from sakimori_detector.sigma.events import Event, FieldValue, elements, key_of
from sakimori_detector.sigma.index import EventIndex

T = TypeVar("T")

Derived = Mapping[str, Callable[[Mapping[str, FieldValue]], FieldValue]]
"""Fields that are made of an event's other fields, once an event, when a condition reads them."""

_SHOWN_CHARACTERS = 200


class Match(NamedTuple):
    """A part of a field that an expression matched, and the expression as the rule has it."""

    field: str
    text: str
    pattern: str


class Matcher(Generic[T]):
    """All conditions of one dataset; each yields its tag when an event meets it.

    An event's cost is the index plus the conditions of which it let a trigger through; conditions that no index can
    tell anything about (they only deny or compare) are asked every time.
    """

    def __init__(self, conditions: Iterable[tuple[Condition, T]], derived: Derived | None = None) -> None:
        self._conditions = list(conditions)
        self._by_trigger: dict[int, list[int]] = {}
        self._always: list[int] = []
        cost = costs(condition for condition, _ in self._conditions)
        for place, (condition, _) in enumerate(self._conditions):
            triggers = condition.triggers(cost)
            if triggers is None:
                self._always.append(place)
            for trigger in triggers or ():
                self._by_trigger.setdefault(trigger.number, []).append(place)
        self._triggers = frozenset(self._by_trigger)
        tests = {test for condition, _ in self._conditions for test in indexed_tests(condition, denied=True)}
        self._index = EventIndex(sorted(tests, key=lambda test: test.number))
        fields = {field for condition, _ in self._conditions for field in fields_of(condition)}
        self._derived = [(name, derive) for name, derive in (derived or {}).items() if name in fields]

    def look(self, event: Event) -> "Look":
        """Ask the index about an event."""
        fields = event.fields
        if self._derived:
            fields = {**fields, **{name: derive(fields) for name, derive in self._derived}}
        return Look(fields, self._index.matched(event, fields))

    def met(self, event: Event) -> Sequence[T]:
        """List the tags of the conditions that the event meets, in the order they were given."""
        fields, matched = self.look(event)
        places: Sequence[int] = self._always
        if not matched.isdisjoint(self._triggers):
            triggered = {place for number in matched for place in self._by_trigger.get(number, ())}
            places = sorted(triggered.union(places))
        if not places:
            return ()
        read = reader(event, fields)
        conditions = self._conditions
        return [conditions[place][1] for place in places if conditions[place][0].holds(matched, read)]


class Look(NamedTuple):
    """What the index knows of an event: its fields, derived ones included, and the numbers of the tests that hold."""

    fields: dict[str, FieldValue]
    matched: set[int]


def reader(event: Event, fields: dict[str, FieldValue]) -> Read:
    """Make the reader of an event whose fields are these, derived ones included."""
    return lambda name: fields[name] if name in fields else event.get(name)


def explain(condition: Condition, event: Event, look: Look) -> list[Match]:
    """Show which expressions of a condition that holds matched what. For findings only, not for every event."""
    shown = []
    for indexed in indexed_tests(condition, denied=False):
        test = indexed.test
        if indexed.number in look.matched and isinstance(test, Matches) and test.field is not None:
            value = look.fields.get(test.field)
            text = _first(test, event.get(test.field) if value is None else value)
            if text is not None:
                shown.append(Match(test.field, text[:_SHOWN_CHARACTERS], test.expression.shown))
    return shown


def _first(test: Matches, value: FieldValue) -> str | None:
    found = (patterns.find(test.expression, key_of(item)) for item in elements(value))
    return next((text for text in found if text is not None), None)
