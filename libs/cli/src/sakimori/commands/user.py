"""`sakimori user`: operators of the gateway, from the machine it runs on."""

import asyncio
import os
import sys
import time
from typing import Annotated, NoReturn

import typer

from sakimori.connect import database_url
from sakimori_api_gateway.adapters.passwords import Argon2Passwords
from sakimori_api_gateway.adapters.users import PostgresUserStore
from sakimori_api_gateway.domain.passwords import CredentialsError, check_password, check_user_name
from sakimori_api_gateway.domain.records import AuditEntry, User
from sakimori_api_gateway.domain.roles import Role
from sakimori_api_gateway.ports import Conflict
from sakimori_common.bus import Unavailable
from sakimori_common.instants import format_instant
from sakimori_common.postgres import CONNECTION_ERRORS, open_postgres

user = typer.Typer(name="user", help="Operators of the gateway.", no_args_is_help=True)

_CONNECT_SECONDS = 5.0


@user.callback()
def _group() -> None:
    """Operators of the gateway."""


@user.command()
def add(
    name: Annotated[str, typer.Argument(help="1-64 of a-z 0-9 . _ -")],
    role: Annotated[Role, typer.Option(help="What the operator may do.")] = Role.VIEWER,
) -> None:
    """Add an operator to the database of DATABASE_URL.

    The password is asked for on a terminal, else read from the first line of standard input.
    """
    url = database_url()
    try:
        check_user_name(name)
        password = _password(name)
        check_password(name, password)
        asyncio.run(_add(url, name, role, password))
    except (CredentialsError, Conflict, Unavailable) as error:
        _fail(str(error))
    except CONNECTION_ERRORS as error:
        _fail(f"PostgreSQL does not answer: {type(error).__name__}")
    typer.echo(f"{name} may log in as {role.value}")


def _password(name: str) -> str:
    if sys.stdin.isatty():
        return str(typer.prompt(f"Password for {name}", hide_input=True, confirmation_prompt=True, err=True))
    return sys.stdin.readline(4096).rstrip("\r\n")


async def _add(url: str, name: str, role: Role, password: str) -> None:
    now = format_instant(time.time_ns() // 1000)
    new = User(name=name, role=role, created_at=now, password_changed_at=now)
    actor = f"command line ({os.environ.get('USER') or os.getuid()})"
    entry = AuditEntry(actor=actor, action="user_added", target=f"user:{name}", new={"role": role.value}, at=now)
    postgres = await open_postgres(url, max_size=1, timeout_seconds=_CONNECT_SECONDS)
    try:
        await PostgresUserStore(postgres).add(new, await Argon2Passwords().hash(password), entry)
    finally:
        await postgres.close()


def _fail(reason: str) -> NoReturn:
    typer.echo(f"sakimori user add: {reason}", err=True)
    raise typer.Exit(1)
