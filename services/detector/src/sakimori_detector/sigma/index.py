"""The triggers of a dataset's rules in one place: which conditions an event may meet, found without asking each."""

from collections.abc import Iterable, Sequence
from typing import Any

import re2

from sakimori_detector.sigma import patterns
from sakimori_detector.sigma.conditions import Exact, Matches, Test
from sakimori_detector.sigma.view import View

Places = set[int]


class FieldIndex:
    """Exact values and expressions on one field, or on all of an event; gives the places of conditions."""

    def __init__(self) -> None:
        self._exact: dict[str, Places] = {}
        self._cased: dict[str, Places] = {}
        self._expressions: list[Places] = []
        self._set: Any = None

    def add(self, test: Exact | Matches, place: int) -> None:
        """Enter a trigger of the condition at `place`."""
        if isinstance(test, Exact):
            (self._cased if test.is_cased else self._exact).setdefault(test.value, set()).add(place)
            return
        self._set = self._set or re2.Set.SearchSet(patterns.options())
        self._set.Add(test.expression.source)
        self._expressions.append({place})

    def compile(self) -> None:
        """Make it ready; nothing can be added afterwards."""
        if self._set is not None:
            self._set.Compile()

    def places(self, texts: Sequence[str], folded: Sequence[str]) -> Iterable[int]:
        """List the places of conditions of which a trigger holds for one of these texts."""
        for text in texts:
            yield from self._cased.get(text, ())
        for text in folded:
            yield from self._exact.get(text, ())
        if self._set is not None:
            for text in texts:
                for hit in self._set.Match(patterns.clean(text)) or ():
                    yield from self._expressions[hit]


class EventIndex:
    """The field indexes of one dataset, made of the triggers of each of its conditions."""

    def __init__(self, triggers: Sequence[frozenset[Test] | None]) -> None:
        self._fields: dict[str | None, FieldIndex] = {}
        self._always: Places = set()
        for place, tests in enumerate(triggers):
            for test in tests or ():
                if isinstance(test, Exact | Matches):
                    self._fields.setdefault(test.field, FieldIndex()).add(test, place)
                else:
                    self._always.add(place)
            if tests is None:
                self._always.add(place)
        for index in self._fields.values():
            index.compile()

    def places(self, view: View) -> list[int]:
        """List the conditions that an event may meet, in their order."""
        found = set(self._always)
        for name, index in self._fields.items():
            if name is None:
                found.update(index.places([view.everything()], ()))
            else:
                found.update(index.places(view.texts(name), view.folded(name)))
        return sorted(found)
