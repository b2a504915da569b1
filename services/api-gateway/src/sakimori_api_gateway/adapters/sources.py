"""Sources of logs on PostgreSQL: tokens in gateway.sources, what the collector saw through public.source_activity."""

from typing import Any

import asyncpg
import msgspec

from sakimori_api_gateway.adapters.postgres import connection, moment, optional_instant, transaction, write_entry
from sakimori_api_gateway.domain.records import AuditEntry
from sakimori_api_gateway.domain.sources import LogSource, NewLogSource
from sakimori_api_gateway.ports import Conflict, NotFound
from sakimori_common.context import Postgres

_COLUMNS = """
    coalesce(issued.name, seen.source) AS name,
    CASE WHEN issued.name IS NULL THEN 'seen' ELSE 'token' END AS kind,
    issued.format, issued.lines_per_second, issued.max_body_bytes, issued.silent_after_minutes,
    issued.created_by, issued.created_at, issued.revoked_by, issued.revoked_at,
    seen.first_seen_at, seen.last_seen_at, coalesce(seen.lines, 0) AS lines,
    CASE WHEN seen.silent_at IS NOT NULL THEN seen.last_seen_at END AS silent_since"""
_FROM = "FROM gateway.sources AS issued FULL JOIN public.source_activity AS seen ON seen.source = issued.name"
_ALL = f"SELECT {_COLUMNS} {_FROM} ORDER BY (issued.revoked_at IS NOT NULL), 1, issued.revoked_at DESC LIMIT 2000"
_ONE = f"SELECT {_COLUMNS} {_FROM} WHERE issued.id = $1"
_INSERT = """
    INSERT INTO gateway.sources (id, name, token_sha256, format, lines_per_second, max_body_bytes,
        silent_after_minutes, created_by, created_at)
    VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9)"""
_REVOKE = """
    UPDATE gateway.sources SET revoked_by = $2, revoked_at = $3 WHERE name = $1 AND revoked_at IS NULL RETURNING id"""
_INSTANTS = ("created_at", "revoked_at", "first_seen_at", "last_seen_at", "silent_since")


class PostgresLogSourceStore:
    """Sources of logs."""

    def __init__(self, postgres: Postgres) -> None:
        self._postgres = postgres

    async def all(self) -> list[LogSource]:
        """List sources."""
        async with connection(self._postgres) as borrowed:
            return [_source(row) for row in await borrowed.fetch(_ALL)]

    async def add(self, new: NewLogSource, entry: AuditEntry) -> LogSource:
        """Add a source. Raises Conflict when one of that name has a valid token."""
        async with transaction(self._postgres) as borrowed:
            given = [value for name, value in msgspec.structs.asdict(new).items()]
            try:
                await borrowed.execute(_INSERT, *given, entry.actor, moment(entry.at))
            except asyncpg.UniqueViolationError:
                raise Conflict(f"there is a source {new.name} already; revoke its token first") from None
            await write_entry(borrowed, entry)
            return _source(await borrowed.fetchrow(_ONE, new.id))

    async def revoke(self, name: str, entry: AuditEntry) -> LogSource:
        """Revoke a source's token. Raises NotFound when it has none that is valid."""
        async with transaction(self._postgres) as borrowed:
            identity = await borrowed.fetchval(_REVOKE, name, entry.actor, moment(entry.at))
            if identity is None:
                raise NotFound(f"there is no source {name} with a valid token")
            await write_entry(borrowed, entry)
            return _source(await borrowed.fetchrow(_ONE, identity))


def _source(row: Any) -> LogSource:
    return LogSource(**{**dict(row), **{name: optional_instant(row[name]) for name in _INSTANTS}})
