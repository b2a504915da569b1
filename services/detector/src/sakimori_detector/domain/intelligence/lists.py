"""The files of rules/lists: one address, network, domain, URL, hash or mail address a line, as written by hand."""

from collections.abc import Iterable
from typing import Final, NamedTuple

from sakimori_detector.domain.intelligence.entries import Entry, Reading, Skipped
from sakimori_detector.domain.intelligence.formats import plain
from sakimori_detector.domain.intelligence.stock import Terms, gather
from sakimori_detector.domain.intelligence.table import Table
from sakimori_detector.sigma.documents import Problem

ALLOWED_LIST: Final = "allowed"
"""lists/allowed.txt: what is on it is no indicator, and nobody blocks it."""
FEEDS_LIST: Final = "feeds"
"""How a case of a rule names what feeds say; no file may be called so."""


class ListFile(NamedTuple):
    """What a list has; a line that is none of it is a problem, the rest is used."""

    entries: list[Entry]
    problems: list[Problem]


def read_list(path: str, text: str) -> ListFile:
    """Read a list. People wrote it, so nothing on it is guarded and nothing expires."""
    entries, problems = list[Entry](), list[Problem]()
    for found in plain.read(text.encode(), Reading()):
        if isinstance(found, Skipped):
            why = "neither address, network, domain, URL, hash nor mail address"
            problems.append(Problem(path, found.place, 1, why))
        else:
            entries.append(found)
    return ListFile(entries, problems)


def table_of(name: str, entries: Iterable[Entry]) -> Table:
    """Make the table of a list; rules that use it say themselves how sure they are."""
    return Table([gather(entries, Terms(name))])
