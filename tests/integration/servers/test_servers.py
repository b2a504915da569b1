"""The servers that other tests stand on, and that `make run` embeds."""

import asyncio
import sys
from pathlib import Path

import aiormq
import asyncpg
import psutil
import pytest

from sakimori.embedded import (
    EmbeddedServerError,
    PostgresServer,
    ValkeyServer,
    embedded_postgres,
    embedded_valkey,
)
from sakimori.embedded.server import is_running
from sakimori_common.context import Postgres, Valkey
from sakimori_common.valkey import open_valkey
from servers.eventually import eventually
from servers.rabbitmq import RabbitMQ


async def test_each_test_has_a_virtual_host_of_its_own(rabbitmq: RabbitMQ, rabbitmq_url: str) -> None:
    other_url = rabbitmq.fresh_url()
    async with aiormq.connect(rabbitmq_url) as one, aiormq.connect(other_url) as other:
        await (await one.channel()).queue_declare("mine", durable=True)
        with pytest.raises(aiormq.ChannelNotFoundEntity):
            await (await other.channel()).queue_declare("mine", passive=True)


async def test_the_database_is_migrated(postgres: Postgres) -> None:
    assert await postgres.fetchval("SELECT count(*) FROM public.schema_migrations") > 0


async def test_an_empty_database_is_empty(empty_postgres_url: str) -> None:
    connection = await asyncpg.connect(empty_postgres_url)
    tables = await connection.fetchval("SELECT count(*) FROM pg_tables WHERE schemaname = 'public'")
    await connection.close()
    assert tables == 0


async def test_valkey_is_empty_at_the_start_of_a_test(valkey: Valkey) -> None:
    assert await valkey.dbsize() == 0
    assert await valkey.set("left", "behind")


async def test_what_was_stored_is_there_at_the_second_start(tmp_path: Path) -> None:
    async with embedded_postgres(tmp_path) as postgres_url, embedded_valkey(tmp_path) as valkey_url:
        connection = await asyncpg.connect(postgres_url)
        await connection.execute("CREATE TABLE kept AS SELECT 7 AS number")
        await connection.close()
        async with open_valkey(valkey_url) as valkey:
            await valkey.set("kept", "8")
    async with embedded_postgres(tmp_path) as postgres_url, embedded_valkey(tmp_path) as valkey_url:
        connection = await asyncpg.connect(postgres_url)
        assert await connection.fetchval("SELECT number FROM kept") == 7
        await connection.close()
        async with open_valkey(valkey_url) as valkey:
            assert await valkey.get("kept") == b"8"


async def test_servers_that_were_killed_come_back_with_their_data(tmp_path: Path) -> None:
    postgres, valkey = PostgresServer(tmp_path), ValkeyServer(tmp_path)
    postgres.start()
    valkey.start()
    try:
        connection = await asyncpg.connect(postgres.url)
        await connection.execute("CREATE TABLE kept AS SELECT 7 AS number")
        async with open_valkey(valkey.url) as client:
            await client.set("kept", "8")
        postgres.kill()
        valkey.kill()
        connection.terminate()
        postgres.start()
        valkey.start()
        connection = await asyncpg.connect(postgres.url)
        assert await connection.fetchval("SELECT number FROM kept") == 7
        await connection.close()
        async with open_valkey(valkey.url) as client:
            assert await client.get("kept") == b"8"
    finally:
        postgres.stop()
        valkey.stop()


async def test_a_folder_in_use_is_refused_with_a_sentence(tmp_path: Path) -> None:
    async with embedded_valkey(tmp_path):
        with pytest.raises(EmbeddedServerError, match="in use by another sakimori"):
            async with embedded_valkey(tmp_path):
                pass


async def test_data_of_another_major_version_is_refused_with_a_sentence(tmp_path: Path) -> None:
    async with embedded_postgres(tmp_path):
        pass
    (tmp_path / "postgres" / "PG_VERSION").write_text("9\n")
    with pytest.raises(EmbeddedServerError, match="was written by PostgreSQL 9"):
        async with embedded_postgres(tmp_path):
            pass


async def test_a_long_path_still_gets_a_socket(tmp_path: Path) -> None:
    home = tmp_path / ("long" * 25)
    async with embedded_postgres(home) as url:
        connection = await asyncpg.connect(url)
        assert await connection.fetchval("SELECT 1") == 1
        await connection.close()


_HOLDER = """
import asyncio, sys
from pathlib import Path
from sakimori.embedded import embedded_postgres, embedded_valkey

async def main():
    home = Path(sys.argv[1])
    async with embedded_postgres(home), embedded_valkey(home):
        print("ready", flush=True)
        await asyncio.Event().wait()

asyncio.run(main())
"""


async def test_servers_end_with_the_process_that_was_killed(tmp_path: Path) -> None:
    holder = await asyncio.create_subprocess_exec(
        sys.executable, "-c", _HOLDER, tmp_path, stdout=asyncio.subprocess.PIPE
    )
    assert holder.stdout is not None
    assert await holder.stdout.readline() == b"ready\n"
    servers = [psutil.Process(int(line)) for line in _pids(tmp_path)]
    assert len(servers) == 2
    holder.kill()
    await holder.wait()
    await eventually(lambda: not any(is_running(server) for server in servers))
    async with embedded_postgres(tmp_path) as url, embedded_valkey(tmp_path):
        connection = await asyncpg.connect(url)
        assert await connection.fetchval("SELECT 1") == 1
        await connection.close()


def _pids(home: Path) -> list[str]:
    files = (home / "postgres" / "postmaster.pid", home / "valkey" / "valkey.pid")
    return [file.read_text().split()[0] for file in files]


async def test_the_pid_of_a_dead_server_may_belong_to_anyone(tmp_path: Path) -> None:
    """After kill -9 the pid file stays; whoever has that pid now must neither be stopped nor hinder the start."""
    server = PostgresServer(tmp_path)
    server.start()
    pid_file = tmp_path / "postgres" / "postmaster.pid"
    server.kill()
    bystander = await asyncio.create_subprocess_exec("sleep", "60")
    try:
        lines = pid_file.read_text().splitlines()
        pid_file.write_text("\n".join([str(bystander.pid), *lines[1:]]) + "\n")
        server.start()
        server.stop()
        assert bystander.returncode is None
    finally:
        bystander.kill()
        await bystander.wait()
