"""How far each file was read, in the collector's tables."""

from dataclasses import fields

from sakimori_collector.adapters.errors import AWAY
from sakimori_collector.ports import Checkpoint
from sakimori_common.context import Postgres
from sakimori_common.postgres import unavailable

_COLUMNS = [field.name for field in fields(Checkpoint)]
_LOAD = f"SELECT {', '.join(_COLUMNS)} FROM collector.checkpoints WHERE node = $1 AND path = $2"
_SAVE = f"""
INSERT INTO collector.checkpoints (node, {", ".join(_COLUMNS)})
VALUES ($1, {", ".join(f"${number}" for number in range(2, len(_COLUMNS) + 2))})
ON CONFLICT (node, path) DO UPDATE SET
    {", ".join(f"{name} = excluded.{name}" for name in _COLUMNS if name != "path")}, updated_at = now()
"""


class PostgresCheckpoints:
    """Checkpoints in `collector.checkpoints`, of the files of one node."""

    def __init__(self, postgres: Postgres, node: str) -> None:
        self._postgres = postgres
        self._node = node

    async def load(self, path: str) -> Checkpoint | None:
        """Read the checkpoint of a path."""
        try:
            row = await self._postgres.fetchrow(_LOAD, self._node, _storable(path))
        except AWAY as error:
            raise unavailable(error) from error
        return Checkpoint(**{**row, "path": path}) if row is not None else None

    async def save(self, checkpoint: Checkpoint) -> None:
        """Advance."""
        values = [getattr(checkpoint, name) for name in _COLUMNS]
        values[0] = _storable(checkpoint.path)
        try:
            await self._postgres.execute(_SAVE, self._node, *values)
        except AWAY as error:
            raise unavailable(error) from error


def _storable(path: str) -> str:
    """A name of a file need not be UTF-8 (PEP 383), a text column must."""
    return path.encode("utf-8", "backslashreplace").decode()
