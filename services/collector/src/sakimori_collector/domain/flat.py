"""Nested objects to flat fields, within bounds."""

from collections.abc import Mapping
from typing import Any, Final

import msgspec

from sakimori_common.contracts import FieldValue
from sakimori_common.contracts.event import MAX_FIELDS

MAX_DEPTH: Final = 16
MAX_OWN_FIELDS: Final = 192
"""Of one line: an event holds 256, and the stamps and what enrichment adds need room."""
MAX_NAME_CHARACTERS: Final = 256
REST: Final = "sakimori.log.rest"
ENVELOPE: Final = frozenset({"@timestamp", "event.id", "event.dataset"})
"""What an event has beside its fields."""
_LARGEST: Final = (1 << 64) - 1
_SMALLEST: Final = -(1 << 63)

Fields = dict[str, FieldValue]
_encode = msgspec.json.Encoder().encode


def put_flat(into: Fields, prefix: str, value: Mapping[str, Any]) -> None:
    """Write all of an object under `prefix` (with its dot, or empty), nested objects joined with dots.

    A list of objects becomes a list per key, as Elasticsearch reads one. What is deeper than 16 objects is kept as
    JSON, and so are, together in `sakimori.log.rest`, the fields beyond the 192nd. Null is left out; an integer beyond
    64 bits is kept as text.
    """
    rest: dict[str, Any] = {}
    _put(into, prefix, value, 0, rest)
    if rest:
        into[REST] = json_text(rest)


def put_unclaimed(into: Fields, value: Mapping[str, Any]) -> None:
    """Write an object under its own names; what is known already, and what only the reader says, stays as it is."""
    flat: Fields = {}
    put_flat(flat, "", value)
    for name, item in flat.items():
        if name not in ENVELOPE:
            into.setdefault(name, item)


def _put(into: Fields, prefix: str, value: Mapping[str, Any], depth: int, rest: dict[str, Any]) -> None:
    for key, item in value.items():
        if item is None:
            continue
        name = prefix + key if 0 < len(key) <= MAX_NAME_CHARACTERS else prefix + (key[:MAX_NAME_CHARACTERS] or "_")
        kind = type(item)
        if len(into) >= MAX_OWN_FIELDS and name not in into:
            rest[name] = item
        elif kind is str:  # most are
            into[name] = item
        elif kind is dict:
            if depth >= MAX_DEPTH or len(name) > 2 * MAX_NAME_CHARACTERS:
                into[name] = json_text(item)
            else:
                _put(into, name + ".", item, depth + 1, rest)
        elif kind is list:
            _put_list(into, name, item, depth, rest)
        else:
            into[name] = scalar(item)


def _put_list(into: Fields, name: str, items: list[Any], depth: int, rest: dict[str, Any]) -> None:
    if not items:
        return
    kept = items[:MAX_FIELDS]
    if all(type(item) is dict for item in kept):
        if depth >= MAX_DEPTH:
            into[name] = json_text(items)
            return
        columns: Fields = {}
        for item in kept:
            _gather(columns, name + ".", item, depth + 1)
        for column, values in columns.items():
            if len(into) >= MAX_OWN_FIELDS:
                rest[column] = values
            else:
                into[column] = values
    else:
        into[name] = [
            json_text(item) if type(item) in {dict, list} else scalar(item) for item in kept if item is not None
        ]


def _gather(columns: Fields, prefix: str, item: Mapping[str, Any], depth: int) -> None:
    flat: Fields = {}
    _put(flat, prefix, item, depth, {})
    for column, value in flat.items():
        values = columns.setdefault(column, [])
        if isinstance(values, list) and len(values) < MAX_FIELDS:
            values.extend(value if isinstance(value, list) else [value])
            del values[MAX_FIELDS:]


def scalar(item: Any) -> str | int | float | bool:
    """Make one value of JSON a field value."""
    if isinstance(item, int) and not _SMALLEST <= item <= _LARGEST:
        return str(item)
    if isinstance(item, str | int | float | bool):
        return item
    return json_text(item)


def json_text(value: Any) -> str:
    """Write JSON, compact."""
    return _encode(value).decode()


def rename(fields: Fields, names: Mapping[str, str]) -> None:
    """Give the fields that `names` knows the names it has for them; a field that is there already is not replaced."""
    for name in [name for name in fields if name in names]:
        if names[name] not in fields:
            fields[names[name]] = fields.pop(name)
