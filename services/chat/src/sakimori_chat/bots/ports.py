"""What bots need from outside."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from typing import Protocol

from sakimori_chat.bots.domain.device import Bot, BotSecret, BotStatus, StatusChange
from sakimori_chat.bots.domain.limits import BotVerdict


class NameTaken(Exception):
    """Another bot has this name, or one that looks like it."""


class TooManyPending(Exception):
    """So many bots wait for an operator already that no further one may register."""


class NotAllowed(Exception):
    """A bot of this status cannot become the other one; the message names both."""


@dataclass(frozen=True, slots=True)
class Registration:
    """What a bot asks for: cleaned name, its look (what names are compared by), rooms, contact, first secret."""

    bot_id: str
    name: str
    look: str
    rooms: frozenset[str]
    contact: str
    key: bytes = field(repr=False)


BotListener = Callable[[Bot], None]
"""Is told of a bot that changed, as it is now; returns at once."""


class BotRegistry(Protocol):
    """Knows every bot, from memory; changes go to the database and to every replica within a second.

    Whatever asks raises StoreUnavailable when the memory is older than 5 s (so nobody is let in by what may no longer
    be true) or, where something is changed, when the database does not answer. `by` is an operator's name, or `bot`.
    """

    def find(self, bot_id: str) -> Bot | None:
        """Find a bot of any status."""

    def all(self) -> Sequence[Bot]:
        """List all bots, those that wait first, then by registration."""

    def note_seen(self, bot_id: str, at: float) -> None:
        """Remember that a bot was heard (seconds since the epoch); written in the background, never raises."""

    def listen(self, listener: BotListener) -> None:
        """Tell of each bot that changed, when this replica learns of it."""

    async def register(self, registration: Registration) -> Bot:
        """Take a bot in, pending. Raises NameTaken, TooManyPending."""

    async def set_status(self, bot_id: str, status: BotStatus, by: str, reason: str = "") -> Bot | None:
        """Change a bot's status, with effect at once; None when there is no such bot. Raises NotAllowed, NameTaken."""

    async def set_rooms(self, bot_id: str, rooms: frozenset[str], by: str) -> Bot | None:
        """Say which rooms a bot may use; None when there is no such bot."""

    async def rotate(self, bot_id: str, new: BotSecret, kept: BotSecret | None, by: str) -> Bot | None:
        """Put a new secret in force; of the others only `kept` stays, until it expires. None: no such bot."""

    async def record(self, bot_id: str) -> Sequence[StatusChange]:
        """Read what became of a bot and by whom, oldest first."""


class BotGate(Protocol):
    """Counts what bots do, in one atomic step each. Every method raises StoreUnavailable."""

    async def admit(self, bot_id: str, address: str, nonce: str | None, now: float) -> BotVerdict:
        """Check nonce, decisions on the address, and limits, in this order; remember the nonce and count.

        Without a nonce (a frame of a session) only the others. `now` says in which windows it counts.
        """

    async def take(self, what: str, limit: int, seconds: int) -> int:
        """Count one of something rare (`what` names the counter); 0, or the seconds until there may be another."""
