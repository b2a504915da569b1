"""What the collector needs from outside."""

from collections.abc import Sequence
from contextlib import AbstractAsyncContextManager
from dataclasses import dataclass
from typing import Protocol, TypeVar

from sakimori_collector.domain.reading import Rejected
from sakimori_collector.domain.rows import Row
from sakimori_common.contracts import Event

T = TypeVar("T")


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


class NoRoom(Exception):
    """The spool is full, or the disk refuses: what is in hand is lost and counted as dropped."""


class Damaged(Exception):
    """Something in the spool can't be read back."""


@dataclass(frozen=True, slots=True)
class Waiting:
    """Lines of one source that wait in a spool, kept together. `number` grows with every one that is put."""

    number: int
    source: str
    lines: int


class LineSpool(Protocol[T]):
    """Where lines wait that can't be held back, what has become of them already: events, or rejected lines.

    Survives the process. `put`, `waiting`, `remove` and `set_aside` return at once.
    """

    def put(self, source: str, lines: int, items: Sequence[T]) -> None:
        """Keep what became of so many lines of a source. Raises NoRoom."""

    def waiting(self) -> Sequence[Waiting]:
        """List what waits, oldest first."""

    async def read(self, waiting: Waiting) -> Sequence[T]:
        """Read what was put. Raises Damaged."""

    def remove(self, waiting: Waiting) -> None:
        """Forget what is safe elsewhere now."""

    def set_aside(self, waiting: Waiting) -> None:
        """Put away what is damaged, so that it stands in nobody's way."""


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
