"""What the notifier needs of the world."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Protocol

from sakimori_common.contracts import Finding

CHANNEL_HEADER = "channel"
"""Message header of a dead letter: the one channel that has not had the notice yet."""


class DeliveryFailed(Exception):
    """The receiver did not take a notice, for a reason that may pass; it may have said when to come back."""

    def __init__(self, reason: str, retry_after_seconds: float | None = None) -> None:
        super().__init__(reason)
        self.retry_after_seconds = retry_after_seconds


class DeliveryRefused(Exception):
    """The receiver will never take this notice (unknown webhook, bad request); trying again is of no use."""


class Channel(Protocol):
    """A way to reach people."""

    @property
    def name(self) -> str:
        """One of `domain.routing.CHANNELS`."""

    async def send(self, finding: Finding) -> None:
        """Deliver a notice. Raises DeliveryFailed or DeliveryRefused; the text never holds an address or a secret."""


@dataclass(frozen=True, slots=True)
class Notice:
    """A finding for one channel; `suppression_key` is None for a notice that must go out whatever went before."""

    finding: Finding
    channel: str
    suppression_key: str | None


@dataclass(frozen=True, slots=True)
class Delivery:
    """A notice on its way; `attempt` counts the try that is due now, from 1."""

    id: int
    finding: Finding
    channel: str
    attempt: int


class Outbox(Protocol):
    """Where notices wait until they are delivered. Raises `sakimori_common.bus.Unavailable` when the store is away."""

    async def add(self, notices: Sequence[Notice], suppress_seconds: int) -> tuple[int, int]:
        """Store notices; those of a key told within `suppress_seconds` only count. Returns (queued, suppressed)."""

    async def due(self, limit: int, lease_seconds: float) -> list[Delivery]:
        """Take deliveries whose time has come; they come again after the lease unless settled."""

    async def delivered(self, delivery: Delivery) -> None:
        """Settle a delivery that the receiver took."""

    async def postpone(self, delivery: Delivery, reason: str, seconds: float) -> None:
        """Try a delivery again after `seconds`."""

    async def give_up(self, delivery: Delivery, reason: str) -> None:
        """Settle a delivery that is dead."""
