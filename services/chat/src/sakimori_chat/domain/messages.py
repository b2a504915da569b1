"""Messages of a room."""

from collections.abc import Sequence
from dataclasses import dataclass
from enum import StrEnum

import msgspec

from sakimori_chat.domain.identity import shown_as


class Kind(StrEnum):
    """Who speaks."""

    PERSON = "person"
    BOT = "bot"


class Draft(msgspec.Struct, frozen=True, array_like=True):
    """A message that is to be stored.

    `author_id` is an anonymous id, or a bot's id; `name` the display name (may be empty); `posted_at` RFC 3339. Where
    `is_private` only the author sees it: the author is muted, or the message is held for an operator. `fingerprint` is
    the author's keyed hash, for operators who ban whoever wrote a message.
    """

    author_id: str
    name: str
    text: str
    posted_at: str
    kind: Kind = Kind.PERSON
    is_private: bool = False
    fingerprint: str = ""


class Message(msgspec.Struct, frozen=True):
    """A message as readers get it; the author's id itself is never among it."""

    id: int
    author: str
    name: str
    text: str
    posted_at: str
    kind: Kind = Kind.PERSON

    @classmethod
    def of(cls, number: int, draft: Draft) -> "Message":
        """Number a stored draft."""
        author = draft.author_id if draft.kind is Kind.BOT else shown_as(draft.author_id)
        return cls(number, author, draft.name, draft.text, draft.posted_at, draft.kind)


class Page(msgspec.Struct, frozen=True):
    """A run of messages, oldest first.

    `next` is the number to ask from next time. `reset` says that the reader's number is from before the room was
    emptied: what it shows is gone and these are the messages from the start. `deleted` are the numbers that operators
    took away lately; who shows them takes them off.
    """

    messages: list[Message]
    next: int
    has_more: bool = False
    reset: bool = False
    deleted: list[int] = msgspec.field(default_factory=list)


def is_seen_by(draft: Draft, viewer_id: str | None) -> bool:
    """Tell whether a reader gets to see a message."""
    return not draft.is_private or draft.author_id == viewer_id


@dataclass(frozen=True, slots=True)
class Snapshot:
    """A room as of one moment: its messages by number, oldest first; what was lately taken away; the highest number."""

    entries: Sequence[tuple[int, Draft]]
    deleted: Sequence[int] = ()
    highest: int = 0


def page_of(entries: Sequence[tuple[int, Draft]], after: int, limit: int, viewer_id: str | None) -> Page:
    """Make the page of what follows a number: at most `limit` messages that the viewer may see.

    What is private to others takes no place on it, and `next` leads past it.
    """
    seen = [(number, draft) for number, draft in entries if number > after and is_seen_by(draft, viewer_id)]
    messages = [Message.of(number, draft) for number, draft in seen[:limit]]
    if len(seen) > limit:
        return Page(messages, messages[-1].id if messages else after, has_more=True)
    return Page(messages, max(after, entries[-1][0]) if entries else after)


def page_after(found: Snapshot, after: int, limit: int, viewer_id: str | None) -> Page:
    """Make the page for a reader who knows the room up to a number; `found` has at least what follows it.

    When the number is higher than any, the room was emptied since, and `found` has all there is.
    """
    reset = after > found.highest
    page = page_of(found.entries, 0 if reset else after, limit, viewer_id)
    return msgspec.structs.replace(page, reset=reset, deleted=list(found.deleted))
