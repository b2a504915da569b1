"""What the detector needs of the world."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from typing import NamedTuple, Protocol

from sakimori_common.contracts import Decision, Finding
from sakimori_detector.domain.folds import Fold
from sakimori_detector.domain.intelligence.feeds import Feed
from sakimori_detector.sigma.judging import Ripe, Settled
from sakimori_detector.sigma.windows import Group, Outcome

Clock = Callable[[], int]
"""Tells the time in microseconds since the epoch."""


@dataclass(frozen=True, slots=True)
class Batch:
    """What one message of events has for the state; `id` is stable over redelivery.

    `arrived_at` is when it came, in microseconds: by the clock, or offline by the newest event so far.
    """

    id: str
    groups: Sequence[Group]
    folds: Sequence[Fold] = field(default_factory=tuple)
    arrived_at: int = 0


class DetectionState(Protocol):
    """Windows and the memory of analytics, by rule and key.

    Two implementations: in memory for one process (offline, tests) and in Valkey, shared by all replicas.
    """

    async def apply(self, batch: Batch) -> list[Outcome]:
        """Count a batch and return the findings it opened or added to, each at most once.

        All or nothing, and idempotent: a batch whose id was seen within the last hour changes nothing and gives the
        outcomes it gave the first time. Raises Unavailable when the state cannot be reached.
        """

    @property
    def lateness(self) -> int:
        """How much later than a newer one a sign may come and still count as if in order, in microseconds."""

    async def ripe(self, now: int) -> list[Ripe]:
        """List keys with windows that are over at `now` (see `Batch.arrived_at`) and wait to be judged, some at a time.

        They stay until they are settled, so whoever dies in between leaves them to the next. Raises Unavailable.
        """

    async def settle(self, settled: Sequence[Settled]) -> None:
        """Put away what was judged; what somebody else has settled meanwhile is passed over. Raises Unavailable."""


class Replaced(NamedTuple):
    """The id under which a finding was known until an earlier event came, and the finding by its new one.

    What was last seen up to `until` (microseconds) under the old id is meant; it may be given to a later finding.
    """

    id: str
    by: Finding
    until: int


class FindingStore(Protocol):
    """Where findings and decisions are kept."""

    async def store(
        self, findings: Sequence[Finding], decisions: Sequence[Decision], replaced: Sequence[Replaced] = ()
    ) -> list[Finding]:
        """Write both, in one transaction; returns the findings with `created_at` and trace as they are kept.

        A finding that is there is updated, its count never lowered; a decision that is there stays. `replaced` are
        findings that these take the place of; they are seen no more, even if somebody stores them later. Raises
        Unavailable when the database is away.
        """


@dataclass(frozen=True, slots=True)
class Validators:
    """With what a server tells whether its document changed since (RFC 9110, 8.8); empty ones ask for all of it."""

    etag: str = ""
    last_modified: str = ""


@dataclass(frozen=True, slots=True)
class FeedDocument:
    """What a feed gave; `confirmed_at`, in microseconds, is when it did so or last said that nothing changed."""

    body: bytes
    validators: Validators
    confirmed_at: int


class FeedUnavailable(Exception):
    """A feed gave nothing that can be used; says why in a few words, without its URL."""


class FeedSource(Protocol):
    """Where the documents of feeds come from."""

    async def fetch(self, feed: Feed, known: Validators) -> FeedDocument | None:
        """Get a feed's document, None when it is the one that is known. Raises FeedUnavailable."""


class KeptFeeds(Protocol):
    """The last good copies, which outlive a restart. Calls block: run them beside the event loop."""

    def read(self, feed: Feed) -> FeedDocument | None:
        """Give the copy of a feed, None when there is none or it is damaged."""

    def keep(self, feed: Feed, document: FeedDocument) -> None:
        """Put a copy in place of the earlier one, at once and whole. Raises OSError."""

    def confirm(self, feed: Feed, confirmed_at: int) -> None:
        """Note that the copy is still what the feed gives. Raises OSError."""
