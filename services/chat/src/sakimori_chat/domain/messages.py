"""Messages of the room."""

import msgspec

from sakimori_chat.domain.identity import shown_as


class Draft(msgspec.Struct, frozen=True, array_like=True):
    """A message that is to be stored: the author's anonymous id, the display name (may be empty), text, RFC 3339."""

    author_id: str
    name: str
    text: str
    posted_at: str


class Message(msgspec.Struct, frozen=True):
    """A message as readers get it; the author's id itself is never among it."""

    id: int
    author: str
    name: str
    text: str
    posted_at: str

    @classmethod
    def of(cls, number: int, draft: Draft) -> "Message":
        """Number a stored draft."""
        return cls(number, shown_as(draft.author_id), draft.name, draft.text, draft.posted_at)


class Page(msgspec.Struct, frozen=True):
    """A run of messages, oldest first.

    `next` is the number to ask from next time. `reset` says that the reader's number is from before the room was
    emptied: what it shows is gone and these are the messages from the start.
    """

    messages: list[Message]
    next: int
    has_more: bool = False
    reset: bool = False
