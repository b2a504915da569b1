"""Advisory locks of PostgreSQL: of several replicas one reads a file, and when it dies another does at once."""

from collections.abc import Sequence
from typing import Any, Final

from sakimori_collector.adapters.errors import AWAY
from sakimori_common.context import Postgres
from sakimori_common.ids import digest
from sakimori_common.postgres import unavailable

_CLAIM: Final = """
SELECT number FROM unnest($1::int[], $2::bigint[]) AS wanted (number, key) WHERE pg_try_advisory_lock(key)
"""
_TIMEOUT_SECONDS: Final = 10.0


class PostgresClaims:
    """Claims on one connection of its own, with which they end: a killed process holds none.

    Not for concurrent use.
    """

    def __init__(self, postgres: Postgres, node: str) -> None:
        self._postgres = postgres
        self._node = node
        self._connection: Any = None
        self._held: set[str] = set()

    async def claim(self, names: Sequence[str]) -> set[str]:
        """Try those that are not held; one statement, and one to see that the connection lives."""
        try:
            connection = await self._open()
            wanted = [name for name in names if name not in self._held]
            keys = [self._key(name) for name in wanted]
            rows = await connection.fetch(_CLAIM, list(range(len(wanted))), keys, timeout=_TIMEOUT_SECONDS)
        except AWAY as error:
            await self.release()
            raise unavailable(error) from error
        self._held.update(wanted[row["number"]] for row in rows)
        return set(self._held)

    async def release(self) -> None:
        """Give the connection back, and with it all claims."""
        connection, self._connection = self._connection, None
        self._held = set()
        if connection is not None:
            try:
                await self._postgres.release(connection, timeout=_TIMEOUT_SECONDS)  # its reset unlocks
            except AWAY:
                connection.terminate()

    async def _open(self) -> Any:
        if self._connection is not None and self._connection.is_closed():
            await self.release()
        if self._connection is None:
            self._connection = await self._postgres.acquire(timeout=_TIMEOUT_SECONDS)
        return self._connection

    def _key(self, name: str) -> int:
        return int.from_bytes(digest("sakimori-input", self._node, name)[:8], "big", signed=True)
