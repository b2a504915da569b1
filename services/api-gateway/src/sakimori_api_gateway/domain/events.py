"""Stored events as the API shows them."""

from typing import Any, Final

import msgspec

_PUNCTUATION: Final = str.maketrans(dict.fromkeys("/.:;,=?&%+-_\"'()[]{}<>|\\@#!*$~^`", " "))
"""What `collector.words_of` takes for spaces."""


class EventPage(msgspec.Struct, frozen=True, kw_only=True):
    """Events, the latest first, each a flat object in Elastic Common Schema names, plus `sakimori.severity`.

    `next_cursor` is None when the search reached `since`. With `is_complete` false the search took too long and ended
    at `searched_until`: the page has what was found until there, and the cursor goes on from it.
    """

    events: list[dict[str, Any]]
    searched_until: str
    is_complete: bool = True
    next_cursor: str | None = None


class EventQuery(msgspec.Struct, frozen=True, kw_only=True):
    """Which events to list; several filters must all hold.

    `since` and `until`, in microseconds, bound when they happened; `after` is where the last page ended. Each part of
    `text` between spaces must occur as it is, made of whole words.
    """

    since: int
    until: int
    dataset: str | None = None
    source_ip: str | None = None
    user_name: str | None = None
    action: str | None = None
    outcome: str | None = None
    severity: str | None = None
    host: str | None = None
    text: str | None = None
    after: tuple[int, str] | None = None
    limit: int = 100


class EventRows(msgspec.Struct, frozen=True, kw_only=True):
    """What a search found: `searched_until` in microseconds; `is_complete` tells that it found all up to the limit."""

    events: list[dict[str, Any]]
    places: list[tuple[int, str]]
    searched_until: int
    is_complete: bool


def words_in(text: str) -> str:
    """Write a text as words with spaces between; empty when it has none."""
    return " ".join(text.translate(_PUNCTUATION).split())
