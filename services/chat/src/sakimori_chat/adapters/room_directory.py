"""The rooms and their policies, from PostgreSQL, in memory."""

from collections.abc import AsyncIterator, Mapping, Sequence
from contextlib import asynccontextmanager
from typing import Any, Final

import msgspec
import structlog

from sakimori_chat.adapters.following import following
from sakimori_chat.domain.rooms import LOBBY, Room, RoomPolicy
from sakimori_chat.ports import RoomListener
from sakimori_common.context import Postgres
from sakimori_common.tasks import Background

CHANNEL: Final = "chat_rooms"
_READ: Final = "SELECT name, policy FROM chat.rooms WHERE is_open ORDER BY name"


class PostgresRoomDirectory:
    """The open rooms. While the database is away those last known count; at first that is the lobby with defaults."""

    def __init__(self, postgres: Postgres, log: structlog.stdlib.BoundLogger) -> None:
        self._postgres = postgres
        self._log = log
        self._rooms = _with_lobby({})
        self._listeners: list[RoomListener] = []
        self._is_read = False

    def find(self, name: str) -> Room | None:
        """See RoomDirectory."""
        return self._rooms.get(name)

    def all(self) -> Sequence[Room]:
        """See RoomDirectory."""
        return list(self._rooms.values())

    def listen(self, listener: RoomListener) -> None:
        """See RoomDirectory."""
        self._listeners.append(listener)

    @asynccontextmanager
    async def running(self, background: Background) -> AsyncIterator[None]:
        """Keep up with what operators change until the block ends."""
        async with following(self._postgres, CHANNEL, self._read, self._log, background):
            if not self._is_read:
                self._log.warning("rooms_not_read", advice="the lobby has its defaults until PostgreSQL answers")
            yield

    async def _read(self, connection: Any) -> None:
        found = {row["name"]: self._room(row) for row in await connection.fetch(_READ)}
        self._is_read = True
        before, self._rooms = self._rooms, _with_lobby({name: room for name, room in found.items() if room is not None})
        for name in before.keys() | self._rooms.keys():
            room = self._rooms.get(name)
            if room != before.get(name):
                for listener in self._listeners:
                    listener(name, room)

    def _room(self, row: Any) -> Room | None:
        """Read a row; a policy that this version does not understand leaves the room as it was last known."""
        try:
            return Room(name=row["name"], policy=msgspec.json.decode(row["policy"], type=RoomPolicy))
        except msgspec.MsgspecError as error:
            self._log.error("room_policy_not_read", room=row["name"], reason=str(error))
            return self._rooms.get(row["name"]) if self._is_read else None


def _with_lobby(rooms: Mapping[str, Room]) -> dict[str, Room]:
    return {LOBBY: Room(name=LOBBY), **rooms}
