"""The collector's tables."""

from collections.abc import Sequence

import asyncpg

from sakimori_collector.domain.reading import Rejected
from sakimori_collector.domain.rows import COLUMNS, Row
from sakimori_collector.ports import Checkpoint
from sakimori_common.bus import Reject
from sakimori_common.context import Postgres
from sakimori_common.postgres import CONNECTION_ERRORS, unavailable

_AWAY = (
    *CONNECTION_ERRORS,
    asyncpg.InsufficientResourcesError,
    asyncpg.OperatorInterventionError,
    asyncpg.TransactionRollbackError,
    asyncpg.ReadOnlySQLTransactionError,
)
"""The server is away, full, stopping, or asks for another try (deadlock): nothing the rows can do about it."""
_REFUSED = (asyncpg.DataError, asyncpg.IntegrityConstraintViolationError, asyncpg.ProgramLimitExceededError)

_STAGING = """
CREATE TEMPORARY TABLE IF NOT EXISTS incoming_events (
    time timestamptz, id uuid, dataset text, action text, outcome text, source_ip text, user_name text, fields jsonb
) ON COMMIT DELETE ROWS
"""
_INSERT = f"""
INSERT INTO collector.events ({", ".join(COLUMNS)})
SELECT time, id, dataset, action, outcome, source_ip::inet, user_name, fields FROM incoming_events
ON CONFLICT DO NOTHING
"""
_KEEP = """
INSERT INTO collector.rejected_lines (id, source, format, reason, raw)
SELECT * FROM unnest($1::uuid[], $2::text[], $3::text[], $4::text[], $5::bytea[]) ON CONFLICT DO NOTHING
"""
_SAVE = """
INSERT INTO collector.checkpoints (path, device, inode, fingerprint, position) VALUES ($1, $2, $3, $4, $5)
ON CONFLICT (path) DO UPDATE SET device = excluded.device, inode = excluded.inode,
    fingerprint = excluded.fingerprint, position = excluded.position, updated_at = now()
"""
_EXPIRE_AT_ONCE = 10_000
"""Rows that one statement deletes: some 100 ms, so that the store worker does not wait."""


class PostgresEventStore:
    """EventStore by COPY into a temporary table, then INSERT ... ON CONFLICT (23 % dearer than COPY alone)."""

    def __init__(self, postgres: Postgres) -> None:
        self._postgres = postgres

    async def write(self, rows: Sequence[Row]) -> int:
        """Write rows in one transaction; returns how many were new."""
        try:
            async with self._postgres.acquire() as connection, connection.transaction():
                await connection.execute(_STAGING)
                await connection.copy_records_to_table("incoming_events", records=rows, columns=COLUMNS)
                return _count(await connection.execute(_INSERT))
        except _REFUSED as error:
            raise Reject(f"PostgreSQL: {error}") from None
        except _AWAY as error:
            raise unavailable(error) from error

    async def expire(self, before_days: int) -> int:
        """Delete old events and old rejected lines, some at a time."""
        total = 0
        for function in ("expire_events", "expire_rejected_lines"):
            while True:
                try:
                    deleted = await self._postgres.fetchval(
                        f"SELECT collector.{function}(now() - make_interval(days => $1), $2)",
                        before_days,
                        _EXPIRE_AT_ONCE,
                    )
                except _AWAY as error:
                    raise unavailable(error) from error
                total += deleted
                if deleted < _EXPIRE_AT_ONCE:
                    break
        return total


class PostgresRejectedLines:
    """RejectedLines in `collector.rejected_lines`."""

    def __init__(self, postgres: Postgres) -> None:
        self._postgres = postgres

    async def keep(self, lines: Sequence[Rejected]) -> None:
        """Keep lines in one statement."""
        try:
            async with self._postgres.acquire() as connection, connection.transaction():
                await _keep(connection, lines)
        except _AWAY as error:
            raise unavailable(error) from error


class PostgresCheckpoints:
    """Checkpoints in `collector.checkpoints`."""

    def __init__(self, postgres: Postgres) -> None:
        self._postgres = postgres

    async def load(self, path: str) -> Checkpoint | None:
        """Read the checkpoint of a path."""
        try:
            row = await self._postgres.fetchrow(
                "SELECT path, device, inode, fingerprint, position FROM collector.checkpoints WHERE path = $1", path
            )
        except _AWAY as error:
            raise unavailable(error) from error
        return Checkpoint(**row) if row is not None else None

    async def save(self, checkpoint: Checkpoint, rejected: Sequence[Rejected]) -> None:
        """Advance and keep in one transaction."""
        try:
            async with self._postgres.acquire() as connection, connection.transaction():
                await _keep(connection, rejected)
                await connection.execute(
                    _SAVE,
                    checkpoint.path,
                    checkpoint.device,
                    checkpoint.inode,
                    checkpoint.fingerprint,
                    checkpoint.position,
                )
        except _AWAY as error:
            raise unavailable(error) from error


async def _keep(connection: "asyncpg.Connection", lines: Sequence[Rejected]) -> None:
    if lines:
        columns = zip(*((line.id, line.source, line.format, line.reason, line.raw) for line in lines), strict=True)
        await connection.execute(_KEEP, *(list(column) for column in columns))


def _count(status: str) -> int:
    """The number of rows in a command tag such as `INSERT 0 42`."""
    return int(status.rpartition(" ")[2])
