"""The triggers of all conditions of a dataset in one place: which conditions an event may meet, without asking each.

Per field there are a dictionary of values, an automaton of literals, sets of expressions and sorted thresholds; a batch
of events is searched field by field. What comes out are candidates: conditions that an event may meet. The index may
let too many through and must let none slip; tests/unit/detector/test_index.py holds it to that.
"""

import re
from bisect import bisect_left, bisect_right
from collections import Counter, defaultdict
from collections.abc import Iterable, Iterator, Sequence
from typing import Final

from sakimori_detector.sigma.batch import Batch, texts_of
from sakimori_detector.sigma.conditions import Compares, Exact, Exists, Fits, InNetwork, Matches, Test
from sakimori_detector.sigma.events import FieldValue, elements, number_of
from sakimori_detector.sigma.literals import BREAK, NONE, Common, CommonTexts, alike, literals_of, required, share_of
from sakimori_detector.sigma.networks import beginnings
from sakimori_detector.sigma.searches import Column, Expressions, Hit, Places, Substrings, Values

POOR_SHARE: Final = 1 / 16
"""Literals that are likely in more of the values than this are no better than searching for the expression."""

_NOT_JOINABLE: Final = re.compile(r"\\[Az]|\(\?[a-zA-Z]*-")
"""What makes an expression mean something else in texts that are joined by line breaks."""


class Triggers:
    """What conditions look for in one field, by the way it is searched for."""

    def __init__(self, common: Common) -> None:
        self._common = common
        self.values: defaultdict[str, set[int]] = defaultdict(set)
        self.literals: defaultdict[str, set[int]] = defaultdict(set)
        self.expressions: defaultdict[str, set[int]] = defaultdict(set)
        self.above: defaultdict[float, set[int]] = defaultdict(set)
        self.below: defaultdict[float, set[int]] = defaultdict(set)
        self.present: set[int] = set()
        self.absent: set[int] = set()

    def add(self, test: Test, place: int) -> None:
        """Enter a trigger of the condition at `place`; what has no better way is one wherever the field is."""
        match test:
            case Exact():
                self.values[alike(test.value)].add(place)
            case Fits():
                self._add_string(test, place)
            case Matches():
                self._add_expression(test, place)
            case InNetwork():
                self._add_literals(beginnings(test.network), place)
            case Compares(relation="gt" | "gte"):
                self.above[test.number].add(place)
            case Compares(relation="lt" | "lte"):
                self.below[test.number].add(place)
            case Exists(is_there=False):
                self.absent.add(place)
            case _:
                self.present.add(place)

    def _add_string(self, test: Fits, place: int) -> None:
        texts = literals_of(test.wildcards)
        if texts:
            self._add_literals([min(texts, key=lambda text: share_of(text, self._common))], place)
        else:
            self.present.add(place)

    def _add_expression(self, test: Matches, place: int) -> None:
        source = test.expression.source
        literals, is_alone = (
            required(source, self._common),
            test.expression.is_slow or bool(_NOT_JOINABLE.search(source)),
        )
        if literals is not None and (literals.share(self._common) <= POOR_SHARE or is_alone):
            self._add_literals(literals.texts, place)
        elif is_alone:
            self.present.add(place)
        else:
            self.expressions[source].add(place)

    def _add_literals(self, literals: Iterable[str], place: int) -> None:
        for literal in literals:
            (self.literals[literal] if literal.strip(BREAK) else self.present).add(place)


class FieldIndex:
    """The triggers of one field, ready to search."""

    def __init__(self, triggers: Triggers) -> None:
        searches = (
            (Values, triggers.values),
            (Substrings, triggers.literals),
            (Expressions, triggers.expressions),
        )
        self._searches = [search(wanted) for search, wanted in searches if wanted]
        self._numbers = Numbers(triggers.above, triggers.below) if triggers.above or triggers.below else None
        self._present, self._absent = frozenset(triggers.present), frozenset(triggers.absent)

    def found(self) -> Counter[str]:
        """Count how often each text that is looked for was found."""
        return sum((each.found for each in self._searches if not isinstance(each, Expressions)), Counter[str]())

    def hits(self, batch: Batch, field: str) -> Iterator[Hit]:
        """Search a field of a batch; gives rows."""
        if self._searches:
            yield from self.text_hits(batch.column(field, ""))
        if self._numbers is not None:
            yield from self._numbers.hits(batch.column(field) or ())
        if self._present or self._absent:
            for row, value in enumerate(batch.column(field) or [None] * len(batch)):
                yield row, self._absent if value is None else self._present

    def text_hits(self, values: Sequence[FieldValue] | None) -> Iterator[Hit]:
        """Search the values of a column; gives rows."""
        if not values:
            return
        texts, rows = texts_of(values)
        column = Column(texts)
        for search in self._searches:
            for number, places in search.hits(column):
                yield rows[number], places


class Numbers:
    """Finds numbers beyond thresholds, either way; at a threshold itself, too."""

    def __init__(self, above: dict[float, set[int]], below: dict[float, set[int]]) -> None:
        self._above, self._below = sorted(above), sorted(below)
        self._above_places = [frozenset(above[number]) for number in self._above]
        self._below_places = [frozenset(below[number]) for number in self._below]

    def hits(self, column: Sequence[FieldValue]) -> Iterator[Hit]:
        """Compare each value that is a number, or text that reads as one."""
        for row, value in enumerate(column):
            for item in elements(value):
                number = number_of(item)
                if number is not None:
                    for places in self._above_places[: bisect_right(self._above, number)]:
                        yield row, places
                    for places in self._below_places[bisect_left(self._below, number) :]:
                        yield row, places


class EventIndex:
    """The index of one dataset, made of the triggers of each of its conditions (None: no trigger can be told).

    `common` are texts that are known to be in many values of a field, by field.
    """

    def __init__(self, triggers: Sequence[frozenset[Test] | None], common: CommonTexts) -> None:
        fields: dict[str | None, Triggers] = {}
        for place, tests in enumerate(triggers):
            for test in tests or ():
                if test.field not in fields:
                    fields[test.field] = Triggers(common.get(test.field, NONE))
                fields[test.field].add(test, place)
        keywords = fields.pop(None, None)
        self._keywords = FieldIndex(keywords) if keywords else None
        self._fields = [(name, FieldIndex(found)) for name, found in fields.items() if name is not None]
        always = {place for place, tests in enumerate(triggers) if tests is None}
        self._always: Places = frozenset(always | keywords.present if keywords else always)

    def found_in(self, share: float, events: int) -> CommonTexts:
        """List the texts that this index looks for and found in at least a share of so many events, by field."""
        return {
            name: frozenset(text for text, count in index.found().items() if count >= share * events)
            for name, index in [*self._fields, (None, self._keywords)]
            if index is not None
        }

    def candidates(self, batch: Batch) -> list[tuple[int, list[int]]]:
        """List the rows that may meet any condition, and the places of these conditions; both in their order."""
        found: dict[int, set[int]] = {}
        if self._always:
            found = {row: set(self._always) for row in range(len(batch))}
        for row, places in self._hits(batch):
            known = found.get(row)
            if known is None:
                found[row] = set(places)
            else:
                known.update(places)
        return [(row, sorted(found[row])) for row in sorted(found)]

    def _hits(self, batch: Batch) -> Iterator[Hit]:
        for name, index in self._fields:
            yield from index.hits(batch, name)
        if self._keywords is not None:
            yield from self._keywords.text_hits(batch.everything())
