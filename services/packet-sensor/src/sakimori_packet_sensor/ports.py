"""What the packet-sensor needs from outside."""

from collections.abc import Sequence
from pathlib import Path
from typing import Protocol

from sakimori_common.contracts import Event
from sakimori_packet_sensor.domain.capture import Block
from sakimori_packet_sensor.domain.devices.record import DeviceRecord


class NotPrepared(Exception):
    """The compiled part is still being made; try again in some seconds."""


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


class RingCounts(Protocol):
    """What became of an interface's packets since it was opened."""

    @property
    def drops(self) -> int:
        """Packets that found no room."""

    @property
    def freezes(self) -> int:
        """Times that there was no room."""


class PacketSource(Protocol):
    """An interface that is open for reading."""

    @property
    def fill_ratio(self) -> float:
        """How much of the room for packets is taken, 0 to 1."""

    def wait(self, timeout_seconds: float) -> Block | None:
        """Return the next packets, good until the next call; None when none came in time."""

    def statistics(self) -> RingCounts:
        """Count what came and what was lost."""


class PacketSink(Protocol):
    """Where packets are kept for later."""

    def write(self, block: Block) -> None:
        """Keep the packets of a block."""


class DeviceStore(Protocol):
    """Where devices are kept over restarts. Raises Unavailable while it is away."""

    async def load(self, most: int) -> list[DeviceRecord]:
        """Read the devices heard of last, at most so many, the latest last."""

    async def save(self, records: Sequence[DeviceRecord]) -> list[str]:
        """Write devices, again or for the first time; returns the MAC addresses of those that were refused."""

    async def expire(self, days: int) -> None:
        """Delete the traffic by hour that is older."""
