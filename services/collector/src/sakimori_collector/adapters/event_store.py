"""Events in the collector's table."""

from collections.abc import Sequence

from sakimori_collector.adapters.errors import AWAY, REFUSED
from sakimori_collector.domain.rows import COLUMNS, Row
from sakimori_common.bus import Reject
from sakimori_common.context import Postgres
from sakimori_common.postgres import unavailable

_STAGING = """
CREATE TEMPORARY TABLE IF NOT EXISTS incoming_events (
    time timestamptz, id uuid, dataset text, action text, outcome text, source_ip text, user_name text, fields jsonb,
    severity text, host text
) ON COMMIT DELETE ROWS
"""
_INSERT = f"""
INSERT INTO collector.events ({", ".join(COLUMNS)})
SELECT time, id, dataset, action, outcome, source_ip::inet, user_name, fields, severity, host FROM incoming_events
ON CONFLICT DO NOTHING
"""


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
        except REFUSED as error:
            raise Reject(f"PostgreSQL: {error}") from None
        except AWAY as error:
            raise unavailable(error) from error


def _count(status: str) -> int:
    """The number of rows in a command tag such as `INSERT 0 42`."""
    return int(status.rpartition(" ")[2])
