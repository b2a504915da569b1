"""What the collector needs from outside."""

from collections.abc import Awaitable, Callable, Mapping, Sequence
from contextlib import AbstractAsyncContextManager
from dataclasses import dataclass
from typing import Protocol, TypeVar

from sakimori_collector.domain.enrichment.sightings import Device
from sakimori_collector.domain.reading import Rejected
from sakimori_collector.domain.rows import Row
from sakimori_collector.domain.silence import SilentSource
from sakimori_collector.domain.wire.posters import Poster
from sakimori_common.contracts import Event

T = TypeVar("T")


class Publisher(Protocol):
    """Where events go."""

    async def publish(self, events: Sequence[Event]) -> None:
        """Publish; returns when they are safe. Raises BusUnavailable."""


class Posters(Protocol):
    """Who may post."""

    def find(self, token: str) -> Poster | None:
        """Tell whose a token is, from memory; None for one that is not known or was revoked.

        Raises Unavailable when it is not known here and those that are cannot be read now.
        """

    def running(self) -> AbstractAsyncContextManager[None]:
        """Keep up with what is issued and revoked until the block ends."""


class SourceActivity(Protocol):
    """When sources were last seen. `tell` is called within the change: what it raises undoes it."""

    async def seen(
        self, lines: Mapping[str, int], now: int, tell: Callable[[Sequence[SilentSource]], Awaitable[None]]
    ) -> None:
        """Note sources with their new lines; tells of those that had been silent. Raises Unavailable."""

    async def silent(
        self, after_minutes: int, now: int, tell: Callable[[Sequence[SilentSource]], Awaitable[None]]
    ) -> None:
        """Find sources that fell silent, each once, and tell of them. Raises Unavailable."""


class EventStore(Protocol):
    """Where events stay."""

    async def write(self, rows: Sequence[Row]) -> int:
        """Write rows, those that are there already left alone; returns how many were new.

        All or nothing. Raises Unavailable, or Reject when the store will never take one of them.
        """


@dataclass(frozen=True, slots=True)
class Tidied:
    """What was done for order: whole days dropped, events and rejected lines deleted one by one, indexes made."""

    days_dropped: int
    events_deleted: int
    lines_deleted: int
    indexes_made: int


class Upkeep(Protocol):
    """What an event store needs done beside writing. All raise Unavailable; what was done until then stays done."""

    async def set_retention(self, retention: Mapping[str, int]) -> bool:
        """Say how many days datasets are kept, by how their names begin (`network.*`); tells whether it is a change."""

    async def prepare(self) -> None:
        """Make room for the days to come and bring the counts up to date."""

    async def tidy(self, rejected_days: int) -> Tidied | None:
        """Delete what is too old and index what is complete; None while another replica does."""


class DeviceView(Protocol):
    """Devices as the sensor declares them."""

    async def read(self) -> Mapping[str, Device]:
        """Read the devices of the last day by address. Raises Unavailable."""


class DnsNameStore(Protocol):
    """Names of addresses that some replica's store worker saw in DNS, for all replicas."""

    async def write(self, names: Mapping[str, tuple[str, float]], now: float) -> None:
        """Keep address -> (name, seen at, in seconds since 1970); forget what is old. Raises Unavailable."""

    async def read(self, since: float) -> Mapping[str, tuple[str, float]]:
        """Read what was seen from an instant on. Raises Unavailable."""


class RejectedLines(Protocol):
    """Where lines that became no event are kept."""

    async def keep(self, lines: Sequence[Rejected]) -> None:
        """Keep lines, each once however often it is handed in; all or nothing. Raises Unavailable."""


@dataclass(frozen=True, slots=True)
class LineFilter:
    """Which rejected lines: all conditions that are given must hold. Instants in microseconds since the epoch."""

    source: str | None = None
    reason: str | None = None
    format: str | None = None
    since: int | None = None
    until: int | None = None
    ids: Sequence[str] | None = None


@dataclass(frozen=True, slots=True)
class LinePlace:
    """Where a rejected line stands in their order: when it was received (microseconds), then its id."""

    received_at: int
    id: str


@dataclass(frozen=True, slots=True)
class KeptLine:
    """A rejected line as it was kept. Where not `is_readable` another key encrypted it, and `raw` is empty."""

    rejected: Rejected
    received_at: int
    attempts: int
    tried_at: int | None
    is_readable: bool

    @property
    def place(self) -> LinePlace:
        """Tell where it stands."""
        return LinePlace(self.received_at, self.rejected.id)


@dataclass(frozen=True, slots=True)
class RejectedCount:
    """How many lines of a source were rejected for a reason, and when the last of them was."""

    source: str
    reason: str
    lines: int
    last_at: int


class Quarantine(RejectedLines, Protocol):
    """Where rejected lines are looked at and replayed from. Every method raises Unavailable."""

    async def page(
        self, wanted: LineFilter, limit: int, at: LinePlace | None = None, *, is_newest_first: bool = True
    ) -> list[KeptLine]:
        """List lines beyond a place."""

    async def counts(self, wanted: LineFilter) -> list[RejectedCount]:
        """Count lines by source and reason, the most frequent first; the 200 first of them."""

    async def remove(self, ids: Sequence[str]) -> None:
        """Forget lines that are events now."""

    async def failed(self, reasons: Sequence[tuple[str, str]]) -> None:
        """Note for each id that it was tried again, and the reason why it is still no event."""

    async def delete(self, wanted: LineFilter) -> int:
        """Delete lines; returns how many."""

    async def bound(self, max_bytes: int) -> int:
        """Delete the oldest lines until they take so many bytes at most; returns how many went."""


@dataclass(frozen=True, slots=True)
class Checkpoint:
    """How far a file was read: `position` is the offset behind the last line that is safe.

    `fingerprint` is the length in bytes and the digest of the beginning of the file, `tail` of what stands right before
    the position, `256:9f...`: they tell the file from one that took its place, and know a copy of it. `identity` is
    what ids are made of; it stays as the file grows. `modified_ns` is when the file was last written as of then.
    `context` is what headers said, in the format `context_format`.
    """

    path: str
    device: int
    inode: int
    fingerprint: str
    position: int
    identity: str
    tail: str = ""
    modified_ns: int = 0
    context: str = ""
    context_format: str = ""


class Checkpoints(Protocol):
    """Where reading files remembers how far it came."""

    async def load(self, path: str) -> Checkpoint | None:
        """Read the checkpoint of a path; None for a file never met. Raises Unavailable."""

    async def save(self, checkpoint: Checkpoint) -> None:
        """Advance. Raises Unavailable."""


class Claims(Protocol):
    """Who reads what, so that of several replicas one does."""

    async def claim(self, names: Sequence[str]) -> set[str]:
        """Try to get names that are not held yet; returns all of them that are held now. Raises Unavailable."""

    async def release(self) -> None:
        """Give back everything."""


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
