"""When each source was last seen, in `collector.source_activity`, and whose silence was told of."""

from collections.abc import AsyncIterator, Awaitable, Callable, Mapping, Sequence
from contextlib import asynccontextmanager
from datetime import timedelta
from typing import Any, Final

from sakimori_collector.adapters.errors import AWAY
from sakimori_collector.domain.silence import REGULAR_MINUTES, SilentSource
from sakimori_common.context import Postgres
from sakimori_common.instants import to_datetime, to_microseconds
from sakimori_common.postgres import unavailable

KEPT_DAYS: Final = 90
_AWAKE: Final = """
    SELECT source, last_seen_at FROM collector.source_activity
    WHERE source = ANY($1) AND silent_at IS NOT NULL FOR UPDATE"""
_SEEN: Final = """
    INSERT INTO collector.source_activity AS known (source, first_seen_at, last_seen_at, lines)
    SELECT source, $2, $2, lines FROM unnest($1::text[], $3::bigint[]) AS seen (source, lines)
    ON CONFLICT (source) DO UPDATE SET
        lines = known.lines + excluded.lines,
        active_minutes = known.active_minutes
            + (date_trunc('minute', excluded.last_seen_at) > date_trunc('minute', known.last_seen_at))::int,
        last_seen_at = greatest(known.last_seen_at, excluded.last_seen_at),
        silent_at = NULL"""
_SILENT: Final = f"""
    UPDATE collector.source_activity AS known SET silent_at = $1::timestamptz
    FROM (
        SELECT source, coalesce(
            (SELECT make_interval(mins => issued.silent_after_minutes) FROM public.ingest_sources AS issued
             WHERE issued.name = source AND issued.revoked_at IS NULL),
            $2::interval
        ) AS patience
        FROM collector.source_activity
        WHERE silent_at IS NULL AND active_minutes >= {REGULAR_MINUTES} AND NOT EXISTS (
            SELECT FROM public.ingest_sources AS issued WHERE issued.name = source
            HAVING count(*) > 0 AND count(*) FILTER (WHERE revoked_at IS NULL) = 0
        )
    ) AS regular
    WHERE known.source = regular.source AND known.silent_at IS NULL
        AND known.last_seen_at < $1::timestamptz - patience
        AND (known.last_seen_at - known.first_seen_at) / known.active_minutes <= patience
    RETURNING known.source, known.last_seen_at"""
"""Those whose token was revoked may be silent. Of several replicas one gets each row, and that one tells."""

Tell = Callable[[Sequence[SilentSource]], Awaitable[None]]


class PostgresSourceActivity:
    """SourceActivity: what is told and what is written stand or fall together."""

    def __init__(self, postgres: Postgres) -> None:
        self._postgres = postgres

    async def seen(self, lines: Mapping[str, int], now: int, tell: Tell) -> None:
        """Note that sources were seen, with so many lines more, and tell of those that had been silent."""
        names = sorted(lines)
        async with _transaction(self._postgres) as connection:
            awake = await connection.fetch(_AWAKE, names)
            await connection.execute(_SEEN, names, to_datetime(now), [lines[name] for name in names])
            if awake:
                await tell([_source(row) for row in awake])

    async def silent(self, after_minutes: int, now: int, tell: Tell) -> None:
        """Find the sources that fell silent, and tell of them."""
        async with _transaction(self._postgres) as connection:
            rows = await connection.fetch(_SILENT, to_datetime(now), timedelta(minutes=after_minutes))
            if rows:
                await tell([_source(row) for row in rows])
            oldest = to_datetime(now) - timedelta(days=KEPT_DAYS)
            await connection.execute("DELETE FROM collector.source_activity WHERE last_seen_at < $1", oldest)


@asynccontextmanager
async def _transaction(postgres: Postgres) -> AsyncIterator[Any]:
    try:
        async with postgres.acquire() as connection, connection.transaction():
            yield connection
    except AWAY as error:
        raise unavailable(error) from error


def _source(row: Any) -> SilentSource:
    return SilentSource(row["source"], to_microseconds(row["last_seen_at"]))
