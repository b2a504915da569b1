"""First phase of loading: every document of every file, parsed, and found by `name` or `id`.

Nothing is compiled here, so a correlation may refer to rules of any file that is read.
"""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import PurePosixPath
from typing import Final

from sigma.rule import SigmaRule

from sakimori_detector.sigma import documents
from sakimori_detector.sigma.documents import Document, DocumentError, Problem
from sakimori_detector.sigma.parsing import Refused, parse

_OTHERS: Final = frozenset({"correlation", "analytic"})
"""What may stand in the place of a detection."""


@dataclass(frozen=True, slots=True, eq=False)
class Entry:
    """One document of one file. `rule` is pySigma's reading of it, without what a stand-in stands for."""

    path: str
    number: int
    document: Document
    rule: SigmaRule

    @property
    def kind(self) -> str:
        """Tell what stands in the place of the detection, if anything does."""
        return next((kind for kind in ("correlation", "analytic", "filter") if kind in self.document.data), "detection")

    @property
    def is_ours(self) -> bool:
        """Tell whether it has a `sakimori:` block."""
        return "sakimori" in self.document.data

    @property
    def stem(self) -> str:
        """The file's name without folder and suffix."""
        return PurePosixPath(self.path).stem


class Catalogue:
    """The entries of all files that could be read, in the order of their paths."""

    def __init__(self, files: Mapping[str, str]) -> None:
        self.files: dict[str, list[Entry]] = {}
        self.problems: list[Problem] = []
        self._by_key: dict[str, list[Entry]] = {}
        for path in sorted(files):
            try:
                entries = self._read(path, files[path])
            except (Refused, DocumentError) as error:
                self.problems.append(Problem(path, error.line, error.column, str(error)))
            else:
                self._add(path, entries)

    def __iter__(self) -> Iterator[Entry]:
        for entries in self.files.values():
            yield from entries

    def drop(self, path: str, error: Refused) -> None:
        """Use nothing of a file, for this reason."""
        del self.files[path]
        self.problems.append(Problem(path, error.line, error.column, str(error)))

    def candidates(self, reference: str, asking: Entry) -> list[Entry]:
        """List what a reference may mean: what its own file has, else what any has, refused or not."""
        found = self._by_key.get(reference.lower(), [])
        return [entry for entry in found if entry.path == asking.path] or found

    def find(self, reference: str, asking: Entry) -> Entry:
        """Find what a correlation refers to. Raises Refused: nowhere, in several files, or in one that is refused."""
        found = self.candidates(reference, asking)
        if not found:
            raise Refused(asking.document, f"no rule is named {reference!r}", "correlation", "rules")
        if len(found) > 1:
            places = ", ".join(entry.path for entry in found[:5])
            raise Refused(asking.document, f"several rules are named {reference!r}: {places}", "correlation", "rules")
        (entry,) = found
        if entry.path not in self.files:
            why = f"the rule {reference!r} is in {entry.path}, which is refused"
            raise Refused(asking.document, why, "correlation", "rules")
        return entry

    def _read(self, path: str, text: str) -> list[Entry]:
        found = documents.read(text)
        if not found:
            raise DocumentError("the file is empty", 1, 1)
        entries = [Entry(path, number, document, parse(document, _OTHERS)) for number, document in enumerate(found)]
        own: dict[str, int] = {}
        for entry in entries:
            self._refuse_repeated_id(entry, own)
        return entries

    def _refuse_repeated_id(self, entry: Entry, own: dict[str, int]) -> None:
        if entry.rule.id is None:
            return
        key = str(entry.rule.id).lower()
        earlier = [each.path for each in self._by_key.get(key, ()) if each.rule.id is not None]
        if earlier or key in own:
            where = earlier[0] if earlier else f"the rule in line {own[key]}"
            raise Refused(entry.document, f"the id '{key}' is that of {where}", "id")
        own[key] = entry.document.line

    def _add(self, path: str, entries: list[Entry]) -> None:
        self.files[path] = entries
        for entry in entries:
            for key in (entry.rule.name, entry.rule.id):
                if key is not None:
                    self._by_key.setdefault(str(key).lower(), []).append(entry)
