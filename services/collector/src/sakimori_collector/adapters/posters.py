"""Who may post: the deployment's own token, and those that the gateway issues."""

import asyncio
import hmac
import time
from collections.abc import AsyncIterator, Iterable
from contextlib import asynccontextmanager, suppress
from hashlib import sha256
from typing import Any, Final

import structlog

from sakimori_collector.adapters.errors import AWAY
from sakimori_collector.domain.formats import AUTO, FORMATS
from sakimori_collector.domain.wire.posters import Poster
from sakimori_common.bus import Unavailable
from sakimori_common.context import Postgres

OWN_NAME: Final = "http"
"""The source of whoever shows INGEST_TOKEN."""
CHANNEL: Final = "ingest_sources"
POLL_SECONDS: Final = 1.0
"""A revoked token is out after so long even where the notification was lost."""
STALE_SECONDS: Final = 5.0
_ANSWER_SECONDS: Final = 5.0
_READ: Final = """
    SELECT name, token_sha256, format, lines_per_second, max_body_bytes FROM public.ingest_sources
    WHERE revoked_at IS NULL"""
_INDEX_BYTES: Final = 8


class PostgresPosters:
    """Posters in memory, read anew when the gateway says that they changed, and each second.

    While the database is away those that are known stay so; of others nobody can tell.
    """

    def __init__(self, postgres: Postgres, own_token: str, log: structlog.stdlib.BoundLogger) -> None:
        self._postgres = postgres
        self._log = log
        self._own = (_digest(own_token), Poster(OWN_NAME))
        self._known = _indexed([self._own])
        self._read_at = -STALE_SECONDS

    def find(self, token: str) -> Poster | None:
        """Tell whose a token is. Raises Unavailable."""
        digest = _digest(token)
        # Found by a part of the digest, which nobody can aim at; compared in constant time all the same.
        known = self._known.get(digest[:_INDEX_BYTES])
        if known is not None and hmac.compare_digest(known[0], digest):
            return known[1]
        if time.monotonic() - self._read_at > STALE_SECONDS:
            raise Unavailable("PostgreSQL: the sources' tokens cannot be read")
        return None

    @asynccontextmanager
    async def running(self) -> AsyncIterator[None]:
        """Keep up with the gateway until the block ends."""
        is_read = asyncio.Event()
        task = asyncio.create_task(self._run(is_read), name="collector-posters")
        with suppress(TimeoutError):
            async with asyncio.timeout(_ANSWER_SECONDS):
                await is_read.wait()
        try:
            yield
        finally:
            task.cancel()
            with suppress(asyncio.CancelledError):
                await task

    async def _run(self, is_read: asyncio.Event) -> None:
        while True:
            try:
                async with self._postgres.acquire() as connection:
                    await self._follow(connection, is_read)
            except AWAY as error:
                self._log.warning("tokens_not_read", reason=type(error).__name__)
            await asyncio.sleep(POLL_SECONDS)

    async def _follow(self, connection: Any, is_read: asyncio.Event) -> None:
        changed = asyncio.Event()

        def hear(*_: object) -> None:
            changed.set()

        await connection.add_listener(CHANNEL, hear)
        try:
            while True:
                changed.clear()
                rows = await connection.fetch(_READ, timeout=_ANSWER_SECONDS)
                self._known = _indexed([self._own, *((bytes(row["token_sha256"]), _poster(row)) for row in rows)])
                self._read_at = time.monotonic()
                is_read.set()
                with suppress(TimeoutError):
                    async with asyncio.timeout(POLL_SECONDS):
                        await changed.wait()
        finally:
            with suppress(*AWAY):
                await connection.remove_listener(CHANNEL, hear)


def _digest(token: str) -> bytes:
    return sha256(token.encode("utf-8", "surrogateescape")).digest()


def _indexed(posters: Iterable[tuple[bytes, Poster]]) -> dict[bytes, tuple[bytes, Poster]]:
    return {digest[:_INDEX_BYTES]: (digest, poster) for digest, poster in posters}


def _poster(row: Any) -> Poster:
    """Read a row; a format that this version does not know is `auto`, so that a source is not locked out by it."""
    known = row["format"] if row["format"] in FORMATS else AUTO
    return Poster(row["name"], known, row["lines_per_second"], row["max_body_bytes"])
