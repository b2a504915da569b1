"""The audit on PostgreSQL."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from functools import partial
from typing import Any

import msgspec

from sakimori_api_gateway.adapters.postgres import connection, instant, transaction, write_entry
from sakimori_api_gateway.domain.records import AuditEntry, AuditPage
from sakimori_api_gateway.ports import WriteEntry
from sakimori_common.context import Postgres

_COLUMNS = "id, at, actor, action, target, old, new, host(address) AS address"


class PostgresAuditLog:
    """Entries in gateway.audit, which refuses changes."""

    def __init__(self, postgres: Postgres) -> None:
        self._postgres = postgres

    @asynccontextmanager
    async def recording(self) -> AsyncIterator[WriteEntry]:
        """Open the audit for something that is done elsewhere within the block."""
        async with transaction(self._postgres) as borrowed:
            yield partial(write_entry, borrowed)

    async def write(self, entry: AuditEntry) -> None:
        """Add an entry for something that changed no table of the gateway's."""
        async with connection(self._postgres) as borrowed:
            await write_entry(borrowed, entry)

    async def history(self, target: str) -> list[AuditEntry]:
        """List the entries about one thing, oldest first; the first 1,000."""
        async with connection(self._postgres) as borrowed:
            rows = await borrowed.fetch(
                f"SELECT {_COLUMNS} FROM gateway.audit WHERE target = $1 ORDER BY id LIMIT 1000", target
            )
        return [_entry(row) for row in rows]

    async def page(self, before: int | None, limit: int) -> AuditPage:
        """List entries, newest first, below the number `before`."""
        async with connection(self._postgres) as borrowed:
            rows = await borrowed.fetch(
                f"SELECT {_COLUMNS} FROM gateway.audit WHERE $1::bigint IS NULL OR id < $1 ORDER BY id DESC LIMIT $2",
                before,
                limit + 1,
            )
        more = len(rows) > limit
        shown = rows[:limit]
        return AuditPage(entries=[_entry(row) for row in shown], before=shown[-1]["id"] if more else None)


def _entry(row: Any) -> AuditEntry:
    return AuditEntry(
        actor=row["actor"],
        action=row["action"],
        target=row["target"],
        old=None if row["old"] is None else msgspec.json.decode(row["old"]),
        new=None if row["new"] is None else msgspec.json.decode(row["new"]),
        address=row["address"],
        at=instant(row["at"]),
    )
