"""Lines that became no event, in the collector's tables, encrypted."""

from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from typing import Any, Final

import asyncpg
import msgspec

from sakimori_collector.adapters.errors import AWAY
from sakimori_collector.adapters.sealing import Sealer, Unreadable
from sakimori_collector.domain.reading import Rejected, Replay
from sakimori_collector.ports import KeptLine, LineFilter, LinePlace, RejectedCount
from sakimori_common.context import Postgres
from sakimori_common.instants import to_datetime, to_microseconds
from sakimori_common.postgres import unavailable

_KEEP = """
INSERT INTO collector.rejected_lines (id, source, format, reason, raw, length, identity, place, path, context, zone,
    reader, stamp, received_at, is_sealed)
SELECT *, true FROM unnest($1::uuid[], $2::text[], $3::text[], $4::text[], $5::bytea[], $6::bigint[], $7::text[],
    $8::bigint[], $9::text[], $10::text[], $11::text[], $12::text[], $13::jsonb[], $14::timestamptz[])
ON CONFLICT DO NOTHING
"""
_FOUND = """
($1::text IS NULL OR source = $1) AND ($2::text IS NULL OR reason = $2) AND ($3::text IS NULL OR format = $3)
AND ($4::timestamptz IS NULL OR received_at >= $4) AND ($5::timestamptz IS NULL OR received_at < $5)
AND ($6::uuid[] IS NULL OR id = ANY($6))
"""
_COLUMNS = (
    "id, source, format, reason, raw, length, identity, place, path, context, zone, reader, stamp, received_at, "
    "attempts, tried_at, is_sealed"
)
_BOUND_AT_ONCE: Final = 10_000
_SEAL_AT_ONCE: Final = 500
_MOST_COUNTS: Final = 200
"""Reasons and sources that are counted apart: there are as many reasons as attackers can make programs say."""


class PostgresQuarantine:
    """Quarantine in `collector.rejected_lines`."""

    def __init__(self, postgres: Postgres, sealer: Sealer) -> None:
        self._postgres = postgres
        self._sealer = sealer

    async def keep(self, lines: Sequence[Rejected]) -> None:
        """Keep lines in one statement."""
        if not lines:
            return
        columns = list(zip(*map(self._row, lines), strict=True))
        async with self._connection() as connection:
            await connection.execute(_KEEP, *(list(column) for column in columns))

    async def page(
        self, wanted: LineFilter, limit: int, at: LinePlace | None = None, *, is_newest_first: bool = True
    ) -> list[KeptLine]:
        """List lines beyond a place."""
        sign, order = ("<", "DESC") if is_newest_first else (">", "ASC")
        query = f"""
            SELECT {_COLUMNS} FROM collector.rejected_lines
            WHERE {_FOUND} AND ($7::timestamptz IS NULL OR (received_at, id) {sign} ($7, $8::uuid))
            ORDER BY received_at {order}, id {order} LIMIT $9
        """
        place = (to_datetime(at.received_at), at.id) if at is not None else (None, None)
        async with self._connection() as connection:
            rows = await connection.fetch(query, *_arguments(wanted), *place, limit)
        return [self._kept(row) for row in rows]

    async def counts(self, wanted: LineFilter) -> list[RejectedCount]:
        """Count lines by source and reason, the most frequent first."""
        query = f"""
            SELECT source, reason, count(*) AS lines, max(received_at) AS last FROM collector.rejected_lines
            WHERE {_FOUND} GROUP BY source, reason ORDER BY lines DESC, source, reason LIMIT {_MOST_COUNTS}
        """
        async with self._connection() as connection:
            rows = await connection.fetch(query, *_arguments(wanted))
        return [RejectedCount(row["source"], row["reason"], row["lines"], to_microseconds(row["last"])) for row in rows]

    async def remove(self, ids: Sequence[str]) -> None:
        """Forget lines that are events now."""
        async with self._connection() as connection:
            await connection.execute("DELETE FROM collector.rejected_lines WHERE id = ANY($1::uuid[])", list(ids))

    async def failed(self, reasons: Sequence[tuple[str, str]]) -> None:
        """Note another attempt with its reason."""
        query = """
            UPDATE collector.rejected_lines AS kept
            SET reason = tried.reason, attempts = attempts + 1, tried_at = now()
            FROM unnest($1::uuid[], $2::text[]) AS tried (id, reason) WHERE kept.id = tried.id
        """
        async with self._connection() as connection:
            await connection.execute(query, [each[0] for each in reasons], [each[1] for each in reasons])

    async def delete(self, wanted: LineFilter) -> int:
        """Delete what a filter finds."""
        async with self._connection() as connection:
            status = await connection.execute(
                f"DELETE FROM collector.rejected_lines WHERE {_FOUND}", *_arguments(wanted)
            )
        return int(status.rpartition(" ")[2])

    async def bound(self, max_bytes: int) -> int:
        """Delete the oldest beyond a size."""
        total, deleted = 0, _BOUND_AT_ONCE
        while deleted >= _BOUND_AT_ONCE:
            async with self._connection() as connection:
                deleted = await connection.fetchval(
                    "SELECT collector.bound_rejected_lines($1, $2)", max_bytes, _BOUND_AT_ONCE
                )
            total += deleted
        return total

    async def seal_all(self) -> int:
        """Encrypt what was kept before there was encryption; returns how many lines that were."""
        query = "SELECT id, raw FROM collector.rejected_lines WHERE NOT is_sealed LIMIT $1"
        seal = "UPDATE collector.rejected_lines SET raw = $2, is_sealed = true WHERE id = $1 AND NOT is_sealed"
        total = 0
        while True:
            async with self._connection() as connection:
                rows = await connection.fetch(query, _SEAL_AT_ONCE)
                sealed = [(row["id"], self._sealer.seal(row["raw"], str(row["id"]))) for row in rows]
                await connection.executemany(seal, sealed)
            total += len(rows)
            if len(rows) < _SEAL_AT_ONCE:
                return total

    @asynccontextmanager
    async def _connection(self) -> AsyncIterator[Any]:
        try:
            async with self._postgres.acquire() as connection, connection.transaction():
                yield connection
        except AWAY as error:
            raise unavailable(error) from error

    def _row(self, line: Rejected) -> tuple[object, ...]:
        replay = line.replay
        return (
            line.id,
            line.source,
            line.format,
            line.reason,
            self._sealer.seal(line.raw, line.id),
            line.length,
            replay.identity,
            replay.place,
            replay.path,
            replay.context,
            replay.zone,
            replay.reader,
            msgspec.json.encode(dict(replay.stamp)).decode(),
            to_datetime(replay.now),
        )

    def _kept(self, row: "asyncpg.Record") -> KeptLine:
        try:
            raw = self._sealer.unseal(row["raw"], str(row["id"])) if row["is_sealed"] else bytes(row["raw"])
            is_readable = True
        except Unreadable:
            raw, is_readable = b"", False
        received_at, tried_at = to_microseconds(row["received_at"]), row["tried_at"]
        replay = Replay(
            identity=row["identity"],
            place=row["place"],
            path=row["path"],
            context=row["context"],
            now=received_at,
            zone=row["zone"],
            stamp=msgspec.json.decode(row["stamp"]),
            reader=row["reader"],
        )
        rejected = Rejected(str(row["id"]), row["source"], row["format"], row["reason"], raw, row["length"], replay)
        tried = to_microseconds(tried_at) if tried_at is not None else None
        return KeptLine(rejected, received_at, row["attempts"], tried, is_readable)


def _arguments(wanted: LineFilter) -> tuple[object, ...]:
    return (
        wanted.source,
        wanted.reason,
        wanted.format,
        to_datetime(wanted.since) if wanted.since is not None else None,
        to_datetime(wanted.until) if wanted.until is not None else None,
        list(wanted.ids) if wanted.ids is not None else None,
    )
