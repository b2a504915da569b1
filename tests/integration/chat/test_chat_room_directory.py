"""Rooms and their policies, kept in PostgreSQL by operators and in memory by every replica."""

import asyncio
import json
from collections.abc import Coroutine
from typing import Any

import pytest

from sakimori.embedded import PostgresServer
from sakimori_chat.adapters.room_directory import PostgresRoomDirectory
from sakimori_chat.domain.rooms import CheckName, Reaction, Room, RoomPolicy
from sakimori_common.context import Postgres
from sakimori_common.log import logger
from servers.eventually import eventually


async def put(postgres: Postgres, name: str, policy: dict[str, object], *, is_open: bool = True) -> None:
    await postgres.execute(
        "INSERT INTO chat.rooms (name, policy, is_open, changed_by, changed_at) VALUES ($1, $2, $3, 'anna', now())"
        " ON CONFLICT (name) DO UPDATE SET policy = $2, is_open = $3",
        name,
        json.dumps(policy),
        is_open,
    )


def in_background(work: Coroutine[Any, Any, None], name: str) -> "asyncio.Task[None]":
    return asyncio.create_task(work, name=name)


def directory_on(postgres: Postgres) -> PostgresRoomDirectory:
    return PostgresRoomDirectory(postgres, logger("test"))


async def test_without_any_row_there_is_the_lobby(postgres: Postgres) -> None:
    directory = directory_on(postgres)
    async with directory.running(in_background):
        assert directory.all() == [Room(name="lobby")]
        assert directory.find("garden") is None


async def test_rooms_come_with_their_policies_the_lobby_first(postgres: Postgres) -> None:
    await put(postgres, "garden", {"title": "The garden", "checks": {"links": {"reaction": "hold", "threshold": 2}}})
    await put(postgres, "attic", {})
    await put(postgres, "lobby", {"slow_seconds": 5})
    await put(postgres, "cellar", {}, is_open=False)
    directory = directory_on(postgres)
    async with directory.running(in_background):
        assert [room.name for room in directory.all()] == ["lobby", "attic", "garden"]
        garden, lobby = directory.find("garden"), directory.find("lobby")
        assert garden is not None
        assert garden.policy.title == "The garden"
        assert garden.policy.check(CheckName.LINKS).reaction is Reaction.HOLD
        assert lobby is not None
        assert lobby.policy == RoomPolicy(slow_seconds=5)
        assert directory.find("cellar") is None


async def test_a_change_is_heard_of_by_every_replica(postgres: Postgres) -> None:
    replicas, heard = [directory_on(postgres), directory_on(postgres)], list[tuple[int, str, Room | None]]()
    for number, replica in enumerate(replicas):
        replica.listen(lambda name, room, number=number: heard.append((number, name, room)))  # type: ignore[misc]
    async with replicas[0].running(in_background), replicas[1].running(in_background):
        await put(postgres, "garden", {"is_locked": True})
        locked = Room(name="garden", policy=RoomPolicy(is_locked=True))
        await eventually(lambda: (0, "garden", locked) in heard and (1, "garden", locked) in heard)
        assert replicas[1].find("garden") == locked
        heard.clear()
        await put(postgres, "garden", {}, is_open=False)
        await eventually(lambda: len(heard) == 2)
        assert sorted(heard) == [(0, "garden", None), (1, "garden", None)]
        assert replicas[0].find("garden") is None


async def test_a_change_is_known_even_where_its_notification_is_lost(postgres: Postgres) -> None:
    await postgres.execute("DROP TRIGGER rooms_are_told ON chat.rooms")
    directory = directory_on(postgres)
    async with directory.running(in_background):
        await put(postgres, "garden", {})
        await eventually(lambda: directory.find("garden"))


async def test_while_postgres_is_away_the_rooms_last_known_count_and_it_heals(
    postgres: Postgres, postgres_server: PostgresServer
) -> None:
    await put(postgres, "garden", {"is_locked": True})
    directory = directory_on(postgres)
    async with directory.running(in_background):
        postgres_server.kill()
        garden = directory.find("garden")
        assert garden is not None
        assert garden.policy.is_locked
        postgres_server.start()
        await eventually(lambda: _opened(postgres, "attic"))
        await eventually(lambda: directory.find("attic"))


async def _opened(postgres: Postgres, name: str) -> bool:
    try:
        await put(postgres, name, {})
    except (OSError, ConnectionError):
        return False
    return True


async def test_a_start_without_postgres_opens_the_lobby_and_says_so(
    postgres: Postgres, postgres_server: PostgresServer, capsys: pytest.CaptureFixture[str]
) -> None:
    await put(postgres, "garden", {})
    postgres_server.stop()
    directory = directory_on(postgres)
    async with directory.running(in_background):
        assert directory.all() == [Room(name="lobby")]
        assert "rooms_not_read" in capsys.readouterr().out
        postgres_server.start()
        await eventually(lambda: directory.find("garden"))


@pytest.mark.parametrize(
    "policy", [{"colour": "red"}, {"slow_seconds": -1}, {"max_characters": 100_000}, {"words": "x"}]
)
async def test_a_policy_that_is_not_understood_leaves_the_room_as_it_was(
    postgres: Postgres, policy: dict[str, object]
) -> None:
    await put(postgres, "garden", {"is_locked": True})
    directory = directory_on(postgres)
    async with directory.running(in_background):
        await put(postgres, "garden", policy)
        await put(postgres, "attic", {})
        await eventually(lambda: directory.find("attic"))
        assert directory.find("garden") == Room(name="garden", policy=RoomPolicy(is_locked=True))
