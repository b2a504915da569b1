"""Keep what stands in PostgreSQL in memory: read anew when a trigger says so, and every second."""

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager, suppress
from typing import Any, Final

import asyncpg
import structlog

from sakimori_common.context import Postgres
from sakimori_common.postgres import CONNECTION_ERRORS
from sakimori_common.tasks import Background, end_tasks

POLL_SECONDS: Final = 1.0
"""A change is known after so long even where its notification was lost."""
FIRST_READ_SECONDS: Final = 3.0
"""How long a start waits for the first reading; then the service opens with what it has."""
ANSWER_SECONDS: Final = 5.0
FAILURES: Final = (*CONNECTION_ERRORS, asyncpg.PostgresError, asyncpg.InternalClientError)
"""Whatever keeps the database from answering; the next try comes in a second."""

Read = Callable[[Any], Awaitable[None]]
"""Reads by a connection and keeps what it read. An answer may take ANSWER_SECONDS."""
"""Starts a task that lasts as long as the service (`ServiceContext.background`)."""


@asynccontextmanager
async def following(
    postgres: Postgres, channel: str, read: Read, log: structlog.stdlib.BoundLogger, background: Background
) -> AsyncIterator[None]:
    """Call `read` once before the block begins (if the database answers in time) and again with every change.

    `channel` is what the table's trigger notifies. Holds one connection of the pool.
    """
    is_read = asyncio.Event()
    task = background(_follow_for_ever(postgres, channel, read, log, is_read), channel)
    with suppress(TimeoutError):
        async with asyncio.timeout(FIRST_READ_SECONDS):
            await is_read.wait()
    try:
        yield
    finally:
        await end_tasks(task)


async def _follow_for_ever(
    postgres: Postgres, channel: str, read: Read, log: structlog.stdlib.BoundLogger, is_read: asyncio.Event
) -> None:
    while True:
        try:
            async with asyncio.timeout(ANSWER_SECONDS):
                connection = await postgres.acquire()
            try:
                await _follow(connection, channel, read, is_read)
            finally:
                await postgres.release(connection, timeout=ANSWER_SECONDS)
        except FAILURES as error:
            log.warning("database_not_read", channel=channel, reason=type(error).__name__)
        await asyncio.sleep(POLL_SECONDS)


async def _follow(connection: Any, channel: str, read: Read, is_read: asyncio.Event) -> None:
    changed = asyncio.Event()

    def hear(*_: object) -> None:
        changed.set()

    await connection.add_listener(channel, hear)
    try:
        while True:
            changed.clear()
            async with asyncio.timeout(ANSWER_SECONDS):
                await read(connection)
            is_read.set()
            with suppress(TimeoutError):
                async with asyncio.timeout(POLL_SECONDS):
                    await changed.wait()
    finally:
        with suppress(*FAILURES):
            await connection.remove_listener(channel, hear)
