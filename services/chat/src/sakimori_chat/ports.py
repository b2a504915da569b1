"""What the chat needs from outside."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Protocol

from sakimori_chat.domain.checks import Recent
from sakimori_chat.domain.enforcement import Measure
from sakimori_chat.domain.identity import Client
from sakimori_chat.domain.limits import Verdict
from sakimori_chat.domain.messages import Draft, Message, Page, Snapshot
from sakimori_chat.domain.occurrences import Occurrence
from sakimori_chat.domain.rooms import Room


class StoreUnavailable(Exception):
    """A store did not answer in time; nobody can be let in unchecked, so the request fails with 503."""


@dataclass(frozen=True, slots=True)
class Attempt:
    """Somebody wants to post: who, from where, in which room, under which slow mode."""

    client: Client
    anon_id: str
    room: str
    slow_seconds: float = 0.0


@dataclass(frozen=True, slots=True)
class Admission:
    """The gate's answer, whether the author is muted, and what was lately said in the room (newest last)."""

    verdict: Verdict
    is_muted: bool = False
    recent: Sequence[Recent] = ()


class Gate(Protocol):
    """Decides who may post. Every method raises StoreUnavailable."""

    async def admit(self, attempt: Attempt) -> Admission:
        """Check risk, blocks and rate in that order and count the post, all in one atomic step."""

    async def ban_seconds(self, anon_id: str) -> float:
        """Tell how long an identity is still banned; 0 when it is not."""

    async def enforce(self, measures: Sequence[Measure]) -> None:
        """Set and lift blocks; doing it twice changes nothing."""


class Rooms(Protocol):
    """Keeps the last messages of every room and tells all replicas of new ones. Every method raises StoreUnavailable.

    `viewer_id` is who reads: what is private is for its author alone.
    """

    async def append(self, room: str, draft: Draft, signature: bytes = b"") -> int:
        """Store a message and return its number; numbers of a room grow by one. `signature`: see Recent."""

    async def latest(self, room: str, limit: int, viewer_id: str | None) -> list[Message]:
        """Read the newest messages, oldest first."""

    async def after(self, room: str, number: int, limit: int, viewer_id: str | None) -> Page:
        """Read up to `limit` messages that follow a number, oldest first."""

    async def snapshot(self, room: str) -> Snapshot:
        """Read all that is kept of a room, as of one moment."""

    async def find(self, room: str, number: int) -> Draft | None:
        """Read one message with its author, for operators; None when it is gone."""

    async def delete(self, room: str, number: int) -> bool:
        """Take a message away everywhere; tells whether it was there."""

    async def release(self, room: str, number: int) -> int | None:
        """Show a held message to everybody, as a new one at the end; its number, None when it is gone."""

    async def check(self) -> None:
        """Return when the store answers."""


RoomListener = Callable[[str, Room | None], None]
"""Is told of a room that is new or has changed, or (None) that it was closed. Must return at once."""


class RoomDirectory(Protocol):
    """Knows the rooms and their policies; from memory, so that every post may ask."""

    def find(self, name: str) -> Room | None:
        """Find an open room; None when there is none of that name."""

    def all(self) -> Sequence[Room]:
        """List the open rooms, the lobby first, then by name."""

    def listen(self, listener: RoomListener) -> None:
        """Call `listener` for every change from now on, within a second of it, on this replica as on all others."""


class Reporter(Protocol):
    """Tells the rest of the system what happens here."""

    def report(self, occurrence: Occurrence) -> None:
        """Take note and return at once, whatever the state of the bus; never raises."""
