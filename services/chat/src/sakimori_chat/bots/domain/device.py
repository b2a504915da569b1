"""A bot as the registry has it."""

import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from enum import StrEnum
from typing import Final

MAX_SECRETS: Final = 2
"""The newest and the one before it, while they overlap."""
_ID: Final = re.compile(r"bot-[0-9a-f]{16}")


class BotStatus(StrEnum):
    """Where a bot stands; only an approved one is served."""

    PENDING = "pending"
    APPROVED = "approved"
    DENIED = "denied"
    REVOKED = "revoked"
    BLOCKED = "blocked"


NEXT: Final[Mapping[BotStatus, frozenset[BotStatus]]] = {
    BotStatus.PENDING: frozenset({BotStatus.APPROVED, BotStatus.DENIED, BotStatus.BLOCKED}),
    BotStatus.APPROVED: frozenset({BotStatus.REVOKED, BotStatus.BLOCKED}),
    BotStatus.DENIED: frozenset({BotStatus.APPROVED}),
    BotStatus.BLOCKED: frozenset({BotStatus.APPROVED, BotStatus.REVOKED}),
    BotStatus.REVOKED: frozenset(),
}
"""What an operator may make of a bot; a revoked one registers anew, under another secret."""


@dataclass(frozen=True, slots=True)
class BotSecret:
    """A key that a bot signs with, and until when (seconds since the epoch; None: until it is rotated)."""

    key: bytes = field(repr=False)
    expires_at: float | None = None

    def is_valid(self, now: float) -> bool:
        """Tell whether it still counts."""
        return self.expires_at is None or now < self.expires_at


@dataclass(frozen=True, slots=True)
class Bot:
    """A registered bot: `id` is `device.id` of events, `name` what it registered as.

    `rooms` are those it may speak in and read; `secrets` the newest first, two at most (rotation overlaps). Instants
    are seconds since the epoch; None where it never happened.
    """

    id: str
    name: str
    status: BotStatus
    rooms: frozenset[str] = frozenset()
    secrets: tuple[BotSecret, ...] = ()
    blocked_reason: str = ""
    contact: str = ""
    registered_at: float = 0.0
    last_ping_at: float | None = None
    blocked_at: float | None = None


@dataclass(frozen=True, slots=True)
class StatusChange:
    """One entry of a bot's record: what it became, by whom (an operator's name, or `bot`), why, when."""

    status: BotStatus
    by: str
    reason: str
    at: float


def may_become(now: BotStatus, then: BotStatus) -> bool:
    """Tell whether a status may follow another; staying what it is is always allowed."""
    return now is then or then in NEXT[now]


def is_bot_id(text: str) -> bool:
    """Tell whether a text can be a bot's id: `bot-` and 16 hex digits."""
    return _ID.fullmatch(text) is not None
