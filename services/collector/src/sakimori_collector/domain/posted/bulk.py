"""The body of Elasticsearch's bulk call: a line that says what to do, and for most a line with the document.

    {"create": {"_index": "logs-nginx.access-default"}}
    {"@timestamp": "...", "message": "..."}

Source: Elasticsearch's reference, "Bulk index or delete documents".
"""

import re
from dataclasses import dataclass
from functools import lru_cache
from typing import Any, Final

import msgspec

_OPERATIONS: Final = frozenset({"index", "create", "update", "delete"})
_WITHOUT_DOCUMENT: Final = "delete"
_DATA_STREAM: Final = re.compile(r"(?:logs|metrics|traces|synthetics)-([^-]{1,100})-[^-]{1,100}\Z")
"""Elastic's data stream naming scheme: type, dataset, namespace."""
MAX_ACTION_BYTES: Final = 4096

_decode: Final = msgspec.json.Decoder(dict[str, dict[str, Any]]).decode


class BulkError(ValueError):
    """The body is no bulk body; the message says which line and why."""


@dataclass(frozen=True, slots=True)
class Item:
    """One thing to do. `place` is the number of the document's line; None where there is none."""

    operation: str
    index: str
    id: str
    place: int | None = None
    document: bytes = b""


def items_of(body: bytes, index: str) -> list[Item]:
    """Take a body apart; `index` is for actions that name none. Raises BulkError: then nothing of it is taken.

    It must end with a newline, as Elasticsearch demands: one that was cut off does not.
    """
    if body and not body.endswith(b"\n"):
        number = body.count(b"\n") + 1
        raise BulkError(f"line {number}: the body must be terminated by a newline")
    items: list[Item] = []
    lines = enumerate(body.split(b"\n"), start=1)
    for number, line in lines:
        if not line or line.isspace():
            continue
        action = _action(line, number) if len(line) <= MAX_ACTION_BYTES else None
        if action is None:
            raise BulkError(f"line {number}: an action of over {MAX_ACTION_BYTES} bytes")
        operation, named, identity = action
        if operation == _WITHOUT_DOCUMENT:
            items.append(Item(operation, named or index, identity))
            continue
        place, document = next(lines, (0, b""))
        if not document.strip():
            raise BulkError(f"line {number}: {operation} without its document")
        items.append(Item(operation, named or index, identity, place, document))
    return items


def dataset_of(index: str) -> str:
    """Read the dataset in the name of a data stream, empty where there is none or it says nothing."""
    match = _DATA_STREAM.match(index)
    return match[1] if match is not None and match[1] != "generic" else ""


def _action(line: bytes, number: int) -> tuple[str, str, str]:
    try:
        return _read_action(line)
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError, ValueError) as error:
        raise BulkError(f"line {number}: malformed action/metadata: {error}") from None


@lru_cache(maxsize=1024)
def _read_action(line: bytes) -> tuple[str, str, str]:
    """Read operation, index and id; those of a shipper are nearly all the same text."""
    action = _decode(line)
    if len(action) != 1:
        raise ValueError(f"one of {', '.join(sorted(_OPERATIONS))} is expected")
    [(operation, what)] = action.items()
    if operation not in _OPERATIONS:
        raise ValueError(f"unknown action {operation[:32]!r}")
    index, identity = what.get("_index"), what.get("_id")
    return (
        operation,
        index[:255] if isinstance(index, str) else "",
        str(identity)[:512] if isinstance(identity, str | int) else "",
    )
