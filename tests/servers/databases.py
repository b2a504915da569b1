"""A fresh, migrated database for each test, cloned from one that was migrated once."""

import asyncio
import itertools
import os
from concurrent.futures import ThreadPoolExecutor

import asyncpg

from sakimori.embedded import PostgresServer
from sakimori_common.postgres import migrate

_TEMPLATE = "migrated"


class Databases:
    """Databases of one embedded server."""

    def __init__(self, server: PostgresServer) -> None:
        self.server = server
        self._numbers = itertools.count(1)
        self._has_template = False

    def make_template(self) -> None:
        """Migrate the database that all others are cloned from; blocks, with an event loop of its own."""
        if not self._has_template:
            with ThreadPoolExecutor(1) as thread:
                thread.submit(asyncio.run, self._migrate()).result()
            self._has_template = True

    async def _migrate(self) -> None:
        await self._execute(f"CREATE DATABASE {_TEMPLATE}")
        connection = await asyncpg.connect(self.server.url_of(_TEMPLATE))
        try:
            await migrate(connection)
        finally:
            await connection.close()

    async def create(self, *, is_empty: bool = False) -> str:
        """Make a database and return its URL; `is_empty` without the migrations.

        Its files are copied, 30 ms; by way of the log, as servers do it by themselves, it takes 400.
        """
        name = f"test_{os.getpid()}_{next(self._numbers)}"
        template = "template0" if is_empty else _TEMPLATE
        await self._execute(f"CREATE DATABASE {name} TEMPLATE {template} STRATEGY file_copy")
        return self.server.url_of(name)

    async def drop(self, url: str) -> None:
        """Remove a database, whoever is still connected."""
        name = url.partition("@/")[2].partition("?")[0]
        if self.server.is_running:
            await self._execute(f"DROP DATABASE IF EXISTS {name} WITH (FORCE)")

    async def _execute(self, statement: str) -> None:
        connection = await asyncpg.connect(self.server.url)
        try:
            await connection.execute(statement)
        finally:
            await connection.close()
