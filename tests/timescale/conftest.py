"""The store on TimescaleDB; `make test-timescale` runs this folder, `make test` does not."""

import asyncio
from collections.abc import AsyncIterator, Iterator
from typing import Any

import asyncpg
import pytest

from sakimori_common.postgres import migrate
from servers.timescale import NoTimescale, timescale_server

pytest.register_assert_rewrite("store_suite")

_EMPTY = """
SET session_replication_role = replica;  -- or the audit trail would refuse
DO $$
BEGIN
    EXECUTE (
        SELECT 'TRUNCATE ' || string_agg(format('%I.%I', schemaname, tablename), ', ')
        FROM pg_tables WHERE schemaname IN ('collector', 'detector', 'notifier', 'gateway', 'sensor', 'chat')
            AND tablename <> 'retention'
    );
END
$$;
RESET session_replication_role;
"""


@pytest.fixture(scope="session")
def _shared_url() -> Iterator[str]:
    try:
        with timescale_server() as url:
            yield url
    except NoTimescale as error:
        pytest.fail(str(error), pytrace=False)


@pytest.fixture
async def store(_shared_url: str) -> AsyncIterator[Any]:
    """A connection to a migrated database with nothing in it; tests that refresh or compress take `fresh_store`."""
    connection = await _only_client(_shared_url)
    await migrate(connection)
    await connection.execute(_EMPTY)
    yield connection
    await connection.execute("DEALLOCATE ALL")  # all clients share one backend
    connection.terminate()


@pytest.fixture
async def fresh_store() -> AsyncIterator[Any]:
    """A connection to a server that no other test used: how far a refresh came can't be set back. Costs 4 s."""
    with timescale_server() as url:
        connection = await asyncpg.connect(url)
        await migrate(connection)
        yield connection
        connection.terminate()


async def _only_client(url: str) -> Any:
    """Connect once the server noticed that the client before has left; until then it closes new connections."""
    for _ in range(200):
        try:
            return await asyncpg.connect(url)
        except (asyncpg.PostgresConnectionError, ConnectionError):
            await asyncio.sleep(0.01)
    return await asyncpg.connect(url)
