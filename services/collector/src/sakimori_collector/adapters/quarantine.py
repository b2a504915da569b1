"""Lines that became no event, in the collector's tables."""

from collections.abc import Sequence
from typing import Any

from sakimori_collector.adapters.errors import AWAY
from sakimori_collector.domain.reading import Rejected
from sakimori_common.context import Postgres
from sakimori_common.postgres import unavailable

_KEEP = """
INSERT INTO collector.rejected_lines (id, source, format, reason, raw)
SELECT * FROM unnest($1::uuid[], $2::text[], $3::text[], $4::text[], $5::bytea[]) ON CONFLICT DO NOTHING
"""


class PostgresRejectedLines:
    """RejectedLines in `collector.rejected_lines`."""

    def __init__(self, postgres: Postgres) -> None:
        self._postgres = postgres

    async def keep(self, lines: Sequence[Rejected]) -> None:
        """Keep lines in one statement."""
        try:
            async with self._postgres.acquire() as connection, connection.transaction():
                await keep_rejected(connection, lines)
        except AWAY as error:
            raise unavailable(error) from error


async def keep_rejected(connection: Any, lines: Sequence[Rejected]) -> None:
    """Keep lines within a transaction that is open."""
    if lines:
        columns = zip(*((line.id, line.source, line.format, line.reason, line.raw) for line in lines), strict=True)
        await connection.execute(_KEEP, *(list(column) for column in columns))
