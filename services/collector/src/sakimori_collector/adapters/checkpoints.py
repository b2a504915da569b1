"""How far each file was read, in the collector's tables."""

from collections.abc import Sequence

from sakimori_collector.adapters.errors import AWAY
from sakimori_collector.adapters.quarantine import keep_rejected
from sakimori_collector.domain.reading import Rejected
from sakimori_collector.ports import Checkpoint
from sakimori_common.context import Postgres
from sakimori_common.postgres import unavailable

_SAVE = """
INSERT INTO collector.checkpoints (path, device, inode, fingerprint, position) VALUES ($1, $2, $3, $4, $5)
ON CONFLICT (path) DO UPDATE SET device = excluded.device, inode = excluded.inode,
    fingerprint = excluded.fingerprint, position = excluded.position, updated_at = now()
"""


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
        except AWAY as error:
            raise unavailable(error) from error
        return Checkpoint(**row) if row is not None else None

    async def save(self, checkpoint: Checkpoint, rejected: Sequence[Rejected]) -> None:
        """Advance and keep in one transaction."""
        try:
            async with self._postgres.acquire() as connection, connection.transaction():
                await keep_rejected(connection, rejected)
                await connection.execute(
                    _SAVE,
                    checkpoint.path,
                    checkpoint.device,
                    checkpoint.inode,
                    checkpoint.fingerprint,
                    checkpoint.position,
                )
        except AWAY as error:
            raise unavailable(error) from error
