"""Whose request is worked on next: a few of each network at once, so that nobody waits behind another's burst."""

from collections import deque
from dataclasses import dataclass, field
from typing import Final, Generic, TypeVar

T = TypeVar("T")

AT_ONCE: Final = 2
"""While one waits for Valkey another one goes on; with more, the rest of the house would wait behind one network."""
MAX_WAITING: Final = 128
"""A little more than the door lets in at once; each is a request in memory."""


@dataclass(slots=True)
class _Source(Generic[T]):
    working: int = 0
    waiting: deque[T] = field(default_factory=deque)


class Turns(Generic[T]):
    """Gives each source a few turns at once; whoever comes later waits in order of arrival, by a ticket of its own.

    Remembers only sources with something under way.
    """

    def __init__(self, at_once: int = AT_ONCE, max_waiting: int = MAX_WAITING) -> None:
        self._at_once = at_once
        self._max_waiting = max_waiting
        self._sources: dict[str, _Source[T]] = {}

    def is_full(self, source: str) -> bool:
        """Tell whether so many wait that another one should be sent away."""
        known = self._sources.get(source)
        return known is not None and len(known.waiting) >= self._max_waiting

    def begins(self, source: str, ticket: T) -> bool:
        """Take a turn; False when the ticket has to wait until `ended` hands it out."""
        known = self._sources.setdefault(source, _Source())
        if known.working < self._at_once:
            known.working += 1
            return True
        known.waiting.append(ticket)
        return False

    def ended(self, source: str) -> T | None:
        """End a turn; gives the ticket that has the turn now, if one was waiting."""
        known = self._sources[source]
        if known.waiting:
            return known.waiting.popleft()
        known.working -= 1
        if not known.working:
            del self._sources[source]
        return None

    def withdrawn(self, source: str, ticket: T) -> bool:
        """Forget a ticket that waits; False when it does not, since it has got its turn."""
        known = self._sources.get(source)
        if known is None or ticket not in known.waiting:
            return False
        known.waiting.remove(ticket)
        return True
