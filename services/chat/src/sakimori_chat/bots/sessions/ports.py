"""What sessions of bots need from outside."""

from collections.abc import Callable, Collection, Mapping, Sequence
from contextlib import AbstractContextManager
from dataclasses import dataclass
from typing import Protocol

from sakimori_chat.domain.messages import Page


@dataclass(frozen=True, slots=True)
class Heartbeat:
    """A ping that a bot answered (or, `rtt_seconds` None, that it did not), and how it says it is doing.

    `at` is in seconds since the epoch.
    """

    bot_id: str
    at: float
    rtt_seconds: float | None
    memory_bytes: int | None = None
    queue: int | None = None
    rooms: int | None = None


@dataclass(frozen=True, slots=True)
class Presence:
    """A bot's session as operators see it: open since `opened_at`, or (`ended_at`) over, for the reason `ending`."""

    bot_id: str
    session_id: str
    transport: str
    opened_at: float
    ended_at: float | None = None
    ending: str = ""


class SessionClaims(Protocol):
    """What the replicas agree on. Every method raises StoreUnavailable."""

    async def connect(self, network: str) -> float:
        """Count a connection of an address; the seconds that it has to wait, 0 when it may come in."""

    async def reconnect(self, bot_id: str) -> float:
        """Count a session of a bot; the seconds that it has to wait, 0 when it may come in."""

    async def claim(self, bot_id: str, session_id: str) -> None:
        """Make this the session of a bot; an older one, wherever it is, has lost it."""

    async def renew(self, sessions: Mapping[str, str]) -> set[str]:
        """Go on holding sessions (by bot); the bots whose session is another now."""

    async def blocked(self, addresses: Collection[str]) -> set[str]:
        """Tell which of these addresses a decision blocks."""

    async def release(self, bot_id: str, session_id: str) -> None:
        """Give a session up, unless another holds the bot already."""


class Heartbeats(Protocol):
    """Keeps how bots are doing."""

    async def store(self, heartbeats: Sequence[Heartbeat], presences: Sequence[Presence]) -> None:
        """Keep them; of a session the last word counts. Raises StoreUnavailable."""


class RoomNews(Protocol):
    """Says what is new in a room, from memory."""

    def watch(self, room: str, wake: Callable[[], None]) -> AbstractContextManager[None]:
        """Call `wake` whenever there is something new, until the block ends."""

    async def since(self, room: str, number: int) -> Page:
        """Read all that follows a number, public messages only. Raises StoreUnavailable.

        A number that is not there yet gives a page that begins anew (`reset`), whose `next` is the newest number.
        """
