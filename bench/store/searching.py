"""What searches take as the store grows: events over 30 days, made by the server, indexed as upkeep does."""

import statistics
import time
from collections.abc import Awaitable, Callable
from datetime import UTC, datetime, timedelta
from typing import Final

from sakimori_api_gateway.adapters.events import PostgresEventSearch
from sakimori_api_gateway.domain.events import EventQuery
from sakimori_collector.adapters.store_upkeep import PostgresUpkeep
from sakimori_common.context import Postgres
from sakimori_common.instants import to_microseconds

_DAYS: Final = 30
_ROUNDS: Final = 5
_MAKE: Final = """
INSERT INTO collector.events (time, id, dataset, action, outcome, source_ip, user_name, fields, severity, host)
SELECT $1::timestamptz + make_interval(secs => number * $3::float8), gen_random_uuid(),
    CASE WHEN number % 10000 = 0 THEN 'audit.rare' WHEN number % 5 = 0 THEN 'openssh.auth' ELSE 'nginx.access' END,
    CASE WHEN number % 5 = 0 THEN 'ssh_login' END,
    CASE WHEN number % 5 = 0 THEN 'failure' ELSE 'success' END,
    '10.0.0.0'::inet + (number * 7919 % 50000),
    CASE WHEN number % 5 = 0 THEN 'user' || number % 20011 END,
    jsonb_build_object(
        'event.category', 'web', 'source.ip', host('10.0.0.0'::inet + (number * 7919 % 50000)),
        'http.request.method', 'GET', 'http.response.status_code', 200, 'http.response.body.bytes', number % 90000,
        'host.hostname', 'web-' || number % 40,
        'url.original', '/shop/' || number % 100000 || '?q=' || number % 1000,
        'user_agent.original', 'Mozilla/5.0 (X11; Linux x86_64) AppleWebKit/537.36 (KHTML, like Gecko) Chrome/120.0',
        'message', 'GET /shop/' || number % 100000 || CASE WHEN number = 100000 THEN ' planted needle' ELSE '' END
    ), 'info', 'web-' || number % 40
FROM generate_series($2::bigint, $4::bigint) AS number
"""
_COUNT: Final = (
    "INSERT INTO collector.severities_per_minute SELECT collector.minute(time), dataset, severity, count(*)"
    " FROM collector.events GROUP BY 1, 2, 3",
    "INSERT INTO collector.events_per_hour SELECT collector.hour(time), dataset, severity, coalesce(host, ''), count(*)"
    " FROM collector.events GROUP BY 1, 2, 3, 4",
)
_EMPTY: Final = (
    "TRUNCATE collector.events, collector.severities_per_minute, collector.events_per_hour, collector.rolled_sources;"
    " UPDATE collector.sources_rolled_up SET until = '-infinity'"
)
_SEARCHES: Final[dict[str, dict[str, str]]] = {
    "newest": {},
    "dataset, a tenth of a thousandth": {"dataset": "audit.rare"},
    "dataset, most": {"dataset": "nginx.access"},
    "dataset, none": {"dataset": "none.such"},
    "source.ip": {"source_ip": "10.0.23.42"},
    "user.name": {"user_name": "user5"},
    "user.name, none": {"user_name": "nobody"},
    "action and outcome": {"action": "ssh_login", "outcome": "failure"},
    "host": {"host": "web-7"},
    "text, one line": {"text": "planted needle"},
    "text, none": {"text": "nosuchword"},
}
_PANELS: Final = {
    "panel: events per minute, 30 days": "SELECT sum(events) / count(DISTINCT bucket) FROM public.events_per_minute"
    " WHERE bucket >= $1",
    "panel: events by dataset and hour": "SELECT bucket, dataset, sum(events) FROM public.events_per_hour"
    " WHERE bucket >= $1 GROUP BY 1, 2",
    "panel: top sources, 30 days": "SELECT source_ip, sum(events) FROM public.sources_per_hour WHERE bucket >= $1"
    " GROUP BY 1 ORDER BY 2 DESC LIMIT 10",
    "without counts: top sources, 30 days": "SELECT source_ip, count(*) FROM public.events WHERE time >= $1"
    " GROUP BY 1 ORDER BY 2 DESC LIMIT 10",
}


async def measure(postgres: Postgres, sizes: list[int]) -> None:
    """Fill the store with each size, and time every search and panel; medians, the first run apart."""
    now = datetime.now(UTC).replace(microsecond=0)
    await _add_past_days(postgres, now)
    found: dict[str, list[float]] = {}
    for size in sizes:
        await _fill(postgres, now, size)
        for name, work in _works(postgres, now).items():
            found.setdefault(name, []).append(await _median_ms(work))
    head = "".join(f"{size:>14,}" for size in sizes)
    print(f"\n{'milliseconds at so many events':<40}{head}   medians of {_ROUNDS}")
    for name, times in found.items():
        print(f"{name:<40}" + "".join(f"{each:>14.1f}" for each in times))


def _works(postgres: Postgres, now: datetime) -> dict[str, Callable[[], Awaitable[object]]]:
    search = PostgresEventSearch(postgres, budget_seconds=60)
    until = to_microseconds(now)
    since = to_microseconds(now - timedelta(days=_DAYS))
    works: dict[str, Callable[[], Awaitable[object]]] = {}
    for name, filters in _SEARCHES.items():
        query = EventQuery(since=since, until=until, limit=101, **filters)  # type: ignore[arg-type]
        works[f"search: {name}"] = lambda query=query: search.page(query)  # type: ignore[misc]
    for name, sql in _PANELS.items():
        works[name] = lambda sql=sql: postgres.fetch(sql, now - timedelta(days=_DAYS))  # type: ignore[misc]
    return works


async def _median_ms(work: Callable[[], Awaitable[object]]) -> float:
    await work()
    times = []
    for _ in range(_ROUNDS):
        started = time.perf_counter()
        await work()
        times.append(time.perf_counter() - started)
    return statistics.median(times) * 1000


async def _add_past_days(postgres: Postgres, now: datetime) -> None:
    """Give the days before today partitions, as if the store had run that long."""
    today = now.replace(hour=0, minute=0, second=0)
    await postgres.execute("ALTER TABLE collector.events DETACH PARTITION collector.events_past")
    for back in range(_DAYS + 1, 0, -1):
        day = today - timedelta(days=back)
        await postgres.execute(
            f"CREATE TABLE collector.events_{day:%Y%m%d} PARTITION OF collector.events"
            f" FOR VALUES FROM ('{day}') TO ('{day + timedelta(days=1)}')"
        )
    await postgres.execute(
        "ALTER TABLE collector.events ATTACH PARTITION collector.events_past"
        f" FOR VALUES FROM (MINVALUE) TO ('{today - timedelta(days=_DAYS + 1)}')"
    )


async def _fill(postgres: Postgres, now: datetime, size: int) -> None:
    started = time.perf_counter()
    await postgres.execute(_EMPTY)
    await _drop_indexes(postgres)
    await postgres.execute("ALTER TABLE collector.events DISABLE TRIGGER count_events")  # counted at once below
    first, step = now - timedelta(days=_DAYS), _DAYS * 86_400 / size
    await postgres.execute(_MAKE, first, 0, step, size - 1, timeout=7200)
    await postgres.execute("ALTER TABLE collector.events ENABLE TRIGGER count_events")
    for statement in _COUNT:
        await postgres.execute(statement, timeout=7200)
    upkeep = PostgresUpkeep(postgres)
    await upkeep.prepare()
    made = time.perf_counter()
    await upkeep.tidy(90)
    indexed = time.perf_counter()
    for table in ("collector.events", "collector.rolled_sources", "collector.severities_per_minute"):
        await postgres.execute(f"VACUUM (ANALYZE) {table}", timeout=7200)
    row = await postgres.fetchrow(
        "SELECT sum(pg_table_size(inhrelid)) / 1e6 AS rows, sum(pg_indexes_size(inhrelid)) / 1e6 AS indexes"
        " FROM pg_inherits WHERE inhparent = 'collector.events'::regclass"
    )
    print(
        f"{size:,} events: made in {made - started:.0f} s, tidied in {indexed - made:.0f} s;"
        f" {row['rows']:,.0f} MB of rows, {row['indexes']:,.0f} MB of indexes"
    )


async def _drop_indexes(postgres: Postgres) -> None:
    """Begin each size without those that upkeep makes."""
    for row in await postgres.fetch(
        "SELECT indexname FROM pg_indexes WHERE schemaname = 'collector'"
        " AND indexname ~ '^events_[0-9]{8}_(dataset|host|action|user|words)$'"
    ):
        await postgres.execute(f"DROP INDEX collector.{row['indexname']}")
