"""What a kind of JSON log is: a source known by the keys of its objects."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import msgspec

from sakimori_collector.domain.format import LineRejected, Record, Reference

Object = dict[str, Any]

_decode = msgspec.json.Decoder().decode


@dataclass(frozen=True, slots=True)
class JsonKind:
    """One source that logs JSON. `name` is its format, and the dataset of its events unless they say another.

    `is_meant` tells an object of this kind by a look at its keys, given the path of the file, too; it is asked for
    every object that is of no kind before it, so it is a look-up or two. `read` gives the events in an object; it
    raises LineRejected and nothing else, for any object. `key`, where it is not empty, is one that no object of
    this kind is without: only objects that have it are shown to `is_meant`.
    """

    name: str
    key: str
    is_meant: Callable[[Object, str], bool]
    read: Callable[[Object, Reference], list[Record]]


def decode_object(text: str) -> Object:
    """Read a JSON object. Raises LineRejected: no JSON, no object, nested too deep (some 1,000 levels).

    Of a key that comes twice the last counts, as in every browser.
    """
    try:
        value = _decode(text)
    except (msgspec.DecodeError, UnicodeError) as error:
        raise LineRejected(f"not JSON: {error}") from None
    except RecursionError:
        raise LineRejected("not JSON: nested too deep") from None
    if not isinstance(value, dict):
        raise LineRejected(f"a JSON object is expected, not {type(value).__name__}")
    return value


def nested(value: object, *keys: str) -> Any:
    """Read what stands under keys within one another; None where one of them is missing."""
    for key in keys:
        value = value.get(key) if isinstance(value, dict) else None
    return value


def text_of(value: object) -> str | None:
    """Give a text that says something; None for anything else, `-` included."""
    return value if isinstance(value, str) and value and value != "-" else None


def number_of(value: object) -> int | None:
    """Give a whole number that is not negative, also one that is written as text; None for anything else."""
    if isinstance(value, bool):
        return None
    if isinstance(value, int):
        return value if 0 <= value < 1 << 63 else None
    if isinstance(value, float):
        return int(value) if 0 <= value < 1 << 53 else None
    return (
        int(value) if isinstance(value, str) and 0 < len(value) <= 18 and value.isascii() and value.isdigit() else None
    )
