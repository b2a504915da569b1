"""Two chats on one Valkey."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack, asynccontextmanager
from pathlib import Path

from integration.chat.conftest import OpenChat, Visitor, chat_running
from integration.chat.live import Live, listening
from sakimori.embedded import ValkeyServer
from sakimori_chat.adapters.rooms import ValkeyRooms
from sakimori_common.context import Postgres, Valkey
from servers.eventually import eventually
from servers.patience import AS_IN_SERVICES


@asynccontextmanager
async def replicas(valkey: Valkey, postgres: Postgres, folder: Path) -> AsyncIterator[tuple[OpenChat, OpenChat]]:
    async with AsyncExitStack() as stack:
        first, second = [
            await stack.enter_async_context(
                chat_running(
                    valkey,
                    postgres,
                    folder / name,
                    post_limit=1000,
                    fingerprint_post_limit=1000,
                    address_post_limit=1000,
                    posts_per_second=1000,
                    live_frames_per_second=1000,
                )
            )
            for name in ("a", "b")
        ]
        yield first, second


async def cut(valkey: Valkey) -> None:
    """Cut the subscriptions of all replicas, as a failing network does."""
    await valkey.client_kill_filter(_type="pubsub")


async def test_what_is_said_at_one_replica_is_heard_at_the_other_in_order_and_once(
    valkey: Valkey, postgres: Postgres, tmp_path: Path
) -> None:
    async with replicas(valkey, postgres, tmp_path) as (first, second):
        writer, reader = await first.visitor(), await second.visitor("203.0.113.8")
        async with listening(writer) as speaking, listening(reader) as live:
            await live.until("room")
            for number in range(50):
                await speaking.post(str(number))
            expected = [str(number) for number in range(50)]
            assert await live.texts(50) == expected
            assert await speaking.texts(50) == expected
            assert [message["id"] for message in live.messages()] == list(range(1, 51))


async def test_nothing_is_missed_or_heard_twice_when_the_subscription_is_cut_in_between(
    valkey: Valkey, postgres: Postgres, tmp_path: Path
) -> None:
    async with replicas(valkey, postgres, tmp_path) as (first, second):
        writer, reader = await first.visitor(), await second.visitor("203.0.113.8")
        async with listening(reader) as live, listening(reader) as other_tab:
            await live.until("room")
            await other_tab.until("room")
            for number in range(60):
                assert (await writer.post(str(number))).status_code == 200
                if number in {10, 30, 31, 50}:
                    await cut(valkey)
            expected = [str(number) for number in range(60)]
            assert await live.texts(60) == expected
            assert await other_tab.texts(60) == expected
            assert second.metric("sakimori_chat_live_catch_ups_total") >= 2


async def test_what_was_deleted_or_released_during_a_gap_is_known_after_it(
    valkey: Valkey, postgres: Postgres, tmp_path: Path, valkey_server: ValkeyServer
) -> None:
    async with replicas(valkey, postgres, tmp_path) as (first, second):
        writer, reader = await first.visitor(), await second.visitor("203.0.113.8")
        await writer.post("rude")
        rooms = ValkeyRooms(valkey)
        async with listening(reader) as live:
            await live.until("room")
            await asyncio.gather(cut(valkey), rooms.delete("lobby", 1), writer.post("kind"))
            assert (await live.until("deleted"))["ids"] == [1]
            assert [message["id"] for message in (await live.texts(2), live.messages())[1]] == [1, 2]


async def test_a_replica_that_was_ahead_does_not_confuse_who_comes_from_it(
    valkey: Valkey, postgres: Postgres, tmp_path: Path
) -> None:
    async with replicas(valkey, postgres, tmp_path) as (first, second):
        writer, reader = await first.visitor(), await second.visitor("203.0.113.8")
        async with listening(reader) as live:
            await live.until("room")
            numbers = []
            for number in range(1, 31):
                await writer.post(str(number))
                async with listening(reader, f"?after={number}") as joining:
                    page = await joining.next()
                numbers += [message["id"] for message in page["messages"]]
                assert page["reset"] is False
            assert numbers == []
            assert len(await live.texts(30)) == 30


async def test_an_emptied_room_is_shown_anew(valkey: Valkey, postgres: Postgres, tmp_path: Path) -> None:
    async with replicas(valkey, postgres, tmp_path) as (first, second):
        writer, reader = await first.visitor(), await second.visitor("203.0.113.8")
        await writer.post("old")
        async with listening(reader) as live:
            await live.until("room")
            await valkey.flushall()
            await writer.post("new")
            await writer.post("newer")
            page = await live.until("page")
            while len(live.heard()) < 3:
                await live.next()
            assert page["reset"] is True
            assert live.heard() == ["old", "new", "newer"]


async def test_a_valkey_that_was_away_for_a_while_is_caught_up_with(
    valkey: Valkey, postgres: Postgres, tmp_path: Path, valkey_server: ValkeyServer
) -> None:
    async with replicas(valkey, postgres, tmp_path) as (first, second):
        writer, reader = await first.visitor(), await second.visitor("203.0.113.8")
        async with listening(reader) as live:
            await live.until("room")
            await writer.post("before")
            await live.texts(1)
            valkey_server.kill()
            assert (await writer.post("nobody hears this")).status_code == 503
            valkey_server.start()
            await eventually(lambda: _says(writer, "after"))
            while live.heard()[-1] != "after":
                await live.next()


@AS_IN_SERVICES
async def test_a_valkey_that_hangs_for_a_while_costs_no_message(
    valkey: Valkey, postgres: Postgres, tmp_path: Path
) -> None:
    async with replicas(valkey, postgres, tmp_path) as (first, second):
        writer, reader = await first.visitor(), await second.visitor("203.0.113.8")
        async with listening(reader) as live:
            await live.until("room")
            await valkey.client_pause(3000)  # longer than the feed believes in a silent connection
            assert (await writer.post("refused")).status_code == 503
            await eventually(lambda: _says(writer, "taken"), seconds=20)
            while "taken" not in live.heard():
                await live.next()
            numbers = [message["id"] for message in live.messages()]
            assert numbers == list(range(1, numbers[-1] + 1))


async def _says(visitor: Visitor, text: str) -> bool:
    return (await visitor.post(text)).status_code == 200


async def test_many_join_while_much_is_said_and_each_hears_everything_once(
    valkey: Valkey, postgres: Postgres, tmp_path: Path
) -> None:
    async with replicas(valkey, postgres, tmp_path) as (first, second):
        writer, reader = await first.visitor(), await second.visitor("203.0.113.8")

        async def join(after: int) -> list[int]:
            async with listening(reader, f"?after={after}") as live:
                await live.texts(120 - after)
                return _numbers(live)

        async def speak() -> None:
            async with listening(writer) as speaking:
                for number in range(120):
                    await speaking.post(str(number))
                await speaking.texts(120)

        *heard, _ = await asyncio.gather(*(join(0) for _ in range(20)), speak())
        assert heard == [list(range(1, 121))] * 20


def _numbers(live: Live) -> list[int]:
    return [message["id"] for message in live.messages()]
