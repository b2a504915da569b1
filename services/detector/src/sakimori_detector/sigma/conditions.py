"""Conditions over one event, as a tree of tests.

Tests that an index can answer for all rules at once (an exact value, an expression) carry a number; the matcher hands
in the numbers that hold for an event. The others (numbers compared, addresses in a network, absence) are cheap and
asked only for events that the index let through.
"""

import ipaddress
from collections import Counter
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from typing import Final, Literal, Protocol

from sakimori_detector.sigma.events import FieldValue, address_of, elements, key_of, number_of
from sakimori_detector.sigma.patterns import Expression

Read = Callable[[str], FieldValue]
"""Reads a field of the event at hand by name, derived ones included."""
Cost = Callable[["Indexed"], float]
"""Estimates how many events a test lets through; only comparisons of it mean something."""
Relation = Literal["lt", "lte", "gt", "gte", "neq"]


class Condition(Protocol):
    """A test, or a combination of conditions."""

    def holds(self, matched: set[int], read: Read) -> bool:
        """Say whether it holds for the event that `read` reads and of which the index matched `matched`."""

    def triggers(self, cost: "Cost") -> "frozenset[Indexed] | None":
        """Name tests of which at least one must hold for this to hold, at the least cost; None where no index can."""


@dataclass(frozen=True, slots=True)
class Exact:
    """A field has this value; strings are equal when their case folding is, unless `is_cased`."""

    field: str
    value: str
    is_cased: bool = False


@dataclass(frozen=True, slots=True)
class Matches:
    """A field matches an expression; without a field, any string of the event does (a Sigma keyword)."""

    field: str | None
    expression: Expression


Test = Exact | Matches


@dataclass(frozen=True, slots=True)
class Indexed:
    """A test that the index answers; equal tests of all rules of a dataset share one number."""

    test: Test
    number: int

    def holds(self, matched: set[int], read: Read) -> bool:
        """See Condition."""
        return self.number in matched

    def triggers(self, cost: "Cost") -> "frozenset[Indexed] | None":
        """See Condition."""
        return frozenset({self})


class Unindexed:
    """A test that is asked of the event itself."""

    __slots__ = ()

    def triggers(self, cost: "Cost") -> frozenset[Indexed] | None:
        """See Condition."""
        return None


@dataclass(frozen=True, slots=True)
class Compares(Unindexed):
    """A field's number stands in this relation to a number; text that reads as a number counts as one."""

    field: str
    relation: Relation
    number: float

    def holds(self, matched: set[int], read: Read) -> bool:
        """See Condition."""
        numbers = (number_of(item) for item in elements(read(self.field)))
        return any(number is not None and _RELATIONS[self.relation](number, self.number) for number in numbers)


_RELATIONS: Final[dict[Relation, Callable[[float, float], bool]]] = {
    "lt": lambda left, right: left < right,
    "lte": lambda left, right: left <= right,
    "gt": lambda left, right: left > right,
    "gte": lambda left, right: left >= right,
    "neq": lambda left, right: left != right,
}


@dataclass(frozen=True, slots=True)
class InNetwork(Unindexed):
    """A field's address lies in a network."""

    field: str
    network: ipaddress.IPv4Network | ipaddress.IPv6Network

    def holds(self, matched: set[int], read: Read) -> bool:
        """See Condition."""
        addresses = (address_of(item) for item in elements(read(self.field)) if isinstance(item, str))
        return any(address is not None and address in self.network for address in addresses)


@dataclass(frozen=True, slots=True)
class Exists(Unindexed):
    """A field is there, or is not. A field without a value counts as absent."""

    field: str
    is_there: bool

    def holds(self, matched: set[int], read: Read) -> bool:
        """See Condition."""
        return (read(self.field) is not None) is self.is_there


@dataclass(frozen=True, slots=True)
class SameAs(Unindexed):
    """A field's text equals another field's, or begins or ends with it; case does not matter."""

    field: str
    other: str
    place: Literal["whole", "start", "end"] = "whole"

    def holds(self, matched: set[int], read: Read) -> bool:
        """See Condition."""
        others = [key_of(item).casefold() for item in elements(read(self.other))]
        texts = [key_of(item).casefold() for item in elements(read(self.field))]
        return any(self._compare(text, other) for text in texts for other in others)

    def _compare(self, text: str, other: str) -> bool:
        if self.place == "start":
            return text.startswith(other)
        return text.endswith(other) if self.place == "end" else text == other


@dataclass(frozen=True, slots=True)
class All:
    """Every part holds."""

    parts: tuple[Condition, ...]

    def holds(self, matched: set[int], read: Read) -> bool:
        """See Condition."""
        return all(part.holds(matched, read) for part in self.parts)

    def triggers(self, cost: "Cost") -> frozenset[Indexed] | None:
        """See Condition. One part's triggers are enough: those that let the fewest events through."""
        known = [triggers for part in self.parts if (triggers := part.triggers(cost)) is not None]
        return min(known, key=lambda triggers: sum(map(cost, triggers)), default=None)


@dataclass(frozen=True, slots=True)
class AnyOf:
    """At least one part holds."""

    parts: tuple[Condition, ...]

    def holds(self, matched: set[int], read: Read) -> bool:
        """See Condition."""
        return any(part.holds(matched, read) for part in self.parts)

    def triggers(self, cost: "Cost") -> frozenset[Indexed] | None:
        """See Condition."""
        each = [part.triggers(cost) for part in self.parts]
        known = [triggers for triggers in each if triggers is not None]
        return frozenset().union(*known) if len(known) == len(each) else None


@dataclass(frozen=True, slots=True)
class Not:
    """The part does not hold."""

    part: Condition

    def holds(self, matched: set[int], read: Read) -> bool:
        """See Condition."""
        return not self.part.holds(matched, read)

    def triggers(self, cost: "Cost") -> frozenset[Indexed] | None:
        """See Condition."""
        return None


def indexed_tests(condition: Condition, *, denied: bool) -> Iterator[Indexed]:
    """Walk over the indexed tests of a condition; those under a `not` only if `denied`."""
    match condition:
        case Indexed():
            yield condition
        case All() | AnyOf():
            for part in condition.parts:
                yield from indexed_tests(part, denied=denied)
        case Not() if denied:
            yield from indexed_tests(condition.part, denied=denied)


def fields_of(condition: Condition) -> Iterator[str]:
    """Name every field that a condition reads, some more than once."""
    match condition:
        case Indexed():
            if condition.test.field is not None:
                yield condition.test.field
        case All() | AnyOf():
            for part in condition.parts:
                yield from fields_of(part)
        case Not():
            yield from fields_of(condition.part)
        case SameAs():
            yield from (condition.field, condition.other)
        case Compares() | InNetwork() | Exists():
            yield condition.field


def costs(conditions: Iterable[Condition]) -> "Cost":
    """Estimate how many events each test lets through: long literals are rare, but what many rules ask for is not.

    An action or an outcome may be long and is in most events of its dataset; that many rules ask for it shows this.
    """
    uses = Counter(test.number for condition in conditions for test in set(indexed_tests(condition, denied=True)))
    return lambda indexed: uses[indexed.number] ** 2 * 0.5 ** min(_length(indexed.test), 64)


def _length(test: Test) -> int:
    return len(test.value) if isinstance(test, Exact) else test.expression.weight
