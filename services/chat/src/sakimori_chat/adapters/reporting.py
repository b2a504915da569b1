"""Occurrences on their way out: summed up where there are too many, log line, event."""

import asyncio
import math
import time
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Final

import structlog

from sakimori_chat.domain.aggregation import Aggregator
from sakimori_chat.domain.occurrences import Occurrence
from sakimori_common.bus.outbox import Outbox
from sakimori_common.contracts import Event, Severity
from sakimori_common.ids import random_event_id
from sakimori_common.instants import now
from sakimori_common.log import SecurityLogger
from sakimori_common.tasks import Background, end_tasks

UNLOGGED = frozenset({"source.ip", "chat.message.text", "chat.check.reasons"})
"""Fields that events may have and logs never: addresses, and words of messages (CHAT_EVENTS_WITH_TEXT)."""
MEMORY_EVENTS: Final = 10_000
"""Events that wait in memory, some 10 MB."""
TICK_SECONDS: Final = 0.25


class OutboxReporter:
    """Implements ports.Reporter on an outbox. `observer` names this replica in the events."""

    def __init__(
        self,
        *,
        outbox: Outbox,
        aggregator: Aggregator,
        log: structlog.stdlib.BoundLogger,
        streams: SecurityLogger,
        observer: str,
    ) -> None:
        self._outbox = outbox
        self._aggregator = aggregator
        self._log = log
        self._streams = streams
        self._observer = observer

    def report(self, occurrence: Occurrence) -> None:
        """See Reporter."""
        if self._aggregator.offer(occurrence, time.monotonic()):
            self._accept(occurrence)

    @asynccontextmanager
    async def running(self, background: Background) -> AsyncIterator[None]:
        """Publish until the block ends, then see all that waits, sums too, to the bus or to disk."""
        async with self._outbox.running(background):
            summing = background(self._sum_up(), "outbox-sums")
            try:
                yield
            finally:
                await end_tasks(summing)
                for occurrence in self._aggregator.due(math.inf):
                    self._accept(occurrence)

    def _accept(self, occurrence: Occurrence) -> None:
        if occurrence.severity is not Severity.INFO:
            self._log_line(occurrence)
        at = now()
        fields = {**occurrence.fields, "observer.name": self._observer}
        self._outbox.put([Event(random_event_id(at), at, occurrence.dataset, fields)])

    def _log_line(self, occurrence: Occurrence) -> None:
        fields = occurrence.fields
        self._streams.log_security(
            occurrence.action.value,
            occurrence.address,
            level="error" if occurrence.severity.rank >= Severity.HIGH.rank else "warning",
            user=str(fields.get("user.id") or fields.get("device.id") or ""),
            outcome=str(fields["event.outcome"]),
            reason=occurrence.reason,
        )
        told = {name.replace(".", "_"): value for name, value in fields.items() if name not in UNLOGGED}
        self._log.warning("security_event_reported", **told)

    async def _sum_up(self) -> None:
        while True:
            await asyncio.sleep(TICK_SECONDS)
            for occurrence in self._aggregator.due(time.monotonic()):
                self._accept(occurrence)
