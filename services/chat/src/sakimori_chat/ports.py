"""What the chat needs from outside."""

from collections.abc import AsyncIterator, Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Protocol

from sakimori_chat.domain.bans import Ban
from sakimori_chat.domain.checks import Recent
from sakimori_chat.domain.enforcement import Measure
from sakimori_chat.domain.feed import FeedEvent
from sakimori_chat.domain.held import Held
from sakimori_chat.domain.identity import Client
from sakimori_chat.domain.limits import Verdict
from sakimori_chat.domain.messages import Draft, Page, Snapshot
from sakimori_chat.domain.moderation import Mute
from sakimori_chat.domain.occurrences import Occurrence
from sakimori_chat.domain.rooms import Room, RoomRecord


class StoreUnavailable(Exception):
    """A store did not answer in time; nobody can be let in unchecked, so the request fails with 503."""


@dataclass(frozen=True, slots=True)
class Attempt:
    """Somebody wants to post: who, from where, in which room, under which slow mode.

    `wants_recent` asks for what was lately said in the room.
    """

    client: Client
    anon_id: str
    room: str
    slow_seconds: float = 0.0
    wants_recent: bool = True


@dataclass(frozen=True, slots=True)
class Admission:
    """The gate's answer, whether the author is muted, and what was lately said in the room (newest last)."""

    verdict: Verdict
    is_muted: bool = False
    recent: Sequence[Recent] = ()


@dataclass(frozen=True, slots=True)
class Seen:
    """What a reader gets to see of a room, and how long the reader is still banned (0: not)."""

    page: Page
    ban_seconds: float


class Reader(Protocol):
    """Reads a room for one person, as of one moment. Every method raises StoreUnavailable.

    `viewer_id` is who reads, as for Rooms; None is nobody in particular.
    """

    async def after(self, room: str, number: int, limit: int, viewer_id: str | None) -> Seen:
        """Read up to `limit` messages that follow a number, oldest first."""

    async def latest(self, room: str, limit: int, viewer_id: str | None) -> Seen:
        """Read the newest messages, oldest first."""


class Gate(Protocol):
    """Decides who may post. Every method raises StoreUnavailable."""

    async def admit(self, attempt: Attempt) -> Admission:
        """Check risk, blocks, newcomers, rate and slow mode in that order and count the post, in one atomic step."""

    async def ban_seconds(self, anon_id: str) -> float:
        """Tell how long an identity is still banned; 0 when it is not."""

    async def enforce(self, measures: Sequence[Measure]) -> None:
        """Set and lift blocks and throttles, and tell all replicas; doing it twice changes nothing."""


class HeldMessages(Protocol):
    """The queue of messages that wait for an operator. Every method raises StoreUnavailable."""

    async def hold(self, held: Held) -> None:
        """Put a message into the queue; the oldest leaves when there are too many."""

    async def waiting(self, limit: int) -> list[Held]:
        """Read the queue, newest first."""

    async def settle(self, room: str, number: int) -> bool:
        """Take a message out, since it was released or deleted; tells whether it was there."""


class RoomSnapshots(Protocol):
    """Reads a whole room; of Rooms, what the hub needs."""

    async def snapshot(self, room: str) -> Snapshot:
        """Read all that is kept of a room, as of one moment. Raises StoreUnavailable."""


class Rooms(RoomSnapshots, Protocol):
    """Keeps the last messages of every room and tells all replicas of new ones. Every method raises StoreUnavailable.

    `viewer_id` is who reads: what is private is for its author alone.
    """

    async def append(self, room: str, draft: Draft, signature: bytes = b"") -> int:
        """Store a message and return its number; numbers of a room grow by one. `signature`: see Recent."""

    async def after(self, room: str, number: int, limit: int, viewer_id: str | None) -> Page:
        """Read up to `limit` messages that follow a number, oldest first."""

    async def find(self, room: str, number: int) -> Draft | None:
        """Read one message with its author, for operators; None when it is gone."""

    async def delete(self, room: str, number: int) -> bool:
        """Take a message away everywhere; tells whether it was there."""

    async def release(self, room: str, number: int) -> int | None:
        """Show a held message to everybody, as a new one at the end; its number, None when it is gone."""

    async def recent(self, room: str) -> list[Recent]:
        """Read the signatures of what was lately said, newest last."""

    async def check(self) -> None:
        """Return when the store answers."""


RoomListener = Callable[[str, Room | None], None]
"""Is told of a room that is new or has changed, or (None) that it was closed. Must return at once."""


class RoomFeed(Protocol):
    """What all replicas publish about rooms and measures."""

    def events(self) -> AsyncIterator[FeedEvent]:
        """Hear everything from Opened on, in the order in which it happened, until Lost; then Opened again, for ever.

        Never raises because Valkey is away.
        """


class Outlet(Protocol):
    """A connection to somebody who listens."""

    def write(self, frame: bytes) -> bool:
        """Send a ready frame without waiting; False when too much waits for this listener already."""

    def close(self, code: int, reason: str = "") -> None:
        """End the connection; doing it twice changes nothing."""


class RoomDirectory(Protocol):
    """Knows the rooms and their policies; from memory, so that every post may ask."""

    def find(self, name: str) -> Room | None:
        """Find an open room; None when there is none of that name."""

    def all(self) -> Sequence[Room]:
        """List the open rooms, the lobby first, then by name."""

    def listen(self, listener: RoomListener) -> None:
        """Call `listener` for every change from now on, within a second of it, on this replica as on all others."""


class NoSuchRoom(Exception):
    """There is no room of that name."""


class RoomTaken(Exception):
    """There is a room of that name already."""


class LobbyStays(Exception):
    """The lobby is always there."""


class TooManyRooms(Exception):
    """As many rooms are open as may be."""


class RoomRegistry(Protocol):
    """Rooms as operators make them; every RoomDirectory learns of a change. `by` is the operator's name.

    Every method raises StoreUnavailable when the database does not answer.
    """

    async def all(self) -> list[RoomRecord]:
        """List rooms, the lobby first, those that are closed last."""

    async def create(self, name: str, changes: Mapping[str, Any], by: str) -> RoomRecord:
        """Open a room with the default policy but for `changes`. Raises PolicyError, RoomTaken, TooManyRooms."""

    async def change(
        self, name: str, changes: Mapping[str, Any], is_open: bool | None, by: str
    ) -> tuple[RoomRecord, RoomRecord]:
        """Merge `changes` into a policy, open or close (None: neither); the room before and after.

        Raises PolicyError, NoSuchRoom, LobbyStays, TooManyRooms.
        """


class Mutes(Protocol):
    """Who is shadow-muted: an identity whose messages it alone sees. Every method raises StoreUnavailable."""

    async def find(self, anon_id: str) -> Mute | None:
        """Look up a mute; None when there is none, or none any more."""

    async def all(self, limit: int) -> list[Mute]:
        """List mutes, those that last longest first."""

    async def mute(self, mute: Mute) -> None:
        """Mute from now on for so many seconds, whatever was before."""

    async def unmute(self, anon_id: str) -> bool:
        """End a mute; tells whether there was one."""


class Bans(Protocol):
    """What blocks and throttles are in force, whoever set them."""

    async def all(self, limit: int) -> list[Ban]:
        """List them, those that last longest first. Raises StoreUnavailable."""


class Risks(Protocol):
    """What the detector has added up against fingerprints. Every method raises StoreUnavailable."""

    async def risk(self, fingerprint: str) -> float:
        """Tell a risk; 0 when there is none."""

    async def reset(self, fingerprint: str) -> bool:
        """Forget a risk; tells whether there was one."""


class Reporter(Protocol):
    """Tells the rest of the system what happens here."""

    def report(self, occurrence: Occurrence) -> None:
        """Take note and return at once, whatever the state of the bus; never raises."""
