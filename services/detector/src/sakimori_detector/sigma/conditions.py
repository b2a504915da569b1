"""Conditions over one event, as a tree of tests.

A condition is the whole truth about an event, asked test by test. What spares the engine from asking all conditions
about all events are their `triggers`: tests of which at least one holds wherever the condition does. The index
(sigma/index.py) finds for all rules at once which triggers may hold, and only those conditions are asked.
"""

import ipaddress
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Final, Literal, Protocol

from sakimori_detector.sigma import patterns
from sakimori_detector.sigma.backtracking import GivenUp
from sakimori_detector.sigma.events import address_of, fold, number_of
from sakimori_detector.sigma.patterns import Expression
from sakimori_detector.sigma.times import TimePartName, part_of
from sakimori_detector.sigma.view import View
from sakimori_detector.sigma.wildcards import Wildcards

Cost = Callable[["Test"], float]
"""Estimates how many events a test lets through; only comparisons of it mean something."""
Relation = Literal["eq", "lt", "lte", "gt", "gte", "neq"]


class Condition(Protocol):
    """A test, or a combination of conditions."""

    def holds(self, view: View) -> bool:
        """Say whether it holds for an event."""

    def triggers(self, cost: Cost) -> "frozenset[Test] | None":
        """Name tests of which at least one must hold for this to hold, at the least cost; None where none can be told.

        Without any, the condition is asked about every event.
        """


@dataclass(frozen=True, slots=True)
class Exact:
    """A field has this value. The value is folded, and so is the event's, unless `is_cased`."""

    field: str
    value: str
    is_cased: bool = False

    def holds(self, view: View) -> bool:
        """See Condition."""
        return self.value in (view.texts if self.is_cased else view.folded)(self.field)

    def triggers(self, cost: Cost) -> "frozenset[Test] | None":
        """See Condition."""
        return frozenset({self})


@dataclass(frozen=True, slots=True)
class Fits:
    """A field's value fits a string with wildcards; without a field, any value of the event does (a Sigma keyword)."""

    field: str | None
    wildcards: Wildcards

    def holds(self, view: View) -> bool:
        """See Condition."""
        if self.field is None:
            texts = view.every_text() if self.wildcards.is_cased else view.every_folded()
        else:
            texts = view.texts(self.field) if self.wildcards.is_cased else view.folded(self.field)
        return any(self.wildcards.find(text) is not None for text in texts)

    @property
    def shown(self) -> str:
        """The value as the rule has it."""
        return self.wildcards.shown

    def found(self, view: View) -> str | None:
        """Give the part of the field that fits, as it stands there; None where nothing does."""
        for text in () if self.field is None else view.texts(self.field):
            folded = text if self.wildcards.is_cased else fold(text)
            span = self.wildcards.find(folded)
            if span is not None:
                return (text if len(text) == len(folded) else folded)[slice(*span)]
        return None

    def triggers(self, cost: Cost) -> "frozenset[Test] | None":
        """See Condition."""
        return frozenset({self})


@dataclass(frozen=True, slots=True)
class Matches:
    """A field matches an expression; without a field, any value of the event does (a Sigma keyword)."""

    field: str | None
    expression: Expression

    def holds(self, view: View) -> bool:
        """See Condition. Raises GivenUp."""
        texts = view.every_text() if self.field is None else view.texts(self.field)
        return any(patterns.holds(self.expression, text) for text in texts)

    @property
    def shown(self) -> str:
        """The expression as the rule has it."""
        return self.expression.shown

    def found(self, view: View) -> str | None:
        """Give the part of the field that matches; None where nothing does, or the expression gave up."""
        try:
            found = (patterns.find(self.expression, text) for text in view.texts(self.field or ""))
            return next((text for text in found if text is not None), None)
        except GivenUp:
            return None

    def triggers(self, cost: Cost) -> "frozenset[Test] | None":
        """See Condition."""
        return frozenset({self})


@dataclass(frozen=True, slots=True)
class Compares:
    """A field's number stands in this relation to a number; text that reads as a number counts as one."""

    field: str
    relation: Relation
    number: float

    def holds(self, view: View) -> bool:
        """See Condition."""
        numbers = (number_of(value) for value in view.values(self.field))
        return any(number is not None and _RELATIONS[self.relation](number, self.number) for number in numbers)

    def triggers(self, cost: Cost) -> "frozenset[Test] | None":
        """See Condition."""
        return frozenset({self})


_RELATIONS: Final[dict[Relation, Callable[[float, float], bool]]] = {
    "eq": lambda left, right: left == right,
    "lt": lambda left, right: left < right,
    "lte": lambda left, right: left <= right,
    "gt": lambda left, right: left > right,
    "gte": lambda left, right: left >= right,
    "neq": lambda left, right: left != right,
}


@dataclass(frozen=True, slots=True)
class TimePart:
    """A part of the time that a field holds stands in this relation to a number."""

    field: str
    part: TimePartName
    relation: Relation
    number: float

    def holds(self, view: View) -> bool:
        """See Condition."""
        numbers = (part_of(value, self.part) for value in view.values(self.field))
        return any(number is not None and _RELATIONS[self.relation](number, self.number) for number in numbers)

    def triggers(self, cost: Cost) -> "frozenset[Test] | None":
        """See Condition."""
        return frozenset({Exists(self.field, is_there=True)})


@dataclass(frozen=True, slots=True)
class InNetwork:
    """A field's address lies in a network."""

    field: str
    network: ipaddress.IPv4Network | ipaddress.IPv6Network

    def holds(self, view: View) -> bool:
        """See Condition."""
        addresses = (address_of(value) for value in view.values(self.field) if isinstance(value, str))
        return any(address is not None and address in self.network for address in addresses)

    def triggers(self, cost: Cost) -> "frozenset[Test] | None":
        """See Condition."""
        return frozenset({self})


@dataclass(frozen=True, slots=True)
class Exists:
    """A field is there, or is not. A field without a value counts as absent."""

    field: str
    is_there: bool

    def holds(self, view: View) -> bool:
        """See Condition."""
        return (view.value(self.field) is not None) is self.is_there

    def triggers(self, cost: Cost) -> "frozenset[Test] | None":
        """See Condition."""
        return frozenset({self})


@dataclass(frozen=True, slots=True)
class SameAs:
    """A field's text equals another field's, begins or ends with it, or has it inside; case does not matter."""

    field: str
    other: str
    place: Literal["whole", "start", "end", "inside"] = "whole"

    def holds(self, view: View) -> bool:
        """See Condition."""
        return any(self._compare(text, other) for text in view.folded(self.field) for other in view.folded(self.other))

    def _compare(self, text: str, other: str) -> bool:
        match self.place:
            case "start":
                return text.startswith(other)
            case "end":
                return text.endswith(other)
            case "inside":
                return other in text
        return text == other

    def triggers(self, cost: Cost) -> "frozenset[Test] | None":
        """See Condition."""
        return frozenset({Exists(self.field, is_there=True)})


Test = Exact | Fits | Matches | Compares | TimePart | InNetwork | Exists | SameAs
"""What conditions are made of."""


@dataclass(frozen=True, slots=True)
class All:
    """Every part holds."""

    parts: tuple[Condition, ...]

    def holds(self, view: View) -> bool:
        """See Condition."""
        return all(part.holds(view) for part in self.parts)

    def triggers(self, cost: Cost) -> frozenset[Test] | None:
        """See Condition. One part's triggers are enough: those that let the fewest events through."""
        known = [triggers for part in self.parts if (triggers := part.triggers(cost)) is not None]
        return min(known, key=lambda triggers: sum(map(cost, triggers)), default=None)


@dataclass(frozen=True, slots=True)
class AnyOf:
    """At least one part holds."""

    parts: tuple[Condition, ...]

    def holds(self, view: View) -> bool:
        """See Condition."""
        return any(part.holds(view) for part in self.parts)

    def triggers(self, cost: Cost) -> frozenset[Test] | None:
        """See Condition."""
        each = [part.triggers(cost) for part in self.parts]
        known = [triggers for triggers in each if triggers is not None]
        return frozenset().union(*known) if len(known) == len(each) else None


@dataclass(frozen=True, slots=True)
class Not:
    """The part does not hold."""

    part: Condition

    def holds(self, view: View) -> bool:
        """See Condition."""
        return not self.part.holds(view)

    def triggers(self, cost: Cost) -> frozenset[Test] | None:
        """See Condition."""
        match self.part:
            case Exists(field, is_there):
                return frozenset({Exists(field, not is_there)})
            case Not(part):
                return part.triggers(cost)
            case AnyOf(parts):
                return All(tuple(map(Not, parts))).triggers(cost)
            case All(parts):
                return AnyOf(tuple(map(Not, parts))).triggers(cost)
        return None


@dataclass(frozen=True, slots=True)
class Guarded:
    """The part holds, and no expression in it gave up: what has no answer neither holds nor does its denial."""

    part: Condition

    def holds(self, view: View) -> bool:
        """See Condition."""
        try:
            return self.part.holds(view)
        except GivenUp:
            return False

    def triggers(self, cost: Cost) -> "frozenset[Test] | None":
        """See Condition."""
        return self.part.triggers(cost)


def tests_of(condition: Condition, *, denied: bool = True) -> Iterator[Test]:
    """Walk over the tests of a condition; those under a `not` only if `denied`."""
    match condition:
        case All() | AnyOf():
            for part in condition.parts:
                yield from tests_of(part, denied=denied)
        case Guarded():
            yield from tests_of(condition.part, denied=denied)
        case Not():
            if denied:
                yield from tests_of(condition.part, denied=denied)
        case Exact() | Fits() | Matches() | Compares() | TimePart() | InNetwork() | Exists() | SameAs():
            yield condition


def fields_of(condition: Condition) -> Iterator[str]:
    """Name every field that a condition reads, some more than once."""
    for test in tests_of(condition):
        if test.field is not None:
            yield test.field
        if isinstance(test, SameAs):
            yield test.other
