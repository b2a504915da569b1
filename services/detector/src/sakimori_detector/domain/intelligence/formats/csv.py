"""Rows with a column of indicators, as abuse.ch and others write them: comments first, one of them naming columns."""

import csv
from collections.abc import Iterator, Mapping, Sequence

from sakimori_detector.domain.intelligence.entries import (
    DocumentRefused,
    Entry,
    Reading,
    Skipped,
    confidence_of,
    instant_of,
    text_of,
)
from sakimori_detector.domain.intelligence.values import KIND_NAMES, MAX_CHARACTERS
from sakimori_detector.domain.intelligence.values import read as read_value

Places = Mapping[str, int]
"""Where, from 0, a row has what."""


def read(document: bytes, reading: Reading) -> Iterator[Entry | Skipped]:
    """Read it. Raises DocumentRefused when a column that is asked for by name is nowhere named."""
    lines = text_of(document).splitlines()
    places, header = _places(lines, reading)
    for number, line in enumerate(lines, start=1):
        if not line.strip() or line.lstrip().startswith("#") or number == header:
            continue
        row = _cells(line, reading.delimiter)
        if row is None or len(row) <= places["value"]:
            yield Skipped(number, "no such column in this row", is_foreign=True)
        else:
            yield _entry(number, row, places, reading)


def _entry(number: int, row: Sequence[str], places: Places, reading: Reading) -> Entry | Skipped:
    kind = reading.kind
    if "type" in places:
        kind = KIND_NAMES.get(_cell(row, places, "type").lower())
        if kind is None:
            return Skipped(number, "a type that is not matched")
    value = read_value(row[places["value"]], kind)
    if value is None:
        return Skipped(number, f"no {kind or 'indicator'}", is_foreign=True)
    return Entry(
        *value,
        valid_until=instant_of(_cell(row, places, "valid_until")),
        last_seen=instant_of(_cell(row, places, "last_seen")),
        confidence=confidence_of(_cell(row, places, "confidence")),
    )


def _cell(row: Sequence[str], places: Places, what: str) -> str:
    place = places.get(what)
    return row[place] if place is not None and place < len(row) else ""


def _cells(line: str, delimiter: str) -> list[str] | None:
    """Split a line; None for one that no CSV has. A row is a line: indicators hold no line breaks."""
    if len(line) > 16 * MAX_CHARACTERS:
        return None
    try:
        return [cell.strip() for cell in next(csv.reader([line], delimiter=delimiter, skipinitialspace=True))]
    except (csv.Error, StopIteration):
        return None


def _places(lines: Sequence[str], reading: Reading) -> tuple[Places, int]:
    """Find the columns: numbers as they are, names in the line, comment or not, that has them all; and that line."""
    asked = reading.columns or {"value": 1}
    names = {column.lower() for column in asked.values() if isinstance(column, str)}
    if not names:
        return {what: int(column) - 1 for what, column in asked.items()}, 0
    for number, line in enumerate(lines, start=1):
        cells = _cells(line.lstrip("# \t"), reading.delimiter) or []
        named = {cell.strip(' "').lower(): place for place, cell in enumerate(cells)}
        if names <= named.keys():
            return {
                what: column - 1 if isinstance(column, int) else named[column.lower()] for what, column in asked.items()
            }, number
    raise DocumentRefused(f"no line names the columns {', '.join(sorted(names))}")
