"""What the packet-sensor needs from outside."""

from collections.abc import Sequence
from pathlib import Path
from typing import Protocol

from sakimori_common.contracts import Event


class EventSink(Protocol):
    """Where events go; sakimori_common's EventPublisher is one."""

    async def publish(self, events: Sequence[Event]) -> None:
        """Hand events in; returns when they are safe. Raises BusUnavailable: hand the same in again later."""


class CaptureInbox(Protocol):
    """A place where captures appear."""

    def finished(self) -> list[Path]:
        """List, oldest first, the captures that nobody writes any more and that were not remembered as they are."""

    def remember(self, capture: Path) -> None:
        """Never list this capture again, over restarts too, unless it changes."""
