"""PostgreSQL: the pool every service uses, and the migrations."""

import asyncio
import re
from dataclasses import dataclass
from importlib.resources import files
from importlib.resources.abc import Traversable
from urllib.parse import parse_qs, urlsplit

import asyncpg

from sakimori_common.bus.errors import Unavailable

_LOCK = 0x53_41_4B_49
"""Advisory lock key ("SAKI"): one process migrates, the others wait for it."""

CONNECTION_ERRORS = (
    OSError,
    asyncpg.PostgresConnectionError,
    asyncpg.InterfaceError,
    asyncpg.CannotConnectNowError,
    asyncpg.AdminShutdownError,
    asyncpg.CrashShutdownError,
    asyncpg.TooManyConnectionsError,
    TimeoutError,
)
"""What asyncpg raises when the server is away; handlers turn it into `Unavailable`."""


class MigrationError(Exception):
    """A migration cannot be applied; the message names the file and what the server said."""


@dataclass(frozen=True, slots=True)
class Migration:
    """One numbered SQL file; `statements` are run one by one inside one transaction."""

    number: int
    name: str
    sql: str


async def open_postgres(
    url: str, *, min_size: int = 1, max_size: int = 8, timeout_seconds: float = 10.0
) -> "asyncpg.Pool":
    """Open a pool. Raises CONNECTION_ERRORS when the server does not answer in time."""
    return await asyncpg.create_pool(
        url, min_size=min_size, max_size=max_size, command_timeout=60, timeout=timeout_seconds
    )


def unavailable(error: BaseException) -> Unavailable:
    """Say that the database is away in the bus's words."""
    return Unavailable(f"PostgreSQL: {type(error).__name__}")


def migrations(folder: Traversable | None = None) -> list[Migration]:
    """List the migrations in order. Raises MigrationError for a file name without number, a gap or a repeat."""
    folder = folder or files("sakimori_common").joinpath("migrations")
    found = []
    for entry in folder.iterdir():
        if not entry.name.endswith(".sql"):
            continue
        match = re.fullmatch(r"(\d{4})_([a-z0-9_]+)\.sql", entry.name)
        if match is None:
            raise MigrationError(f"{entry.name}: name it like 0001_events.sql")
        found.append(Migration(int(match[1]), match[2], entry.read_text(encoding="utf-8")))
    found.sort(key=lambda migration: migration.number)
    if [migration.number for migration in found] != list(range(1, len(found) + 1)):
        raise MigrationError("migrations must be numbered 0001, 0002, ... without gap or repeat")
    return found


async def migrate(connection: "asyncpg.Connection", steps: list[Migration] | None = None) -> list[Migration]:
    """Apply what is not applied yet and return it; safe to call from many processes at once.

    Each file runs in a transaction of its own together with its entry in `public.schema_migrations`.
    Raises MigrationError when a file fails (nothing of it stays) or the database is newer than this code.
    """
    steps = migrations() if steps is None else steps
    await connection.execute("SELECT pg_advisory_lock($1)", _LOCK)
    try:
        await connection.execute(
            "CREATE TABLE IF NOT EXISTS public.schema_migrations "
            "(number int PRIMARY KEY, name text NOT NULL, applied_at timestamptz NOT NULL DEFAULT now())"
        )
        applied = await connection.fetchval("SELECT coalesce(max(number), 0) FROM public.schema_migrations")
        if applied > len(steps):
            raise MigrationError(f"the database is at migration {applied}, this version knows {len(steps)}: upgrade it")
        for step in steps[applied:]:
            await _apply(connection, step)
        return steps[applied:]
    finally:
        await connection.execute("SELECT pg_advisory_unlock($1)", _LOCK)


async def _apply(connection: "asyncpg.Connection", step: Migration) -> None:
    try:
        async with connection.transaction():
            await connection.execute(step.sql)
            await connection.execute(
                "INSERT INTO public.schema_migrations (number, name) VALUES ($1, $2)", step.number, step.name
            )
    except asyncpg.PostgresError as error:
        raise MigrationError(f"{step.number:04}_{step.name}.sql: {error}") from error


async def connect_with_patience(url: str, timeout_seconds: float, *, max_size: int = 8) -> "asyncpg.Pool":
    """Open a pool, waiting for a server that is still starting. Raises OSError that names it after the timeout."""
    deadline = asyncio.get_running_loop().time() + timeout_seconds
    while True:
        try:
            return await open_postgres(url, max_size=max_size)
        except CONNECTION_ERRORS as error:
            if asyncio.get_running_loop().time() > deadline:
                raise OSError(f"PostgreSQL at {_place(url)}: {str(error) or type(error).__name__}") from error
            await asyncio.sleep(0.25)
        except asyncpg.PostgresError as error:  # it answered (wrong password, no such database): waiting does not help
            raise OSError(f"PostgreSQL at {_place(url)}: {error}") from error


def _place(url: str) -> str:
    """Say where a URL leads, without who goes there."""
    parts = urlsplit(url)
    return parts.netloc.rpartition("@")[2] or parse_qs(parts.query).get("host", ["localhost"])[0]
