"""Values of the placeholders that rules name with `|expand`: from placeholders.yml, else from a list of that name."""

from collections.abc import Mapping, Sequence
from pathlib import PurePosixPath
from typing import Final

from sakimori_detector.sigma import documents
from sakimori_detector.sigma.compiling import MAX_PLACEHOLDER_VALUES
from sakimori_detector.sigma.documents import Document, DocumentError, Problem

PLACEHOLDERS_PATH: Final = "placeholders.yml"
"""Relative to the rules' folder: a map of names to a value or a list of values, in which wildcards count."""


def read_placeholders(text: str | None, lists: Mapping[str, str], problems: list[Problem]) -> dict[str, Sequence[str]]:
    """Read the file and the lists; what is wrong goes to `problems`, the rest is used."""
    found: dict[str, Sequence[str]] = {}
    for path, entries in lists.items():
        values = [value for line in entries.splitlines() if (value := line.partition("#")[0].strip())]
        if 0 < len(values) <= MAX_PLACEHOLDER_VALUES:
            found[PurePosixPath(path).stem] = values
    try:
        for document in documents.read(text or ""):
            _add(document, found, problems)
    except DocumentError as error:
        problems.append(Problem(PLACEHOLDERS_PATH, error.line, error.column, str(error)))
    return found


def _add(document: Document, found: dict[str, Sequence[str]], problems: list[Problem]) -> None:
    for name, given in document.data.items():
        values = given if isinstance(given, list) else [given]
        why = ""
        if not values or not all(isinstance(value, str | int | float) for value in values):
            why = f"the placeholder '{name}' needs a value or a list of values"
        elif len(values) > MAX_PLACEHOLDER_VALUES:
            why = f"the placeholder '{name}' has over {MAX_PLACEHOLDER_VALUES} values"
        if why:
            problems.append(Problem(PLACEHOLDERS_PATH, *document.place(name), why))
        else:
            found[str(name)] = [str(value) for value in values]
