"""How bots are doing, in PostgreSQL: their sessions and their pings, the pings for a week."""

import asyncio
from collections.abc import Sequence
from datetime import UTC, datetime
from typing import Final

import asyncpg

from sakimori_chat.bots.sessions.ports import Heartbeat, Presence
from sakimori_chat.ports import StoreUnavailable
from sakimori_common.context import Postgres
from sakimori_common.postgres import CONNECTION_ERRORS

_SECONDS: Final = 5.0
_SESSION: Final = """
    INSERT INTO chat.bot_sessions (bot_id, session_id, transport, observer, opened_at, ended_at, ending)
    SELECT p.* FROM unnest(
            $1::text[], $2::text[], $3::text[], $4::text[], $5::timestamptz[], $6::timestamptz[], $7::text[])
        AS p (bot_id, session_id, transport, observer, opened_at, ended_at, ending)
        JOIN chat.bots b ON b.id = p.bot_id
    ON CONFLICT (bot_id) DO UPDATE SET
        session_id = excluded.session_id, transport = excluded.transport, observer = excluded.observer,
        opened_at = excluded.opened_at, ended_at = excluded.ended_at, ending = excluded.ending
    WHERE chat.bot_sessions.opened_at <= excluded.opened_at"""
_PING: Final = """
    INSERT INTO chat.bot_pings (bot_id, at, rtt_milliseconds, memory_bytes, queue, rooms)
    SELECT p.* FROM unnest($1::text[], $2::timestamptz[], $3::real[], $4::bigint[], $5::bigint[], $6::bigint[])
        AS p (bot_id, at, rtt_milliseconds, memory_bytes, queue, rooms)
        JOIN chat.bots b ON b.id = p.bot_id
    ON CONFLICT DO NOTHING"""
_EXPIRE: Final = "DELETE FROM chat.bot_pings WHERE at < now() - interval '7 days'"


class PostgresHeartbeats:
    """See Heartbeats. `observer` names this replica."""

    def __init__(self, postgres: Postgres, observer: str) -> None:
        self._postgres = postgres
        self._observer = observer

    async def store(self, heartbeats: Sequence[Heartbeat], presences: Sequence[Presence]) -> None:
        """See Heartbeats."""
        try:
            async with (
                asyncio.timeout(_SECONDS),
                self._postgres.acquire() as connection,
                connection.transaction(),
            ):
                if presences:
                    await connection.execute(_SESSION, *_columns_of_sessions(presences, self._observer))
                if heartbeats:
                    await connection.execute(_PING, *_columns_of_pings(heartbeats))
                    await connection.execute(_EXPIRE)
        except (*CONNECTION_ERRORS, asyncpg.PostgresError) as error:
            raise StoreUnavailable(type(error).__name__) from error


def _columns_of_sessions(presences: Sequence[Presence], observer: str) -> list[list[object]]:
    return [
        [presence.bot_id for presence in presences],
        [presence.session_id for presence in presences],
        [presence.transport for presence in presences],
        [observer for _ in presences],
        [_instant(presence.opened_at) for presence in presences],
        [None if presence.ended_at is None else _instant(presence.ended_at) for presence in presences],
        [presence.ending for presence in presences],
    ]


def _columns_of_pings(heartbeats: Sequence[Heartbeat]) -> list[list[object]]:
    return [
        [beat.bot_id for beat in heartbeats],
        [_instant(beat.at) for beat in heartbeats],
        [None if beat.rtt_seconds is None else beat.rtt_seconds * 1000 for beat in heartbeats],
        [beat.memory_bytes for beat in heartbeats],
        [beat.queue for beat in heartbeats],
        [beat.rooms for beat in heartbeats],
    ]


def _instant(seconds: float) -> datetime:
    return datetime.fromtimestamp(seconds, UTC)
