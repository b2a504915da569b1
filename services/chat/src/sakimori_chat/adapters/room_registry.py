"""Rooms as operators make and change them, in PostgreSQL; every replica's directory follows."""

import asyncio
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from datetime import UTC, datetime
from typing import Any, Final

import asyncpg
import msgspec

from sakimori_chat.adapters.following import ANSWER_SECONDS, FAILURES
from sakimori_chat.domain.moderation import changed_policy
from sakimori_chat.domain.rooms import LOBBY, MAX_ROOMS, RoomPolicy, RoomRecord
from sakimori_chat.ports import LobbyStays, NoSuchRoom, RoomTaken, StoreUnavailable, TooManyRooms
from sakimori_common.context import Postgres
from sakimori_common.instants import format_instant, to_microseconds

_COLUMNS: Final = "name, policy, is_open, changed_by, changed_at"
_ALL: Final = f"SELECT {_COLUMNS} FROM chat.rooms ORDER BY is_open DESC, name"
_INSERT: Final = "INSERT INTO chat.rooms (name, policy, is_open, changed_by, changed_at) VALUES ($1, $2, $3, $4, $5)"
_UPSERT: Final = f"""{_INSERT}
    ON CONFLICT (name) DO UPDATE SET policy = $2, is_open = $3, changed_by = $4, changed_at = $5"""


class PostgresRoomRegistry:
    """Rooms, open and closed."""

    def __init__(self, postgres: Postgres) -> None:
        self._postgres = postgres

    async def all(self) -> list[RoomRecord]:
        """See RoomRegistry."""
        async with _transaction(self._postgres) as borrowed:
            records = [_record(row) for row in await borrowed.fetch(_ALL)]
        lobby = next((record for record in records if record.name == LOBBY), RoomRecord(name=LOBBY))
        return [lobby, *(record for record in records if record.name != LOBBY)]

    async def create(self, name: str, changes: Mapping[str, Any], by: str) -> RoomRecord:
        """See RoomRegistry."""
        policy = changed_policy(RoomPolicy(), changes)
        made = RoomRecord(name=name, policy=policy, changed_by=by, changed_at=_now())
        async with _transaction(self._postgres) as borrowed:
            await _lock(borrowed)
            if name == LOBBY or await borrowed.fetchval("SELECT EXISTS (SELECT FROM chat.rooms WHERE name = $1)", name):
                raise RoomTaken(f"there is a room {name} already")
            await _check_number(borrowed)
            await borrowed.execute(_INSERT, *_row(made))
        return made

    async def change(
        self, name: str, changes: Mapping[str, Any], is_open: bool | None, by: str
    ) -> tuple[RoomRecord, RoomRecord]:
        """See RoomRegistry."""
        async with _transaction(self._postgres) as borrowed:
            await _lock(borrowed)
            row = await borrowed.fetchrow(f"SELECT {_COLUMNS} FROM chat.rooms WHERE name = $1", name)
            if row is None and name != LOBBY:
                raise NoSuchRoom(f"there is no room {name}")
            old = RoomRecord(name=LOBBY) if row is None else _record(row)
            opens = old.is_open if is_open is None else is_open
            if name == LOBBY and not opens:
                raise LobbyStays("the lobby cannot be closed; lock it instead")
            if opens and not old.is_open:
                await _check_number(borrowed)
            new = RoomRecord(
                name=name,
                policy=changed_policy(old.policy, changes),
                is_open=opens,
                changed_by=by,
                changed_at=_now(),
            )
            await borrowed.execute(_UPSERT, *_row(new))
        return old, new


@asynccontextmanager
async def _transaction(postgres: Postgres) -> AsyncIterator[Any]:
    try:
        async with asyncio.timeout(ANSWER_SECONDS), postgres.acquire() as borrowed, borrowed.transaction():
            yield borrowed
    except FAILURES as error:
        raise StoreUnavailable(f"PostgreSQL: {type(error).__name__}") from error


async def _lock(borrowed: "asyncpg.Connection") -> None:
    """One change at a time: two at once would both see room for one more."""
    await borrowed.execute("LOCK TABLE chat.rooms IN SHARE ROW EXCLUSIVE MODE")


async def _check_number(borrowed: "asyncpg.Connection") -> None:
    if await borrowed.fetchval("SELECT count(*) FROM chat.rooms WHERE is_open") >= MAX_ROOMS:
        raise TooManyRooms(f"there are {MAX_ROOMS} rooms already; close one")


def _row(record: RoomRecord) -> tuple[object, ...]:
    policy = msgspec.json.encode(record.policy).decode()
    return record.name, policy, record.is_open, record.changed_by, datetime.fromisoformat(record.changed_at)


def _record(row: Any) -> RoomRecord:
    """Read a row; a policy of another version counts as the default one, which the next change writes."""
    try:
        policy = msgspec.json.decode(row["policy"], type=RoomPolicy)
    except msgspec.MsgspecError:
        policy = RoomPolicy()
    return RoomRecord(
        name=row["name"],
        policy=policy,
        is_open=row["is_open"],
        changed_by=row["changed_by"],
        changed_at=format_instant(to_microseconds(row["changed_at"])),
    )


def _now() -> str:
    return format_instant(to_microseconds(datetime.now(tz=UTC)))
