"""All tests of a dataset's rules in one place, so that an event costs the same for five rules as for five hundred.

Per field there is one dictionary of exact values and one RE2 set of expressions. What an event's value yields is
remembered for short values: methods, status codes, actions and user agents repeat.
"""

from collections.abc import Iterable, Mapping, Sequence
from typing import Any, Final

import re2

from sakimori_detector.sigma import patterns
from sakimori_detector.sigma.conditions import Indexed, Matches
from sakimori_detector.sigma.events import Event, FieldValue, elements, key_of

_REMEMBERED_VALUES: Final = 4096
_REMEMBERED_CHARACTERS: Final = 200
"""Per field; full, the memory starts anew. 4096 values of 200 characters are under 4 MB with their keys."""

_KEYWORD_GLUE: Final = "\n"
_ENVELOPE: Final = frozenset({"@timestamp", "event.id", "event.dataset"})


class FieldIndex:
    """Exact values and expressions on one field; gives the numbers of the tests that hold."""

    def __init__(self, tests: Iterable[Indexed]) -> None:
        self._folded: dict[str, list[int]] = {}
        self._cased: dict[str, list[int]] = {}
        self._numbers: list[int] = []
        self._set: Any = None
        self._memory: dict[FieldValue, tuple[int, ...]] = {}
        for indexed in tests:
            if isinstance(indexed.test, Matches):
                self._set = self._set or re2.Set.SearchSet(patterns.options())
                self._set.Add(indexed.test.expression.source)
                self._numbers.append(indexed.number)
            elif indexed.test.is_cased:
                self._cased.setdefault(indexed.test.value, []).append(indexed.number)
            else:
                self._folded.setdefault(indexed.test.value.casefold(), []).append(indexed.number)
        if self._set is not None:
            self._set.Compile()

    def matched(self, value: FieldValue) -> tuple[int, ...]:
        """List the numbers of the tests that hold for a value; of a list, for any of its elements."""
        if isinstance(value, list):
            return tuple({number for item in elements(value) for number in self.matched(item)})
        kind_and_value = value if isinstance(value, str) else (type(value), value)
        known = self._memory.get(kind_and_value)  # type: ignore[arg-type]  # 1 and True are equal, their texts are not
        if known is not None:
            return known
        text = key_of(value)
        found = self._search(text)
        if len(text) <= _REMEMBERED_CHARACTERS:
            if len(self._memory) >= _REMEMBERED_VALUES:
                self._memory.clear()
            self._memory[kind_and_value] = found  # type: ignore[index]
        return found

    def _search(self, text: str) -> tuple[int, ...]:
        found: list[int] = []
        if self._cased:
            found += self._cased.get(text, ())
        if self._folded:
            found += self._folded.get(text.casefold(), ())
        if self._set is not None:
            try:
                hits = self._set.Match(text)
            except UnicodeEncodeError:
                hits = self._set.Match(patterns.clean(text))
            if hits:
                numbers = self._numbers
                found += [numbers[hit] for hit in hits]
        return tuple(found)


class EventIndex:
    """The field indexes of one dataset."""

    def __init__(self, tests: Sequence[Indexed]) -> None:
        by_field: dict[str | None, list[Indexed]] = {}
        for indexed in tests:
            by_field.setdefault(indexed.test.field, []).append(indexed)
        keywords = by_field.pop(None, None)
        self._keywords = FieldIndex(keywords) if keywords else None
        self._fields = [
            (name, FieldIndex(tests)) for name, tests in by_field.items() if name is not None and name not in _ENVELOPE
        ]
        self._envelope = [(name, FieldIndex(tests)) for name, tests in by_field.items() if name in _ENVELOPE and name]

    def matched(self, event: Event, fields: Mapping[str, FieldValue]) -> set[int]:
        """Collect the numbers of all tests that hold for an event whose fields, derived ones included, are these."""
        found: set[int] = set()
        for name, index in self._fields:
            value = fields.get(name)
            if value is not None:
                hits = index.matched(value)
                if hits:
                    found.update(hits)
        for name, index in self._envelope:
            found.update(index.matched(event.get(name)))
        if self._keywords is not None:
            texts = (key_of(item) for value in fields.values() for item in elements(value))
            found.update(self._keywords.matched(_KEYWORD_GLUE.join(texts)))
        return found
