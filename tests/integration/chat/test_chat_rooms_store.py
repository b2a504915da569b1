import asyncio
import itertools
from collections.abc import AsyncIterator
from typing import Any

import msgspec
import pytest
from redis.asyncio.client import PubSub

from sakimori_chat.adapters.reader import ValkeyReader
from sakimori_chat.adapters.rooms import ValkeyRooms, recent_key, recent_of
from sakimori_chat.domain.messages import Draft, Page
from sakimori_common.context import Valkey

AUTHOR = "0b0f3c5e-7a55-4b1e-9d0a-5a4f3f1c2d3e"
OTHER = "1b0f3c5e-7a55-4b1e-9d0a-5a4f3f1c2d3e"


def _draft(text: str, author: str = AUTHOR, *, is_private: bool = False) -> Draft:
    return Draft(author, "", text, "2026-01-01T00:00:00Z", is_private=is_private)


def _texts(page: Page) -> list[str]:
    return [message.text for message in page.messages]


@pytest.fixture
def rooms(valkey: Valkey) -> ValkeyRooms:
    return ValkeyRooms(valkey)


async def test_numbers_of_a_room_grow_by_one_and_rooms_do_not_mix(rooms: ValkeyRooms) -> None:
    assert [await rooms.append("lobby", _draft(text)) for text in "abc"] == [1, 2, 3]
    assert await rooms.append("garden", _draft("d")) == 1
    assert _texts(await rooms.after("lobby", 1, 100, None)) == ["b", "c"]


async def test_concurrent_posts_get_every_number_once(rooms: ValkeyRooms) -> None:
    numbers = await asyncio.gather(*(rooms.append("lobby", _draft(str(n))) for n in range(50)))
    assert sorted(numbers) == list(range(1, 51))


async def test_what_is_private_is_for_its_author_alone(rooms: ValkeyRooms) -> None:
    await rooms.append("lobby", _draft("hello"))
    await rooms.append("lobby", _draft("nobody hears me", is_private=True))
    assert _texts(await rooms.after("lobby", 0, 100, OTHER)) == ["hello"]
    assert _texts(await rooms.after("lobby", 0, 100, None)) == ["hello"]
    assert _texts(await rooms.after("lobby", 0, 100, AUTHOR)) == ["hello", "nobody hears me"]


async def test_a_reader_gets_past_a_run_of_private_messages_with_one_request(rooms: ValkeyRooms) -> None:
    await rooms.append("lobby", _draft("before"))
    for _ in range(150):
        await rooms.append("lobby", _draft("muted", is_private=True))
    await rooms.append("lobby", _draft("after"))
    page = await rooms.after("lobby", 1, 100, OTHER)
    assert (_texts(page), page.next, page.has_more) == (["after"], 152, False)


async def test_pages_follow_one_another_without_a_hole(rooms: ValkeyRooms) -> None:
    for number in range(1, 181):
        await rooms.append("lobby", _draft(str(number), is_private=number % 3 == 0))
    read: list[str] = []
    page = await rooms.after("lobby", 0, 25, OTHER)
    read += _texts(page)
    while page.has_more:
        page = await rooms.after("lobby", page.next, 25, OTHER)
        read += _texts(page)
    assert read == [str(number) for number in range(1, 181) if number % 3]
    assert page.next == 180


async def test_a_deleted_message_is_gone_and_pollers_are_told(rooms: ValkeyRooms) -> None:
    for text in ("first", "rude", "last"):
        await rooms.append("lobby", _draft(text))
    assert await rooms.delete("lobby", 2)
    assert not await rooms.delete("lobby", 2)
    page = await rooms.after("lobby", 3, 100, None)
    assert (page.messages, page.deleted, page.reset) == ([], [2], False)
    assert _texts(await rooms.after("lobby", 0, 100, None)) == ["first", "last"]
    assert await rooms.find("lobby", 2) is None


async def test_taking_the_newest_message_away_is_no_reset_and_its_number_is_not_given_again(
    rooms: ValkeyRooms, valkey: Valkey
) -> None:
    for text in "ab":
        await rooms.append("lobby", _draft(text))
    await rooms.delete("lobby", 2)
    page = await rooms.after("lobby", 2, 100, None)
    assert (page.reset, page.next, page.messages) == (False, 2, [])
    await valkey.delete("chat:lobby:next_id")
    assert await rooms.append("lobby", _draft("c")) == 3


async def test_only_the_last_hundred_deletions_are_remembered(rooms: ValkeyRooms) -> None:
    for number in range(1, 121):
        await rooms.append("lobby", _draft(str(number)))
        await rooms.delete("lobby", number)
    page = await rooms.after("lobby", 120, 100, None)
    assert page.deleted == list(range(120, 20, -1))


async def test_an_emptied_room_begins_anew_and_forgets_what_was_deleted(rooms: ValkeyRooms, valkey: Valkey) -> None:
    for text in "abc":
        await rooms.append("lobby", _draft(text))
    await rooms.delete("lobby", 1)
    await valkey.delete("chat:lobby:next_id", "chat:lobby:messages")
    assert await rooms.append("lobby", _draft("anew")) == 1
    page = await rooms.after("lobby", 3, 100, None)
    assert (page.reset, _texts(page), page.next, page.deleted) == (True, ["anew"], 1, [])


async def test_a_reader_sees_the_newest_or_what_follows_and_how_long_a_ban_lasts(
    rooms: ValkeyRooms, valkey: Valkey
) -> None:
    for number in range(1, 6):
        await rooms.append("lobby", _draft(str(number), is_private=number == 5))
    await valkey.set(f"block:{AUTHOR}", "0:a", px=30_000)
    reader = ValkeyReader(valkey)
    newest, later = await reader.latest("lobby", 2, AUTHOR), await reader.after("lobby", 3, 100, AUTHOR)
    assert (_texts(newest.page), _texts(later.page), later.page.next) == (["4", "5"], ["4", "5"], 5)
    assert 29 < newest.ban_seconds <= 30
    assert 29 < later.ban_seconds <= 30
    others = [await reader.latest("lobby", 2, viewer) for viewer in (OTHER, None)]
    assert [(_texts(seen.page), seen.ban_seconds) for seen in others] == [(["3", "4"], 0.0)] * 2


async def test_a_reader_of_a_room_that_was_emptied_since_gets_all_there_is(rooms: ValkeyRooms, valkey: Valkey) -> None:
    await rooms.append("lobby", _draft("anew"))
    page = (await ValkeyReader(valkey).after("lobby", 300, 100, OTHER)).page
    assert (page.reset, _texts(page), page.next) == (True, ["anew"], 1)


async def test_a_held_message_is_released_to_all_at_the_end(rooms: ValkeyRooms) -> None:
    await rooms.append("lobby", _draft("held", is_private=True))
    await rooms.append("lobby", _draft("later"))
    assert await rooms.release("lobby", 1) == 3
    page = await rooms.after("lobby", 0, 100, None)
    assert (_texts(page), page.deleted) == (["later", "held"], [1])
    assert _texts(await rooms.after("lobby", 0, 100, AUTHOR)) == ["later", "held"]


async def test_of_many_who_release_a_message_at_once_one_does(rooms: ValkeyRooms) -> None:
    await rooms.append("lobby", _draft("held", is_private=True))
    answers = await asyncio.gather(*(rooms.release("lobby", 1) for _ in range(20)))
    assert sorted(answers, key=bool) == [None] * 19 + [2]
    assert _texts(await rooms.after("lobby", 0, 100, None)) == ["held"]


async def test_what_everybody_sees_already_is_not_released(rooms: ValkeyRooms) -> None:
    await rooms.append("lobby", _draft("seen"))
    assert await rooms.release("lobby", 1) is None
    assert await rooms.release("lobby", 7) is None
    assert _texts(await rooms.after("lobby", 0, 100, None)) == ["seen"]


async def test_only_the_newest_200_are_kept(rooms: ValkeyRooms) -> None:
    for number in range(1, 251):
        await rooms.append("lobby", _draft(str(number)))
    page = await rooms.after("lobby", 0, 1000, None)
    assert _texts(page) == [str(number) for number in range(51, 251)]


async def test_signatures_are_kept_with_their_author_and_their_time_the_newest_last(
    rooms: ValkeyRooms, valkey: Valkey
) -> None:
    signatures = [bytes([number, 58, 10, 0]) for number in range(70)]
    for signature in signatures:
        await rooms.append("lobby", _draft("text"), signature)
    await rooms.append("lobby", _draft("without a signature"))
    elements: Any = await valkey.lrange(recent_key("lobby"), 0, -1)
    recent = recent_of(elements)
    assert [known.signature for known in recent] == signatures[-64:]
    assert {known.author_id for known in recent} == {AUTHOR}
    assert all(earlier.at <= later.at for earlier, later in itertools.pairwise(recent))
    seconds, microseconds = await valkey.time()
    assert abs(recent[-1].at - (seconds + microseconds / 1e6)) < 60
    assert 0 < await valkey.pttl(recent_key("lobby")) <= 600_000


async def test_every_change_is_published_with_what_replicas_need(rooms: ValkeyRooms, valkey: Valkey) -> None:
    listening = valkey.pubsub(ignore_subscribe_messages=True)
    await listening.subscribe("chat:room:lobby")
    held = _draft("held", is_private=True)
    await rooms.append("lobby", held)
    await rooms.release("lobby", 1)
    await rooms.delete("lobby", 2)
    await rooms.delete("lobby", 2)
    published = [message["data"] async for message in _take(listening, 4)]
    shown = msgspec.structs.replace(held, is_private=False)
    assert published == [b"m1:" + msgspec.json.encode(held), b"d1:", b"m2:" + msgspec.json.encode(shown), b"d2:"]
    await listening.aclose()  # type: ignore[no-untyped-call]  # redis-py has no types for it


async def _take(listening: PubSub, count: int) -> AsyncIterator[Any]:
    for _ in range(count):
        message = None
        while message is None:
            message = await listening.get_message(timeout=5)
        yield message
