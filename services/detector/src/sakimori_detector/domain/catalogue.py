"""First phase of loading: every document of every file, parsed, and found by `name` or `id`.

Nothing is compiled here, so a correlation may refer to rules of any file that is read.
"""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import PurePosixPath
from typing import Any, Final

from sigma.exceptions import SigmaError
from sigma.rule import SigmaRule

from sakimori_detector.domain.rules import Problem
from sakimori_detector.sigma import documents
from sakimori_detector.sigma.documents import Document, DocumentError, PathPart
from sakimori_detector.sigma.patterns import POLICY
from sakimori_detector.sigma.spellings import respelled

MAX_CONDITION_CHARACTERS: Final = 10_000
"""pySigma takes some 0.4 s for as many."""
_STAND_IN: Final[dict[str, Any]] = {
    "logsource": {"product": "any"},
    "detection": {"any": {"event.id|exists": True}, "condition": "any"},
}
"""What pySigma checks everything else of an analytic or a correlation with."""


class Refused(Exception):
    """A file is not used; says why and which part of which document it is about."""

    def __init__(self, document: Document, why: str, *path: PathPart) -> None:
        super().__init__(why)
        self.line, self.column = document.place(*path, mentioned=why)


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
        return next((kind for kind in ("correlation", "analytic") if kind in self.document.data), "detection")

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
        entries = [Entry(path, number, document, _parse(document)) for number, document in enumerate(found)]
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


def _parse(document: Document) -> SigmaRule:
    data = document.data
    if "correlation" in data or "analytic" in data:
        data = {**_STAND_IN, **{name: value for name, value in data.items() if name not in {"correlation", "analytic"}}}
        data["detection"] = _STAND_IN["detection"]
    detection = respelled(data.get("detection"))
    if isinstance(detection, dict) and "condition" in detection:
        _check_condition(document, detection["condition"])
    try:
        return SigmaRule.from_dict({**data, "detection": detection} if detection is not None else data, policy=POLICY)
    except SigmaError as error:
        raise refusal(document, error) from None
    except (TypeError, AttributeError, ValueError, KeyError, RecursionError) as error:
        raise Refused(document, f"not a Sigma rule: {error}") from None


def _check_condition(document: Document, given: Any) -> None:
    """Refuse what pySigma stumbles over, and what it would take long for."""
    conditions = given if isinstance(given, list) else [given]
    why = ""
    if not all(isinstance(condition, str) for condition in conditions):
        why = f"a condition is text, not '{given}'"
    elif sum(len(str(condition)) for condition in conditions) > MAX_CONDITION_CHARACTERS:
        why = f"the condition has over {MAX_CONDITION_CHARACTERS} characters"
    if why:
        raise Refused(document, why, "detection", "condition")


def refusal(document: Document, error: SigmaError) -> Refused:
    """Point at what a pySigma error is about; it says so by its class only."""
    why = str(error.args[0] if error.args else error)
    name = type(error).__name__.removeprefix("Sigma").removesuffix("Error").lower()
    path: tuple[PathPart, ...] = ("correlation",) if name.startswith("correlation") else _PARTS.get(name, (name,))
    return Refused(document, why, *path)


_PARTS: Final[dict[str, tuple[PathPart, ...]]] = {
    "condition": ("detection", "condition"),
    "identifier": ("id",),
    "modifier": ("detection",),
    "placeholder": ("detection",),
    "regularexpression": ("detection",),
    "rulenotfound": ("correlation", "rules"),
    "tag": ("tags",),
    "timespan": ("correlation", "timespan"),
    "type": ("detection",),
    "value": ("detection",),
}
