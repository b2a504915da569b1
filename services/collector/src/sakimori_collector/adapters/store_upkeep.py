"""What the event store needs done beside writing, through functions of migration 0013."""

from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from typing import Any, Final

import asyncpg

from sakimori_collector.adapters.errors import AWAY
from sakimori_collector.ports import Tidied
from sakimori_common.context import Postgres
from sakimori_common.postgres import unavailable

_POSTPONED: Final = (*AWAY, asyncpg.LockNotAvailableError)
_MINUTE, _HOUR = 0x53_41_4B_01, 0x53_41_4B_02
"""Advisory locks: one replica does it, the others have nothing to do meanwhile."""
_LONGEST_SECONDS: Final = 3600.0
_AT_ONCE: Final = 10_000
"""Rejected lines that one statement deletes: some 100 ms."""
_DAYS_AHEAD = "date_trunc('day', now(), 'UTC') + INTERVAL '72 hours'"
_LAG = "now() - INTERVAL '1 minute'"
"""Sources are rolled up when most of their events are there; what is later still is counted as it comes."""


class PostgresUpkeep:
    """Upkeep of `collector.events` and what belongs to it."""

    def __init__(self, postgres: Postgres) -> None:
        self._postgres = postgres

    async def set_retention(self, retention: Mapping[str, int]) -> bool:
        """Say how long datasets are kept; tells whether that is a change."""
        async with self._connection() as connection:
            changed: bool = await connection.fetchval(
                "SELECT collector.set_retention($1, $2)", [*retention], [*retention.values()]
            )
            return changed

    async def prepare(self) -> None:
        """Make the next days and roll up the last minutes."""
        async with self._alone(_MINUTE) as connection:
            if connection is not None:
                await connection.execute(f"SELECT collector.add_days({_DAYS_AHEAD})")
                await _roll_up(connection)

    async def tidy(self, rejected_days: int) -> Tidied | None:
        """Delete what is too old, then make the indexes of days that are over."""
        async with self._alone(_HOUR) as connection:
            if connection is None:
                return None
            await _roll_up(connection)  # what is deleted stays counted
            days = await _ask(connection, "SELECT collector.drop_days(now())")
            events = await _sweep(connection)
            lines = await _expire_rejected(connection, rejected_days)
            await _ask(connection, "SELECT collector.expire_counts(now() - INTERVAL '400 days')")
            return Tidied(days, events, lines, await _index(connection))

    @asynccontextmanager
    async def _connection(self) -> AsyncIterator[Any]:
        try:
            async with self._postgres.acquire() as connection:
                yield connection
        except _POSTPONED as error:
            raise unavailable(error) from error

    @asynccontextmanager
    async def _alone(self, lock: int) -> AsyncIterator[Any]:
        """Borrow a connection that holds a lock; None where another replica has it."""
        async with self._connection() as connection:
            if not await connection.fetchval("SELECT pg_try_advisory_lock($1)", lock):
                yield None
                return
            try:
                yield connection
            finally:
                if not connection.is_closed():
                    await connection.execute("SELECT pg_advisory_unlock($1)", lock)


async def _ask(connection: Any, statement: str, *values: object) -> Any:
    return await connection.fetchval(statement, *values, timeout=_LONGEST_SECONDS)


async def _roll_up(connection: Any) -> None:
    while await _ask(connection, f"SELECT collector.roll_up_sources({_LAG})") is not None:
        pass


async def _sweep(connection: Any) -> int:
    """Delete what is kept for less than whole days are, some hours at a time."""
    total = 0
    for row in await connection.fetch("SELECT DISTINCT days FROM collector.retention"):
        until = None
        while True:
            slice_ = await connection.fetchrow(
                "SELECT until_at, deleted FROM collector.sweep($1, $2, now())",
                row["days"],
                until,
                timeout=_LONGEST_SECONDS,
            )
            total += slice_["deleted"]
            until = slice_["until_at"]
            if until is None:
                break
    return total


async def _expire_rejected(connection: Any, days: int) -> int:
    total, deleted = 0, _AT_ONCE
    while deleted == _AT_ONCE:
        deleted = await _ask(
            connection,
            "SELECT collector.expire_rejected_lines(now() - make_interval(days => $1), $2)",
            days,
            _AT_ONCE,
        )
        total += deleted
    return total


async def _index(connection: Any) -> int:
    """Make one index after the other: a day is searched by time until it has them."""
    made = 0
    while statement := await _ask(connection, "SELECT statement FROM collector.indexes_to_make(now()) LIMIT 1"):
        await connection.execute(statement, timeout=_LONGEST_SECONDS)  # CONCURRENTLY, so in no transaction
        made += statement.startswith("CREATE")
    return made
