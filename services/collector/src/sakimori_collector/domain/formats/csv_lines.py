"""CSV with a header (RFC 4180; delimiter , ; tab or |): the first line names the columns.

A quoted field may hold delimiters and doubled quotes; line ends within one are not read.
"""

import csv
import re
from functools import lru_cache
from typing import Final

from sakimori_collector.domain.flat import MAX_OWN_FIELDS, Fields
from sakimori_collector.domain.format import Format, LineRejected, Record, Reference
from sakimori_collector.domain.generic import record_of

_DELIMITERS: Final = ",;\t|"
_MAX_HEADER: Final = 16_384
_MAX_DELIMITERS: Final = 4096
_NAME: Final = re.compile(r"[A-Za-z_@#][\w .@#()/-]{0,99}")
_TIMES: Final = frozenset(
    {"time", "timestamp", "@timestamp", "date", "datetime", "ts", "event_time", "eventtime", "start_time"}
)
_INTEGER: Final = re.compile(r"(?:0|-?[1-9]\d{0,17})")


def learn(line: str, context: str) -> str | None:
    """Take the first line; it may come again where files were joined."""
    if context:
        return context if line == context else None
    columns_of(line)
    return line


@lru_cache(maxsize=64)
def columns_of(header: str) -> tuple[str, tuple[str, ...]]:
    """Read a header: the delimiter that it has most of, and the names. Raises LineRejected."""
    if len(header) > _MAX_HEADER:
        raise LineRejected(f"a header of over {_MAX_HEADER} characters")
    delimiter = max(_DELIMITERS, key=header.count)
    names = tuple(name.strip() for name in _cells(header.removeprefix("\ufeff"), delimiter))
    if not 1 < len(names) <= MAX_OWN_FIELDS or len(set(names)) < len(names) or not all(names):
        raise LineRejected("no header of CSV: names of 2 to 192 columns, each once")
    return delimiter, names


def _cells(line: str, delimiter: str) -> list[str]:
    if line.count(delimiter) > _MAX_DELIMITERS:
        raise LineRejected(f"over {_MAX_DELIMITERS} columns")
    try:
        rows = list(csv.reader([line], delimiter=delimiter, strict=True))
    except csv.Error as error:
        raise LineRejected(f"not CSV: {error}") from None
    return rows[0] if len(rows) == 1 else []


def _parse(line: str, reference: Reference) -> list[Record]:
    if not reference.context:
        raise LineRejected("no header of CSV before this line")
    delimiter, names = columns_of(reference.context)
    cells = _cells(line, delimiter)
    if len(cells) != len(names):
        raise LineRejected(f"{len(cells)} columns, the header names {len(names)}")
    fields: Fields = {}
    for name, cell in zip(names, cells, strict=True):
        text = cell.strip()
        if text:
            fields[name] = int(text) if _INTEGER.fullmatch(text) else text
    if not fields:
        raise LineRejected("a line without a value")
    return [record_of(fields, reference)]


def _recognises(line: str, path: str) -> bool:
    """A header for sure: three names and more, one of them that of a time."""
    if len(line) > _MAX_HEADER or not any(delimiter in line for delimiter in _DELIMITERS):
        return False
    try:
        _, names = columns_of(line)
    except LineRejected:
        return False
    return len(names) > 2 and all(map(_NAME.fullmatch, names)) and not _TIMES.isdisjoint(name.lower() for name in names)


CSV: Final = Format("csv", _parse, _recognises, learn=learn)
