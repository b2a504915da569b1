"""The store worker: every event of every service to the database."""

import time
from collections.abc import Callable, Sequence

from sakimori_collector.domain.rows import Row, row_of
from sakimori_collector.metrics import CollectorMetrics
from sakimori_collector.ports import EventStore
from sakimori_common.bus import Message, Reject
from sakimori_common.contracts import EVENTS, Event, WireError

SENSOR = "packet-sensor"
"""Only what the sensor itself published teaches names: agents could post events of its datasets."""

Learn = Callable[[Sequence[Event]], None]
"""Takes note of events, without waiting."""


class StoreHandler:
    """Write groups of batches, one transaction a group.

    `learn` sees the sensor's events on the way.

    Raises Reject for a message that is no batch or that the store refuses; of a group, the bus then hands in each
    alone, so only the bad one goes to the dead letters. Raises Unavailable while the database is away.
    """

    def __init__(self, store: EventStore, metrics: CollectorMetrics, learn: Learn | None = None) -> None:
        self._store = store
        self._metrics = metrics
        self._learn = learn

    async def __call__(self, messages: Sequence[Message]) -> None:
        """Handle one group."""
        started = time.perf_counter()
        rows: list[Row] = []
        for message in messages:
            events = _events_of(message)
            rows += _rows_of(events)
            if self._learn is not None and message.headers.get("source") == SENSOR:
                self._learn(events)
        new = await self._store.write(rows) if rows else 0
        self._metrics.events_stored_total.inc(new)
        self._metrics.events_repeated_total.inc(len(rows) - new)
        self._metrics.store_seconds.observe(time.perf_counter() - started)


def _events_of(message: Message) -> list[Event]:
    try:
        return EVENTS.decode(message.body)
    except (WireError, ValueError) as error:
        raise Reject(str(error)) from None


def _rows_of(events: Sequence[Event]) -> list[Row]:
    try:
        return [row_of(event) for event in events]
    except ValueError as error:
        raise Reject(str(error)) from None
