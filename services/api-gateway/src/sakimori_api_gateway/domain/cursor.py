"""Keyset paging: where a page ended, so that the next begins there whatever came or changed in between."""

import base64
import binascii
import uuid
from enum import StrEnum

import msgspec

from sakimori_common.instants import LATEST


class Sort(StrEnum):
    """Orders of a list of findings."""

    SEVERITY = "severity"
    """The most severe first, among equals the oldest, which has waited longest (S1-67)."""
    NEWEST = "newest"


class CursorError(ValueError):
    """A cursor is none that this API gave out for this order."""


class Cursor(msgspec.Struct, frozen=True, array_like=True, forbid_unknown_fields=True):
    """The last row of a page. `created_at` in microseconds since the epoch; `rank` as `Severity.rank`."""

    sort: Sort
    rank: int
    created_at: int
    id: str


def write_cursor(cursor: Cursor) -> str:
    """Write a cursor as the opaque text that clients hand back."""
    return base64.urlsafe_b64encode(msgspec.json.encode(cursor)).rstrip(b"=").decode()


def read_cursor(text: str, sort: Sort) -> Cursor:
    """Read a cursor. Raises CursorError when it is none, or one of another order."""
    try:
        raw = base64.b64decode(text + "=" * (-len(text) % 4), altchars=b"-_", validate=True)
        cursor = msgspec.json.decode(raw, type=Cursor)
    except (binascii.Error, msgspec.DecodeError, UnicodeError, ValueError):
        raise CursorError("cursor: not one that this API gave out") from None
    if cursor.sort is not sort:
        raise CursorError(f"cursor: it belongs to sort={cursor.sort.value}")
    return cursor


def write_place(at: int, event_id: str) -> str:
    """Write where a list ordered by instant (microseconds) and id ended."""
    return base64.urlsafe_b64encode(msgspec.json.encode((at, event_id))).rstrip(b"=").decode()


def read_place(text: str) -> tuple[int, str]:
    """Read what `write_place` wrote. Raises CursorError when it is none."""
    try:
        raw = base64.b64decode(text + "=" * (-len(text) % 4), altchars=b"-_", validate=True)
        at, event_id = msgspec.json.decode(raw, type=tuple[int, str])
        uuid.UUID(event_id)
        if not 0 <= at <= LATEST:
            raise CursorError("cursor: not one that this API gave out")
    except (binascii.Error, msgspec.DecodeError, UnicodeError, ValueError):
        raise CursorError("cursor: not one that this API gave out") from None
    return at, event_id
