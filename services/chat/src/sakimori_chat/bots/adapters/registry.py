"""The bots, from PostgreSQL, in memory."""

import asyncio
import time
from collections.abc import AsyncIterator, Callable, Sequence
from contextlib import asynccontextmanager, suppress
from dataclasses import replace
from hashlib import sha256
from typing import Any, Final

import asyncpg
import structlog

from sakimori_chat.adapters.following import FAILURES, following
from sakimori_chat.bots.adapters import rows as sql
from sakimori_chat.bots.adapters.rows import BotRows
from sakimori_chat.bots.adapters.sealing import Sealer
from sakimori_chat.bots.domain.device import Bot, BotSecret, BotStatus, StatusChange, may_become
from sakimori_chat.bots.metrics import BotMetrics
from sakimori_chat.bots.ports import BotListener, NameTaken, NotAllowed, Registration, TooManyPending
from sakimori_chat.ports import StoreUnavailable
from sakimori_common.context import Postgres
from sakimori_common.tasks import Background, end_tasks

CHANNEL: Final = "chat_bots"
STALE_SECONDS: Final = 5.0
"""From that age on the memory is not believed: a bot that was blocked meanwhile must not come in."""
UPKEEP_SECONDS: Final = 5.0
"""How often bots that were heard are written down, and what has expired is taken away."""
_CHANGE_SECONDS: Final = 3.0


class PostgresBotRegistry:
    """See BotRegistry. Read anew at each change and each second; who changes something waits until it is read back."""

    def __init__(
        self,
        postgres: Postgres,
        sealer: Sealer,
        log: structlog.stdlib.BoundLogger,
        metrics: BotMetrics,
        *,
        pending_limit: int,
        pending_seconds: float,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self._postgres = postgres
        self._sealer = sealer
        self._rows = BotRows(sealer, log)
        self._log = log
        self._metrics = metrics
        self._pending_limit = pending_limit
        self._pending_seconds = pending_seconds
        self._clock = clock
        self._bots: dict[str, Bot] = {}
        self._read_at = -STALE_SECONDS - 1
        self._reading = asyncio.Lock()
        self._seen: dict[str, float] = {}
        self._listeners: list[BotListener] = []
        metrics.registry_age_seconds.set_function(lambda: self._clock() - self._read_at)

    @asynccontextmanager
    async def running(self, background: Background) -> AsyncIterator[None]:
        """Keep up with the database until the block ends."""
        async with following(self._postgres, CHANNEL, self._read, self._log, background):
            upkeep = background(self._upkeep(), "bot-upkeep")
            try:
                yield
            finally:
                await end_tasks(upkeep)
                with suppress(*FAILURES):
                    await self._write_seen()

    def find(self, bot_id: str) -> Bot | None:
        """See BotRegistry."""
        self._assert_fresh()
        return self._bots.get(bot_id)

    def all(self) -> Sequence[Bot]:
        """See BotRegistry."""
        self._assert_fresh()
        return [replace(bot, last_ping_at=self._seen.get(bot.id, bot.last_ping_at)) for bot in self._bots.values()]

    def note_seen(self, bot_id: str, at: float) -> None:
        """See BotRegistry."""
        self._seen[bot_id] = at

    def listen(self, listener: BotListener) -> None:
        """See BotRegistry."""
        self._listeners.append(listener)

    async def register(self, registration: Registration) -> Bot:
        """See BotRegistry."""
        async with self._changing() as connection:
            await connection.execute(sql.EXPIRE_PENDING, self._pending_seconds)
            if await connection.fetchval(sql.COUNT_PENDING) >= self._pending_limit:
                raise TooManyPending
            wanted = (registration.bot_id, registration.name, registration.look)
            await connection.execute(sql.REGISTER, *wanted, sorted(registration.rooms), registration.contact)
            await self._add_secret(connection, registration.bot_id, registration.key)
            await connection.execute(sql.NOTE_CHANGE, registration.bot_id, BotStatus.PENDING, "bot", "")
        return self._bots[registration.bot_id]

    async def set_status(self, bot_id: str, status: BotStatus, by: str, reason: str = "") -> Bot | None:
        """See BotRegistry."""
        async with self._changing() as connection:
            found = await connection.fetchval(sql.STATUS, bot_id)
            if found is None:
                return None
            if not may_become(BotStatus(found), status):
                raise NotAllowed(f"A bot that is {found} cannot become {status}.")
            await connection.execute(sql.SET_STATUS, bot_id, status, reason)
            await connection.execute(sql.NOTE_CHANGE, bot_id, status, by, reason)
        return self._bots.get(bot_id)

    async def set_rooms(self, bot_id: str, rooms: frozenset[str], by: str) -> Bot | None:
        """See BotRegistry."""
        async with self._changing() as connection:
            if await connection.fetchval(sql.SET_ROOMS, bot_id, sorted(rooms)) is None:
                return None
            status = await connection.fetchval(sql.STATUS, bot_id)
            await connection.execute(sql.NOTE_CHANGE, bot_id, status, by, f"rooms: {', '.join(sorted(rooms))}")
        return self._bots.get(bot_id)

    async def rotate(self, bot_id: str, new: BotSecret, kept: BotSecret | None, by: str) -> Bot | None:
        """See BotRegistry."""
        async with self._changing() as connection:
            status = await connection.fetchval(sql.STATUS, bot_id)
            if status is None:
                return None
            kept_digest = _digest(kept.key) if kept else b""
            await connection.execute(sql.DROP_KEYS, bot_id, kept_digest)
            if kept is not None:
                await connection.execute(sql.LIMIT_KEY, bot_id, kept_digest, kept.expires_at)
            await self._add_secret(connection, bot_id, new.key)
            await connection.execute(sql.NOTE_CHANGE, bot_id, status, by, "secret rotated")
        return self._bots.get(bot_id)

    async def record(self, bot_id: str) -> Sequence[StatusChange]:
        """See BotRegistry."""
        async with self._answering() as connection:
            rows = await connection.fetch(sql.RECORD, bot_id)
        return [
            StatusChange(BotStatus(row["status"]), row["changed_by"], row["reason"], row["changed_at"].timestamp())
            for row in rows
        ]

    @asynccontextmanager
    async def _answering(self) -> AsyncIterator[Any]:
        try:
            async with asyncio.timeout(_CHANGE_SECONDS), self._postgres.acquire() as connection:
                yield connection
        except asyncpg.UniqueViolationError as error:
            raise NameTaken from error
        except FAILURES as error:
            raise StoreUnavailable(type(error).__name__) from error

    @asynccontextmanager
    async def _changing(self) -> AsyncIterator[Any]:
        """Change something in one transaction; what was changed is in memory when this ends."""
        async with self._answering() as connection:
            async with connection.transaction():
                await connection.execute(sql.LOCK)
                yield connection
            await self._read(connection)

    async def _add_secret(self, connection: Any, bot_id: str, key: bytes) -> None:
        await connection.execute(sql.ADD_KEY, bot_id, _digest(key), self._sealer.seal(key, bot_id))

    async def _read(self, connection: Any) -> None:
        async with self._reading:  # so that what is read later is also newer
            at = self._clock()
            bots = self._rows.bots(await connection.fetch(sql.READ))
            before, self._bots, self._read_at = self._bots, bots, at
        self._metrics.pending.set(sum(bot.status is BotStatus.PENDING for bot in bots.values()))
        for bot in bots.values():
            if _without_pings(bot) != _without_pings(before.get(bot.id)):
                for listener in self._listeners:
                    listener(bot)

    def _assert_fresh(self) -> None:
        if self._clock() - self._read_at > STALE_SECONDS:
            raise StoreUnavailable("PostgreSQL: the bots cannot be read")

    async def _upkeep(self) -> None:
        while True:
            await asyncio.sleep(UPKEEP_SECONDS)
            with suppress(*FAILURES):
                async with asyncio.timeout(UPKEEP_SECONDS):
                    await self._write_seen()
                    await self._reseal()
                    await self._postgres.execute(sql.EXPIRE_KEYS)
                    await self._postgres.execute(sql.EXPIRE_PENDING, self._pending_seconds)

    async def _reseal(self) -> None:
        """Seal with the key of today what a previous one sealed, so that it can be forgotten."""
        while self._rows.aged:
            bot_id, key = self._rows.aged[0]
            await self._postgres.execute(sql.RESEAL, bot_id, _digest(key), self._sealer.seal(key, bot_id))
            self._rows.aged.pop(0)

    async def _write_seen(self) -> None:
        seen = dict(self._seen)
        if seen:
            await self._postgres.execute(sql.NOTE_SEEN, list(seen), list(seen.values()))
            self._seen = {bot_id: at for bot_id, at in self._seen.items() if seen.get(bot_id) != at}


def _digest(key: bytes) -> bytes:
    return sha256(key).digest()


def _without_pings(bot: Bot | None) -> Bot | None:
    return bot and replace(bot, last_ping_at=None)
