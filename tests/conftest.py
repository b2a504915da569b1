"""Real servers for the tests that ask for them; each is started at most once a run, when the first test wants it."""

import os
from collections.abc import AsyncIterator, Iterator
from pathlib import Path

import asyncpg
import pytest
from redis.asyncio import Redis

from sakimori.embedded import PostgresServer, ValkeyServer
from sakimori_common.context import Postgres, Valkey
from sakimori_common.postgres import open_postgres
from sakimori_common.valkey import open_valkey
from servers.chromium import Browser, Page, find_chromium, running_browser
from servers.databases import Databases
from servers.own_logs import streams_in
from servers.patience import PATIENT_SECONDS
from servers.rabbitmq import RabbitMQ, find_rabbitmq

_REPOSITORY = Path(__file__).resolve().parent.parent


@pytest.fixture(scope="session")
def _rabbitmq_of_run() -> Iterator[RabbitMQ]:
    server = find_rabbitmq()
    try:
        server.start()
        yield server
    finally:
        server.stop()


@pytest.fixture(scope="session")
def _databases_of_run(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Databases]:
    server = PostgresServer(tmp_path_factory.mktemp("postgres"), throwaway=True)
    try:
        server.start()
        yield Databases(server)
    finally:
        server.stop()


@pytest.fixture(scope="session")
def _valkey_of_run(tmp_path_factory: pytest.TempPathFactory) -> Iterator[ValkeyServer]:
    server = ValkeyServer(tmp_path_factory.mktemp("valkey"), throwaway=True)
    try:
        server.start()
        yield server
    finally:
        server.stop()


@pytest.fixture
def log_folder(tmp_path: Path) -> Iterator[Path]:
    """The folder that the code under test writes its four streams to."""
    with streams_in(tmp_path / "log"):
        yield tmp_path / "log"


@pytest.fixture
def rabbitmq(_rabbitmq_of_run: RabbitMQ) -> RabbitMQ:
    """The broker, running; a test may `kill()` and `start()` it."""
    if not _rabbitmq_of_run.is_running:
        _rabbitmq_of_run.start()
    return _rabbitmq_of_run


@pytest.fixture
def rabbitmq_url(rabbitmq: RabbitMQ) -> str:
    """A virtual host of its own."""
    return rabbitmq.fresh_url()


@pytest.fixture
def postgres_server(_databases_of_run: Databases) -> PostgresServer:
    """The database server, running; a test may `stop()`, `kill()` and `start()` it."""
    if not _databases_of_run.server.is_running:
        _databases_of_run.server.start()
    return _databases_of_run.server


@pytest.fixture
def _databases(postgres_server: PostgresServer, _databases_of_run: Databases) -> Databases:
    _databases_of_run.make_template()
    return _databases_of_run


@pytest.fixture
async def postgres_url(_databases: Databases) -> AsyncIterator[str]:
    """A migrated database of its own."""
    url = await _databases.create()
    yield url
    await _databases.drop(url)


@pytest.fixture
async def empty_postgres_url(postgres_server: PostgresServer, _databases_of_run: Databases) -> AsyncIterator[str]:
    """A database of its own, nothing in it."""
    url = await _databases_of_run.create(is_empty=True)
    yield url
    await _databases_of_run.drop(url)


@pytest.fixture
async def postgres(postgres_url: str) -> AsyncIterator[Postgres]:
    """A pool of connections to `postgres_url`."""
    pool: asyncpg.Pool = await open_postgres(postgres_url)
    yield pool
    pool.terminate()


@pytest.fixture
def valkey_server(_valkey_of_run: ValkeyServer) -> ValkeyServer:
    """Valkey, running; a test may `stop()`, `kill()` and `start()` it."""
    if not _valkey_of_run.is_running:
        _valkey_of_run.start()
    return _valkey_of_run


@pytest.fixture
async def valkey_url(valkey_server: ValkeyServer) -> str:
    """Valkey with nothing in it."""
    async with Redis.from_url(valkey_server.url) as client:
        await client.flushall()
        await client.script_flush()
    return valkey_server.url


@pytest.fixture
def valkey_timeout_seconds() -> float:
    """How long `valkey` waits for an answer; `AS_IN_SERVICES` makes that what services wait."""
    return PATIENT_SECONDS


@pytest.fixture
async def valkey(valkey_url: str, valkey_timeout_seconds: float) -> AsyncIterator[Valkey]:
    """A client of `valkey_url`."""
    client = open_valkey(valkey_url, timeout_seconds=valkey_timeout_seconds)
    yield client
    await client.aclose()


@pytest.fixture(scope="session")
def browser(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Browser]:
    """A real browser."""
    with running_browser(find_chromium(), tmp_path_factory.mktemp("browser")) as running:
        yield running


@pytest.fixture
async def page(browser: Browser) -> AsyncIterator[Page]:
    """An empty page of somebody who has not been here before."""
    async with browser.visitor() as opened:
        yield opened


@pytest.fixture
def development_data() -> Path:
    """The real, labelled data that is no part of this repository; for tests marked `data`."""
    folder = Path(os.environ.get("SAKIMORI_DATA", _REPOSITORY.parent / "shared" / "data"))
    if not folder.is_dir():
        pytest.skip(f"the development data is not at {folder}; SAKIMORI_DATA may name its place")
    return folder
