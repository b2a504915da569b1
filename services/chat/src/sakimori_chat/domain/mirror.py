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
    """What listeners were not told yet: messages by number, oldest first; numbers of those taken away."""

    messages: Sequence[tuple[int, Draft]] = ()
    deleted: Sequence[int] = ()


class RoomMirror:
    """Follows a room by what replicas publish of it, and knows up to which number the listeners were told.

    Numbers grow by one, so a hole shows; a number that comes again with other words means that the room was emptied.
    """

    def __init__(self, snapshot: Snapshot) -> None:
        self._entries: dict[int, Draft] = {}
        self._deleted: list[int] = []
        self._news: list[tuple[int, Draft]] = []
        self._news_deleted: list[int] = []
        self._last = self._told = 0
        self._load(snapshot)

    @property
    def told(self) -> int:
        """Give the number up to which listeners know everything."""
        return self._told

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
        self._news = [(known, draft) for known, draft in self._news if known != number]
        self._news_deleted.append(number)

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

    @property
    def has_news(self) -> bool:
        """Tell whether there is anything to tell."""
        return bool(self._news or self._news_deleted) or self._told < self._last

    @property
    def waiting(self) -> int:
        """Count the messages that listeners were not told yet."""
        return len(self._news)

    def news(self) -> News:
        """Take what listeners were not told yet; from now on they were."""
        news = News(self._news, self._news_deleted)
        self._told, self._news, self._news_deleted = self._last, [], []
        return news

    def page(self, after: int | None, limit: int, viewer_id: str | None) -> Page:
        """Make the page of who joins: all told messages after a number, or the newest `limit`.

        Later ones come as news. A number that is not told yet is from before the room began anew.
        """
        told = [(number, draft) for number, draft in self._entries.items() if number <= self._told]
        reset = after is not None and after > self._told
        messages = page_of(told, 0 if after is None or reset else after, len(told), viewer_id).messages
        if after is None:
            return Page(messages[-limit:], self._told)
        return Page(messages, self._told, reset=reset, deleted=list(self._deleted))

    def _load(self, snapshot: Snapshot) -> None:
        self._entries = dict(snapshot.entries)
        self._last = self._told = snapshot.highest
        self._deleted = list(snapshot.deleted)
        self._news, self._news_deleted = [], []

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
