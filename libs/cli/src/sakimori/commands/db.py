"""`sakimori db`: the database."""

import asyncio

import asyncpg
import typer

from sakimori.connect import database_url
from sakimori_common.postgres import CONNECTION_ERRORS, Migration, MigrationError
from sakimori_common.postgres import migrate as apply_migrations

db = typer.Typer(name="db", help="The database.", no_args_is_help=True)


@db.callback()
def _group() -> None:
    """The database."""


@db.command()
def migrate() -> None:
    """Bring the database of DATABASE_URL to this version's schema; nothing happens when it is there already."""
    try:
        applied = asyncio.run(_migrate(database_url()))
    except (MigrationError, *CONNECTION_ERRORS) as error:
        typer.echo(f"sakimori db migrate: {error}", err=True)
        raise typer.Exit(1) from None
    for step in applied:
        typer.echo(f"applied {step.number:04} {step.name}")
    if not applied:
        typer.echo("nothing to do: the database is up to date")


async def _migrate(url: str) -> list[Migration]:
    connection = await asyncpg.connect(url, timeout=10)
    try:
        return await apply_migrations(connection)
    finally:
        await connection.close()
