"""What the collector needs from outside."""

from collections.abc import Sequence
from contextlib import AbstractAsyncContextManager
from dataclasses import dataclass
from typing import Protocol

from sakimori_collector.domain.reading import Rejected
from sakimori_collector.domain.rows import Row
from sakimori_common.contracts import Event


class Publisher(Protocol):
    """Where events go."""

    async def publish(self, events: Sequence[Event]) -> None:
        """Publish; returns when they are safe. Raises BusUnavailable."""


class EventStore(Protocol):
    """Where events stay."""

    async def write(self, rows: Sequence[Row]) -> int:
        """Write rows, those that are there already left alone; returns how many were new.

        All or nothing. Raises Unavailable, or Reject when the store will never take one of them.
        """

    async def expire(self, before_days: int) -> int:
        """Delete what is older than so many days; returns how much. Raises Unavailable."""


class RejectedLines(Protocol):
    """Where lines that became no event are kept."""

    async def keep(self, lines: Sequence[Rejected]) -> None:
        """Keep lines, each once however often it is handed in; all or nothing. Raises Unavailable."""


@dataclass(frozen=True, slots=True)
class Checkpoint:
    """How far a file was read: `position` is the offset behind the last line that is safe.

    `fingerprint` is the length in bytes and the digest of the beginning of the file as it was first met, `256:9f...`.
    """

    path: str
    device: int
    inode: int
    fingerprint: str
    position: int


class Checkpoints(Protocol):
    """Where the tail remembers how far it came."""

    async def load(self, path: str) -> Checkpoint | None:
        """Read the checkpoint of a path; None for a file never met. Raises Unavailable."""

    async def save(self, checkpoint: Checkpoint, rejected: Sequence[Rejected]) -> None:
        """Advance, and keep the rejected lines on the way there, both or neither. Raises Unavailable."""


class Input(Protocol):
    """A way in, one file in inputs/ each: lines of some protocol, handed to the intake.

    Each input takes the intake and its own part of the settings. What its protocol can hold back (HTTP, TCP, files)
    waits while the bus is away; what it cannot (UDP) is spooled.
    """

    @property
    def name(self) -> str:
        """Name the kind of input, as `sakimori.input` of its events says it."""

    def running(self) -> AbstractAsyncContextManager[None]:
        """Take lines until the block ends, then finish what is in hand. Raises OSError when it cannot begin."""
