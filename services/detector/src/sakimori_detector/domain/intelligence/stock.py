"""What one source knows, packed: the outcome of reading its document."""

from collections import Counter
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from typing import Final, NamedTuple

from sakimori_common.instants import LATEST
from sakimori_detector.domain.intelligence.entries import DocumentRefused, Entry, Skipped
from sakimori_detector.domain.intelligence.keys import Texts
from sakimori_detector.domain.intelligence.values import Kind, host_of

MAX_INDICATORS: Final = 2_000_000
"""Of one source; some 80 MB of URLs."""


class Lease:
    """Until when the entries of a source hold that do not say so themselves; prolonged when the source confirms them.

    The one thing about a stock that changes: a feed that answers "not modified" costs no reading.
    """

    __slots__ = ("_after", "until")

    def __init__(self, after: int | None, seen_at: int) -> None:
        self._after = after
        self.until = LATEST
        self.renew(seen_at)

    def renew(self, seen_at: int) -> None:
        """Count from here; instants in microseconds."""
        self.until = LATEST if self._after is None else min(LATEST, seen_at + self._after)


class Origin(NamedTuple):
    """Who says so, how sure they are (0 to 1; None: the rule's confidence counts) and until when it holds."""

    source: str
    confidence: float | None
    expires_at: int | None
    lease: Lease

    def holds(self, at: int) -> bool:
        """Say whether it holds at an instant."""
        return at <= (self.lease.until if self.expires_at is None else self.expires_at)


@dataclass(frozen=True, slots=True)
class Terms:
    """How the entries of a document are taken: `seen_at` is when the source last said so, both in microseconds."""

    source: str
    confidence: int | None = None
    expires_after: int | None = None
    seen_at: int = 0

    def origin(self, entry: Entry, lease: Lease) -> Origin:
        """Make the origin of an entry: what the document says of it itself counts before what the feed's terms say."""
        confidence = self.confidence if entry.confidence is None else entry.confidence
        expires_at = entry.valid_until
        if expires_at is None and self.expires_after is not None and entry.last_seen is not None:
            expires_at = entry.last_seen + self.expires_after
        return Origin(self.source, None if confidence is None else confidence / 100, expires_at, lease)


@dataclass(frozen=True, slots=True)
class Stock:
    """The indicators of one source, ready for a `Table`; `skipped` counts what was left out by reason."""

    source: str
    texts: Mapping[Kind, Texts[Origin]]
    networks: tuple[tuple[str, Origin], ...]
    hosts: Texts[None]
    """Those of the URLs, so that a path is looked up only where the host has a bad one."""
    lease: Lease
    skipped: Counter[str] = field(default_factory=Counter)

    def counts(self) -> dict[Kind, int]:
        """Count the indicators of each kind."""
        return {kind: len(texts) + (len(self.networks) if kind is Kind.IP else 0) for kind, texts in self.texts.items()}

    def __len__(self) -> int:
        return sum(self.counts().values())


def gather(found: Iterable[Entry | Skipped], terms: Terms, now: int = 0, max_indicators: int = MAX_INDICATORS) -> Stock:
    """Pack what a document has; what is over by `now` is left out.

    Raises DocumentRefused: most of it is not of its format (an error page, say), or it has too many indicators.
    """
    kept: dict[Kind, dict[tuple[str, Origin], None]] = {kind: {} for kind in Kind}
    skipped, lease = Counter[str](), Lease(terms.expires_after, terms.seen_at)
    count = foreign = 0
    for item in found:
        if isinstance(item, Skipped):
            skipped[item.why] += 1
            foreign += item.is_foreign
            continue
        origin = terms.origin(item, lease)
        if not origin.holds(now):
            skipped["expired"] += 1
            continue
        kept[item.kind][item.text, origin] = None
        count += 1
        if count > max_indicators:
            raise DocumentRefused(f"over {max_indicators} indicators")
    if foreign > count + 3:
        raise DocumentRefused(f"{foreign} parts of it are not of this format, {count} are")
    return Stock(terms.source, *_packed(kept), lease, skipped)


class _Packed(NamedTuple):
    texts: dict[Kind, Texts[Origin]]
    networks: tuple[tuple[str, Origin], ...]
    hosts: Texts[None]


def _packed(kept: Mapping[Kind, Iterable[tuple[str, Origin]]]) -> _Packed:
    addresses = [item for item in kept[Kind.IP] if "/" not in item[0]]
    texts = {kind: Texts(addresses if kind is Kind.IP else items) for kind, items in kept.items()}
    networks = tuple(item for item in kept[Kind.IP] if "/" in item[0])
    hosts = {host for text, _ in kept[Kind.URL] if (host := host_of(f"http://{text}")) is not None}
    return _Packed(texts, networks, Texts((host, None) for host in hosts))
