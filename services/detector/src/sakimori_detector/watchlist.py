"""The indicators in use: the last good copies at start, then each feed again and again in its own time."""

import asyncio
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from typing import Final

import structlog

from sakimori_common.instants import MICROSECONDS
from sakimori_detector.domain.intelligence.documents import stock_of
from sakimori_detector.domain.intelligence.entries import DocumentRefused
from sakimori_detector.domain.intelligence.feeds import Feed
from sakimori_detector.domain.intelligence.guard import IsSuffix
from sakimori_detector.domain.intelligence.holder import Intelligence
from sakimori_detector.domain.intelligence.stock import Stock
from sakimori_detector.domain.intelligence.table import Table
from sakimori_detector.metrics import FeedMetrics
from sakimori_detector.ports import Clock, FeedDocument, FeedSource, FeedUnavailable, KeptFeeds, Validators

POLL_SECONDS: Final = 2.0
FIRST_RETRY_SECONDS: Final = 60
"""After a failure; twice as long after each further one, never longer than the feed's own interval."""


@dataclass(slots=True)
class _Watched:
    """A feed and what is known of it."""

    feed: Feed
    stock: Stock | None = None
    known: Validators = field(default_factory=Validators)
    due_at: int = 0
    failures: int = 0


class Watchlist:
    """Keeps `intelligence` at what the feeds say. One task calls it; each replica of the detector has its own.

    A feed that is away, broken or suddenly empty changes nothing: its last good copy stays until its indicators expire.
    `feeds` is asked each time, so a change of feeds.yml counts at once; `jitter` yields a factor near one, so that
    replicas and feeds do not all ask at the same moment.
    """

    def __init__(
        self,
        feeds: Callable[[], Sequence[Feed]],
        intelligence: Intelligence,
        *,
        source: FeedSource,
        kept: KeptFeeds,
        is_suffix: IsSuffix,
        metrics: FeedMetrics,
        log: structlog.stdlib.BoundLogger,
        clock: Clock,
        jitter: Callable[[], float],
    ) -> None:
        self._feeds = feeds
        self._intelligence = intelligence
        self._source = source
        self._kept = kept
        self._is_suffix = is_suffix
        self._metrics = metrics
        self._log = log
        self._clock = clock
        self._jitter = jitter
        self._watched: dict[str, _Watched] = {}

    async def start(self) -> None:
        """Read the last good copies; asks no server."""
        if await self._follow():
            await self._swap()

    async def watch(self, poll_seconds: float = POLL_SECONDS) -> None:
        """Refresh what is due, for ever."""
        while True:
            await self.refresh()
            await asyncio.sleep(poll_seconds)

    async def refresh(self) -> bool:
        """Ask each feed that is due, one after the other; says whether the indicators are others now."""
        is_changed = await self._follow()
        for watched in self._watched.values():
            if watched.due_at <= self._clock():
                is_changed |= await self._refresh(watched)
        if is_changed:
            await self._swap()
        return is_changed

    async def _follow(self) -> bool:
        """Take up feeds that are new or read otherwise now, drop those that are gone."""
        feeds = {feed.name: feed for feed in self._feeds() if feed.enabled}
        before = {name: watched.feed for name, watched in self._watched.items()}
        if feeds == before:
            return False
        for name in [name for name in before if before[name] != feeds.get(name)]:
            del self._watched[name]
            self._metrics.forget_feed(name)
        for name, feed in feeds.items():
            if name not in self._watched:
                self._watched[name] = await self._recalled(feed)
        return True

    async def _recalled(self, feed: Feed) -> _Watched:
        """Begin with the copy of a feed that was kept, due when it would have been."""
        watched = _Watched(feed)
        copy = None if feed.url is None else await asyncio.to_thread(self._kept.read, feed)
        if copy is not None:
            try:
                watched.stock = await self._read(feed, copy)
            except DocumentRefused as error:
                self._log.warning("kept_feed_refused", feed=feed.name, why=str(error))
            else:
                watched.known = copy.validators
                watched.due_at = copy.confirmed_at + feed.refresh_seconds * MICROSECONDS
                self._metrics.feed_confirmed(feed.name, copy.confirmed_at)
        return watched

    async def _refresh(self, watched: _Watched) -> bool:
        try:
            result = await self._renewed(watched)
            why, watched.failures = "", 0
        except (FeedUnavailable, DocumentRefused) as error:
            result, why = "failed" if isinstance(error, FeedUnavailable) else "refused", str(error)
            watched.failures += 1
        watched.due_at = self._clock() + round(self._wait_seconds(watched) * self._jitter() * MICROSECONDS)
        self._metrics.feed_refreshes_total.labels(watched.feed.name, result).inc()
        log = self._log.warning if why else self._log.info
        skipped = {} if watched.stock is None else dict(watched.stock.skipped)
        log("feed_refreshed", feed=watched.feed.name, result=result, why=why, skipped=skipped)
        return result == "changed"

    async def _renewed(self, watched: _Watched) -> str:
        """Ask a feed; says `changed` or `unchanged`. Raises FeedUnavailable, DocumentRefused."""
        feed = watched.feed
        document = await self._source.fetch(feed, watched.known if watched.stock else Validators())
        if document is None:
            await self._confirm(watched)
            return "unchanged"
        stock = await self._read(feed, document)
        if watched.stock and not len(stock):
            raise DocumentRefused("empty, and was not before")
        watched.stock, watched.known = stock, document.validators
        self._metrics.feed_confirmed(feed.name, document.confirmed_at)
        if feed.url is not None:
            await self._keep(feed, document)
        return "changed"

    async def _confirm(self, watched: _Watched) -> None:
        now = self._clock()
        if watched.stock is not None:
            watched.stock.lease.renew(now)
        self._metrics.feed_confirmed(watched.feed.name, now)
        if watched.feed.url is not None:
            try:
                await asyncio.to_thread(self._kept.confirm, watched.feed, now)
            except OSError as error:
                self._log.warning("feed_not_kept", feed=watched.feed.name, why=error.strerror)

    async def _keep(self, feed: Feed, document: FeedDocument) -> None:
        try:
            await asyncio.to_thread(self._kept.keep, feed, document)
        except OSError as error:
            self._log.warning("feed_not_kept", feed=feed.name, why=error.strerror)

    async def _read(self, feed: Feed, document: FeedDocument) -> Stock:
        return await asyncio.to_thread(
            stock_of, feed, document.body, self._is_suffix, seen_at=document.confirmed_at, now=self._clock()
        )

    async def _swap(self) -> None:
        stocks = [watched.stock for watched in self._watched.values() if watched.stock is not None]
        self._intelligence.table = await asyncio.to_thread(Table, stocks)
        for stock in stocks:
            self._metrics.stocked(stock.source, stock.counts(), stock.skipped.total())

    def _wait_seconds(self, watched: _Watched) -> float:
        """Say how long to wait before a feed is asked again."""
        interval = watched.feed.refresh_seconds
        return min(interval, FIRST_RETRY_SECONDS * 2 ** min(watched.failures - 1, 20)) if watched.failures else interval
