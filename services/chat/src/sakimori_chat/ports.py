"""What the chat needs from outside."""

from collections.abc import Sequence
from typing import Protocol

from sakimori_chat.domain.enforcement import Measure
from sakimori_chat.domain.identity import Client
from sakimori_chat.domain.limits import Verdict
from sakimori_chat.domain.messages import Draft, Message, Page
from sakimori_chat.domain.occurrences import Occurrence


class StoreUnavailable(Exception):
    """The state store did not answer in time; nobody can be let in unchecked, so the request fails with 503."""


class Gate(Protocol):
    """Decides who may post. Every method raises StoreUnavailable."""

    async def admit(self, client: Client, anon_id: str) -> Verdict:
        """Check risk, blocks and rate in that order and count the post, all in one atomic step."""

    async def ban_seconds(self, anon_id: str) -> float:
        """Tell how long an identity is still banned; 0 when it is not."""

    async def enforce(self, measures: Sequence[Measure]) -> None:
        """Set and lift blocks; doing it twice changes nothing."""


class Room(Protocol):
    """Keeps the last messages. Every method raises StoreUnavailable."""

    async def append(self, draft: Draft) -> int:
        """Store a message and return its number; numbers grow by one."""

    async def latest(self, limit: int) -> list[Message]:
        """Read the newest messages, oldest first."""

    async def after(self, number: int, limit: int) -> Page:
        """Read up to `limit` messages that follow a number, oldest first."""

    async def check(self) -> None:
        """Return when the store answers."""


class Reporter(Protocol):
    """Tells the rest of the system what happens here."""

    def report(self, occurrence: Occurrence) -> None:
        """Take note and return at once, whatever the state of the bus; never raises."""
