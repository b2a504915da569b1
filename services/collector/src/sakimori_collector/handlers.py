"""The store worker: every event of every service to the database."""

import time
from collections.abc import Sequence

from sakimori_collector.domain.rows import Row, row_of
from sakimori_collector.metrics import CollectorMetrics
from sakimori_collector.ports import EventStore
from sakimori_common.bus import Message, Reject
from sakimori_common.contracts import EVENTS, WireError


class StoreHandler:
    """Write groups of batches, one transaction a group.

    Raises Reject for a message that is no batch or that the store refuses; of a group, the bus then hands in each
    alone, so only the bad one goes to the dead letters. Raises Unavailable while the database is away.
    """

    def __init__(self, store: EventStore, metrics: CollectorMetrics) -> None:
        self._store = store
        self._metrics = metrics

    async def __call__(self, messages: Sequence[Message]) -> None:
        """Handle one group."""
        started = time.perf_counter()
        rows: list[Row] = []
        for message in messages:
            rows.extend(_rows_of(message))
        new = await self._store.write(rows) if rows else 0
        self._metrics.events_stored_total.inc(new)
        self._metrics.events_repeated_total.inc(len(rows) - new)
        self._metrics.store_seconds.observe(time.perf_counter() - started)


def _rows_of(message: Message) -> list[Row]:
    try:
        return [row_of(event) for event in EVENTS.decode(message.body)]
    except (WireError, ValueError) as error:
        raise Reject(str(error)) from None
