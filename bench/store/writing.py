"""What writing costs: the store worker's ways beside a bare COPY of the same rows, in the same rounds."""

import time
from collections.abc import Awaitable, Callable
from typing import Any, Final

from prometheus_client import CollectorRegistry

from bench.store import traffic
from sakimori_collector.adapters.event_store import PostgresEventStore
from sakimori_collector.domain.rows import COLUMNS, Row, row_of
from sakimori_collector.handlers import StoreHandler
from sakimori_collector.metrics import CollectorMetrics
from sakimori_common.bus import Message
from sakimori_common.context import Postgres
from sakimori_common.contracts import Event

BARE: Final = "bare COPY, no index, nothing compared"
WRITE: Final = "store: rows, deduplicated and counted"
HANDLE: Final = "store worker: messages to rows to store"
REPEAT: Final = "store: the same rows again"
_GROUP: Final = 5_000
_GROUP_MESSAGES: Final = 25
_EMPTY: Final = (
    "TRUNCATE bare_events, collector.events, collector.severities_per_minute, collector.events_per_hour, "
    "collector.rolled_sources"
)
_BARE: Final = """
CREATE TABLE IF NOT EXISTS bare_events (time timestamptz, id uuid, dataset text, action text, outcome text,
    source_ip inet, user_name text, fields jsonb, severity text, host text)
"""


async def costs(postgres: Postgres, count: int, rounds: int) -> dict[str, list[float]]:
    """Measure seconds of each way in each round; they take turns, so that what slows one slows all."""
    events = traffic.events(count, time.time_ns() // 1000 - 60_000_000)
    rows = [row_of(event) for event in events]
    ways = _ways(postgres, events, rows)
    await postgres.execute(_BARE)
    found: dict[str, list[float]] = {name: [] for name in ways}
    for _ in range(rounds):
        for name, work in ways.items():
            if name != REPEAT:
                await postgres.execute(_EMPTY)
            await postgres.execute("CHECKPOINT")
            started = time.perf_counter()
            await work()
            found[name].append(time.perf_counter() - started)
    return found


def _ways(postgres: Postgres, events: list[Event], rows: list[Row]) -> dict[str, Callable[[], Awaitable[None]]]:
    store = PostgresEventStore(postgres)
    handler = StoreHandler(store, CollectorMetrics(CollectorRegistry()))
    groups = [rows[first : first + _GROUP] for first in range(0, len(rows), _GROUP)]
    letters = [Message(str(number), body, {"schema": "1"}) for number, body in enumerate(traffic.messages(events))]

    async def bare() -> None:
        async with postgres.acquire() as connection:
            for group in groups:
                await _copy(connection, group)

    async def write() -> None:
        for group in groups:
            await store.write(group)

    async def handle() -> None:
        for first in range(0, len(letters), _GROUP_MESSAGES):
            await handler(letters[first : first + _GROUP_MESSAGES])

    return {BARE: bare, HANDLE: handle, WRITE: write, REPEAT: write}


async def _copy(connection: Any, group: list[Row]) -> None:
    async with connection.transaction():
        await connection.copy_records_to_table("bare_events", records=group, columns=COLUMNS)
