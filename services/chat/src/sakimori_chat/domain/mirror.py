"""One room in memory, as the store has it: so that joining, resuming and telling thousands need no store."""

from collections.abc import Sequence
from dataclasses import dataclass
from enum import Enum, auto
from itertools import islice

from sakimori_chat.domain.messages import Draft, Page, Snapshot, page_of

KEPT_MESSAGES = 200
KEPT_DELETIONS = 100


class Taken(Enum):
    """What became of a message that was heard of."""

    NEW = auto()
    KNOWN = auto()
    UNSURE = auto()
    """It does not follow what is known: something was missed, or the room began anew. Only a snapshot can tell."""


@dataclass(frozen=True, slots=True)
class News:
    """What a listener was not told yet: messages by number, oldest first; numbers of those taken away.

    `next` is the number up to which the listener then knows everything.
    """

    messages: Sequence[tuple[int, Draft]] = ()
    deleted: Sequence[int] = ()
    next: int = 0


class RoomMirror:
    """Follows a room by what replicas publish of it, and keeps what happened for listeners who were not told yet.

    Each knows by a place how far it was told: `head` is the place behind all there is, and places only grow.
    Numbers of messages grow by one, so a hole shows; a number that comes again with other words means that the room
    was emptied.
    """

    def __init__(self, snapshot: Snapshot) -> None:
        self._entries: dict[int, Draft] = {}
        self._deleted: list[int] = []
        self._news: list[tuple[int, Draft | None]] = []
        """Messages; None where one was taken away."""
        self._begin = 0
        self._last = 0
        self._load(snapshot)

    @property
    def head(self) -> int:
        """Give the place of who knows everything."""
        return self._begin + len(self._news)

    @property
    def waiting(self) -> int:
        """Count the news that are kept for those who were not told yet."""
        return len(self._news)

    def take(self, number: int, draft: Draft) -> Taken:
        """Hear of a message."""
        if number == self._last + 1:
            self._last = number
            self._entries[number] = draft
            self._news.append((number, draft))
            for old in list(islice(self._entries, max(0, len(self._entries) - KEPT_MESSAGES))):
                del self._entries[old]
            return Taken.NEW
        return Taken.KNOWN if number <= self._last and self._is_old(number, draft) else Taken.UNSURE

    def remove(self, number: int) -> None:
        """Hear that a message was taken away."""
        self._entries.pop(number, None)
        self._remember_deleted([number])
        self._news = [(known, None if known == number else draft) for known, draft in self._news]
        self._news.append((number, None))

    def resume(self, snapshot: Snapshot) -> bool:
        """Catch up with the store after something may have been missed; True when the room began anew.

        Then all that listeners show is void and `page` has what there is; else `news` has what was missed.
        """
        if self._began_anew(snapshot):
            self._load(snapshot)
            return True
        there = {number for number, _ in snapshot.entries}
        oldest = min(there, default=0)
        gone = {number for number in self._entries if oldest <= number <= snapshot.highest and number not in there}
        for number in sorted(gone | (set(snapshot.deleted) - set(self._deleted))):
            self.remove(number)
        missed = [(number, draft) for number, draft in snapshot.entries if number > self._last]
        self._last = max(self._last, snapshot.highest)
        self._entries = {number: draft for number, draft in self._entries.items() if number >= oldest} | dict(missed)
        self._news += missed
        return False

    def news(self, since: int) -> News:
        """Give what follows a place; what was taken away meanwhile is not told any more."""
        news = self._news[max(0, since - self._begin) :]
        messages = [(number, draft) for number, draft in news if draft is not None]
        return News(messages, list(dict.fromkeys(number for number, draft in news if draft is None)), self._last)

    def forget(self, until: int) -> None:
        """Keep no longer what stands before a place: everybody was told."""
        gone = min(max(0, until - self._begin), len(self._news))
        del self._news[:gone]
        self._begin += gone

    def page(self, after: int | None, limit: int, viewer_id: str | None) -> Page:
        """Make the page of who joins: all messages after a number, or the newest `limit`; what follows is news.

        A number that is not there yet is from before the room began anew.
        """
        entries = list(self._entries.items())
        reset = after is not None and after > self._last
        messages = page_of(entries, 0 if after is None or reset else after, len(entries), viewer_id).messages
        if after is None:
            return Page(messages[-limit:], self._last)
        return Page(messages, self._last, reset=reset, deleted=list(self._deleted))

    def anew(self, viewer_id: str | None) -> Page:
        """Make the page of who is to forget all that it knows."""
        return self.page(self._last + 1, KEPT_MESSAGES, viewer_id)

    def _load(self, snapshot: Snapshot) -> None:
        self._entries = dict(snapshot.entries)
        self._last = snapshot.highest
        self._deleted = list(snapshot.deleted)
        self._begin, self._news = self.head + 1, []  # nobody is there yet

    def _began_anew(self, snapshot: Snapshot) -> bool:
        if snapshot.highest < self._last:
            return True
        # All that is kept up to the last number is known here, and what was taken away does not come back.
        return any(self._entries.get(number) != draft for number, draft in snapshot.entries if number <= self._last)

    def _is_old(self, number: int, draft: Draft) -> bool:
        """Tell a message that comes late from one that begins the room anew under the same number."""
        if number in self._entries:
            return self._entries[number] == draft
        newest = next(reversed(self._entries.values()), None)
        return newest is not None and draft.posted_at <= newest.posted_at

    def _remember_deleted(self, numbers: Sequence[int]) -> None:
        self._deleted = [*numbers, *(known for known in self._deleted if known not in numbers)][:KEPT_DELETIONS]
