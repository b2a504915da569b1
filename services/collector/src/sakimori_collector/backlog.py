"""What is delivered at once, or lies in a spool on disk until it can be; each line is counted where it is now."""

import asyncio
from collections.abc import Awaitable, Callable, Sequence
from typing import Final, Generic, TypeVar

import structlog
from prometheus_client import Counter

from sakimori_collector.metrics import CollectorMetrics
from sakimori_collector.ports import Damaged, LineSpool, NoRoom, Waiting
from sakimori_common.bus import BusUnavailable, Unavailable

T = TypeVar("T")

PATIENCE_SECONDS: Final = 2.0
"""How long a delivery may take before its lines go to disk: what can't be held back piles up in memory meanwhile."""
RETRY_SECONDS: Final = 0.5


class Ledger:
    """The counters of lines. Each call is one step, so that the sum holds whenever anybody looks."""

    def __init__(self, metrics: CollectorMetrics) -> None:
        self._metrics = metrics
        self.published = metrics.lines_published_total
        self.rejected = metrics.lines_rejected_total
        self.dropped = metrics.lines_dropped_total
        self._series: dict[tuple[str, Counter], tuple[Counter, Counter]] = {}

    def settle(self, source: str, lines: int, account: Counter) -> None:
        """Count lines that came in and have reached their end."""
        series = self._series.get((source, account))
        if series is None:  # looking them up costs three times what counting does, and sources are few
            series = self._metrics.lines_received_total.labels(source), account.labels(source)
            self._series[source, account] = series
        for each in series:
            each.inc(lines)

    def spool(self, source: str, lines: int) -> None:
        """Count lines that came in and wait on disk."""
        self._metrics.lines_received_total.labels(source).inc(lines)
        self._metrics.lines_spooled.labels(source).inc(lines)

    def unspool(self, source: str, lines: int, account: Counter) -> None:
        """Count lines that waited on disk and have reached their end."""
        self._metrics.lines_spooled.labels(source).dec(lines)
        account.labels(source).inc(lines)


class Backlog(Generic[T]):
    """One destination and the spool before it. While anything waits there, what comes goes behind it: order is kept."""

    def __init__(
        self,
        deliver: Callable[[Sequence[T]], Awaitable[None]],
        spool: LineSpool[T] | None,
        ledger: Ledger,
        account: Counter,
        log: structlog.stdlib.BoundLogger,
        *,
        patience_seconds: float = PATIENCE_SECONDS,
    ) -> None:
        self._deliver = deliver
        self._spool = spool
        self._ledger = ledger
        self._account = account
        self._log = log
        self._patience_seconds = patience_seconds
        self._is_complaining = False
        for waiting in spool.waiting() if spool is not None else ():
            ledger.spool(waiting.source, waiting.lines)

    async def take(self, source: str, lines: int, items: Sequence[T]) -> Counter | None:
        """Deliver items or keep them; returns where their lines were counted, None for the spool."""
        is_first = self._spool is None or not self._spool.waiting()
        if is_first and await self._is_delivered(items):
            self._ledger.settle(source, lines, self._account)
            return self._account
        return self.keep(source, lines, items)

    def keep(self, source: str, lines: int, items: Sequence[T]) -> Counter | None:
        """Keep items on disk, or drop them when there is no room; returns as `take` does."""
        try:
            if self._spool is None:
                raise NoRoom("there is no spool")
            self._spool.put(source, lines, items)
        except NoRoom as error:
            self._ledger.settle(source, lines, self._ledger.dropped)
            if not self._is_complaining:
                self._log.error("lines_dropped", source=source, lines=lines, reason=str(error))
            self._is_complaining = True
            return self._ledger.dropped
        self._is_complaining = False
        self._ledger.spool(source, lines)
        return None

    async def drain(self) -> None:
        """Deliver what waits, oldest first, until nothing does or the destination is away."""
        delivered = 0
        while self._spool is not None and (waiting := self._spool.waiting()):
            for each in waiting:
                if not await self._is_delivered_from(self._spool, each):
                    return
                delivered += each.lines
        if delivered:
            self._log.info("spool_drained", lines=delivered)

    async def keep_draining(self) -> None:
        """Drain whenever there is something, until cancelled."""
        while True:
            await self.drain()
            await asyncio.sleep(RETRY_SECONDS)

    async def _is_delivered(self, items: Sequence[T]) -> bool:
        try:
            async with asyncio.timeout(self._patience_seconds):
                await self._deliver(items)
        except (BusUnavailable, Unavailable, TimeoutError) as error:
            self._log.warning("lines_spooled", reason=str(error) or f"no answer in {self._patience_seconds:g} s")
            return False
        return True

    async def _is_delivered_from(self, spool: LineSpool[T], waiting: Waiting) -> bool:
        try:
            await self._deliver(await spool.read(waiting))
        except (BusUnavailable, Unavailable):
            return False
        except Damaged as error:
            self._log.error("spool_damaged", source=waiting.source, lines=waiting.lines, reason=str(error))
            spool.set_aside(waiting)
            self._ledger.unspool(waiting.source, waiting.lines, self._ledger.dropped)
            return True
        spool.remove(waiting)
        self._ledger.unspool(waiting.source, waiting.lines, self._account)
        return True
