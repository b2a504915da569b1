"""Searches of a column of texts for what many conditions look for, each in one go.

Whatever a search finds is a hint: the condition itself is asked afterwards. So a search may find too much, and never
too little.
"""

from bisect import bisect_right
from collections import Counter
from collections.abc import Iterable, Iterator, Sequence
from itertools import accumulate
from typing import Any, Final

import ahocorasick_rs
import re2

from sakimori_detector.sigma import patterns
from sakimori_detector.sigma.literals import BREAK, alike

Places = frozenset[int]
"""Of conditions, in the order they were given."""
Hit = tuple[int, Places]
"""The number of a text, and the conditions that it may meet."""

LONG_CHARACTERS: Final = 1024
"""Texts beyond are searched one by one, in a way that reports each literal once, however often it is in there."""


class Column:
    """Texts that are searched together."""

    def __init__(self, texts: Sequence[str]) -> None:
        self.long: dict[int, str] = {}
        joined = BREAK.join(texts)
        if len(joined) > (len(texts) + 4) * LONG_CHARACTERS // 4:
            self.long = {number: text for number, text in enumerate(texts) if len(text) > LONG_CHARACTERS}
        if self.long:
            texts = ["" if number in self.long else text for number, text in enumerate(texts)]
            joined = BREAK.join(texts)
        self.texts = texts
        self._joined = joined
        self._folded: list[str] | None = None

    def folded(self) -> list[str]:
        """Make each text `alike`; long ones are empty."""
        if self._folded is None:
            whole = self._joined.lower().split(BREAK) if self._joined.isascii() else []
            self._folded = whole if len(whole) == len(self.texts) else [alike(text) for text in self.texts]
        return self._folded

    def data(self) -> bytes:
        """Join the texts, made alike, as UTF-8, a line break around each; long ones are empty."""
        if self._joined.isascii():
            return f"{BREAK}{self._joined.lower()}{BREAK}".encode()
        return f"{BREAK}{BREAK.join(self.folded())}{BREAK}".encode("utf-8", "replace")

    def ends(self) -> list[int]:
        """Give the place in `data` behind each text."""
        if self._joined.isascii():
            sizes = [len(text) + 1 for text in self.texts]
        else:
            sizes = [len(text.encode("utf-8", "replace")) + 1 for text in self.folded()]
        return list(accumulate(sizes))


class Values:
    """Finds texts that are one of many, both made alike; `found` counts them."""

    def __init__(self, wanted: dict[str, set[int]]) -> None:
        self._wanted = {text: frozenset(places) for text, places in wanted.items()}
        self.found = Counter[str]()

    def hits(self, column: Column) -> Iterator[Hit]:
        """Compare each text."""
        wanted = self._wanted
        folded = column.folded()
        if not wanted.keys().isdisjoint(folded):
            for number, text in enumerate(folded):
                if text in wanted:
                    self.found[text] += 1
                    yield number, wanted[text]
        for number, text in column.long.items():
            if (places := wanted.get(alike(text))) is not None:
                yield number, places


class Substrings:
    """Finds literals anywhere in the texts (Aho-Corasick); a line break at an end of one is an end of the text."""

    def __init__(self, wanted: dict[str, set[int]]) -> None:
        self._texts = sorted(wanted)
        self._places = [frozenset(wanted[text]) for text in self._texts]
        encoded = [text.encode("utf-8", "replace") for text in self._texts]
        self._automaton = ahocorasick_rs.BytesAhoCorasick(encoded, implementation=_automaton_for(encoded))
        self._set: Any = None
        self._found = [0] * len(self._texts)

    @property
    def found(self) -> Counter[str]:
        """Count how often each literal was found, but in long texts."""
        return Counter(dict(zip(self._texts, self._found, strict=True)))

    def hits(self, column: Column) -> Iterator[Hit]:
        """Search all texts at once, the long ones by themselves."""
        found = self._automaton.find_matches_as_indexes(column.data(), overlapping=True)
        if found:
            ends, places = column.ends(), self._places
            for literal, start, _ in found:
                self._found[literal] += 1
                yield bisect_right(ends, start), places[literal]
        for number, text in column.long.items():
            for literal in self._in_long(alike(text)):
                yield number, self._places[literal]

    def _in_long(self, text: str) -> Iterable[int]:
        if self._set is None:
            self._set = set_of(str(re2.escape(literal)) for literal in self._texts)
        return self._set.Match(patterns.clean(f"{BREAK}{text}{BREAK}")) or ()


def _automaton_for(literals: Sequence[bytes]) -> ahocorasick_rs.Implementation | None:
    """Choose the fastest kind while it is small: a few thousand literals take some 10 MB, more would take too many."""
    return ahocorasick_rs.Implementation.DFA if sum(map(len, literals)) <= 1 << 16 else None


def set_of(sources: Iterable[str]) -> Any:
    """Compile expressions into one RE2 set."""
    made = re2.Set.SearchSet(patterns.options())
    for source in sources:
        made.Add(source)
    made.Compile()
    return made


class Expressions:
    """Finds expressions that no literal can stand for (RE2 sets).

    Texts are first searched in groups, joined by line breaks: `^` and `$` hold at line breaks, too, so nothing is
    missed. Groups with a match are searched text by text.
    """

    GROUP_TEXTS: Final = 16
    SET_EXPRESSIONS: Final = 32
    """More in one set and its automaton gets too big for long texts: one with 3,000 took 10 s for 54 KB."""

    def __init__(self, wanted: dict[str, set[int]]) -> None:
        sources = sorted(wanted)
        self._sets = [
            (set_of(f"(?m){source}" for source in some), [frozenset(wanted[source]) for source in some])
            for some in _parts(sources, self.SET_EXPRESSIONS)
        ]

    def hits(self, column: Column) -> Iterator[Hit]:
        """Search each group of texts, the long ones by themselves."""
        for one, places in self._sets:
            for at in range(0, len(column.texts), self.GROUP_TEXTS):
                group = column.texts[at : at + self.GROUP_TEXTS]
                if one.Match(patterns.clean(BREAK.join(group))):
                    yield from _hits_of(one, places, enumerate(group, at))
            yield from _hits_of(one, places, column.long.items())


def _hits_of(one: Any, places: Sequence[Places], texts: Iterable[tuple[int, str]]) -> Iterator[Hit]:
    for number, text in texts:
        for expression in one.Match(patterns.clean(text)) or ():
            yield number, places[expression]


def _parts(items: Sequence[str], size: int) -> Iterator[Sequence[str]]:
    for at in range(0, len(items), size):
        yield items[at : at + size]
