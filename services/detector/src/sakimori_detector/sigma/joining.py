"""Conditions made cheaper to ask: expressions of which any will do become one RE2 set, in place of a search each."""

from collections import defaultdict
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from typing import Any, Final

from sakimori_detector.sigma import patterns
from sakimori_detector.sigma.conditions import All, AnyOf, Condition, Cost, Guarded, Matches, Not, Test
from sakimori_detector.sigma.searches import set_of
from sakimori_detector.sigma.view import View

SET_EXPRESSIONS: Final = 64
"""Of one rule and field some 90 take 6 us a request; those of all rules together 78 us, their automaton is too big."""


@dataclass(frozen=True, slots=True)
class MatchesOne:
    """A field matches one of several expressions."""

    field: str
    parts: tuple[Matches, ...]
    compiled: Any

    def holds(self, view: View) -> bool:
        """See Condition."""
        return any(self.compiled.Match(patterns.clean(text)) for text in view.texts(self.field))

    def triggers(self, cost: Cost) -> frozenset[Test] | None:
        """See Condition."""
        return AnyOf(self.parts).triggers(cost)


def joined(condition: Condition) -> Condition:
    """Rewrite a condition; it holds for the same events."""
    match condition:
        case AnyOf():
            return _any_of(list(_alternatives(condition)))
        case All(parts):
            return All(tuple(map(joined, parts)))
        case Not(part):
            return Not(joined(part))
        case Guarded(part):
            return Guarded(joined(part))
    return condition


def _alternatives(condition: Condition) -> Iterator[Condition]:
    """List the parts of an `or` and of those inside it."""
    if isinstance(condition, AnyOf):
        for part in condition.parts:
            yield from _alternatives(part)
    else:
        yield condition


def _any_of(parts: list[Condition]) -> Condition:
    by_field: defaultdict[str, list[Matches]] = defaultdict(list)
    rest: list[Condition] = []
    for part in parts:
        if isinstance(part, Matches) and part.field is not None and not part.expression.is_slow:
            by_field[part.field].append(part)
        else:
            rest.append(joined(part))
    sets = [made for field, found in by_field.items() for made in _sets(field, found)]
    return AnyOf((*rest, *sets))


def _sets(field: str, found: list[Matches]) -> Iterable[Condition]:
    for at in range(0, len(found), SET_EXPRESSIONS):
        some = tuple(found[at : at + SET_EXPRESSIONS])
        yield some[0] if len(some) == 1 else MatchesOne(field, some, set_of(part.expression.source for part in some))
