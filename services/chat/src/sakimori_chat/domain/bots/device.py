"""A bot as the registry has it."""

from dataclasses import dataclass, field
from enum import StrEnum


class BotStatus(StrEnum):
    """Where a bot stands; only an approved one is served."""

    PENDING = "pending"
    APPROVED = "approved"
    DENIED = "denied"
    REVOKED = "revoked"
    BLOCKED = "blocked"


@dataclass(frozen=True, slots=True)
class BotSecret:
    """A key that a bot signs with, and until when (seconds since the epoch; None: until it is rotated)."""

    key: bytes = field(repr=False)
    expires_at: float | None = None


@dataclass(frozen=True, slots=True)
class Bot:
    """A registered bot: `id` is `device.id` of events, `name` what it registered as.

    `rooms` are those it may speak in and read; `secrets` the newest first, two at most (rotation overlaps).
    """

    id: str
    name: str
    status: BotStatus
    rooms: frozenset[str] = frozenset()
    secrets: tuple[BotSecret, ...] = ()
    blocked_reason: str = ""
