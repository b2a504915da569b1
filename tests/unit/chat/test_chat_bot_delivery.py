import asyncio
import json
from collections.abc import Callable, Iterator
from contextlib import contextmanager

import pytest

from sakimori_chat.bots.sessions.delivery import Delivery, Overflow
from sakimori_chat.domain.messages import Message, Page
from sakimori_chat.ports import StoreUnavailable
from servers.eventually import eventually


class News:
    """Rooms in memory, as the hub has them."""

    def __init__(self) -> None:
        self.messages: list[Message] = []
        self.deleted: list[int] = []
        self.wakers: list[Callable[[], None]] = []
        self.is_away = False

    def say(self, *texts: str) -> None:
        for text in texts:
            number = len(self.messages) + 1
            self.messages.append(Message(number, "anon-12345678", "", text, "2026-01-16T02:00:00Z"))
        for wake in self.wakers:
            wake()

    @contextmanager
    def watch(self, room: str, wake: Callable[[], None]) -> Iterator[None]:
        assert room == "lobby"
        self.wakers.append(wake)
        yield
        self.wakers.remove(wake)

    async def since(self, room: str, number: int) -> Page:
        if self.is_away:
            raise StoreUnavailable(room)
        newest = len(self.messages)
        reset = number > newest
        found = [message for message in self.messages if reset or message.id > number]
        return Page(found, newest, reset=reset, deleted=self.deleted)


class Bot:
    """What arrived."""

    def __init__(self) -> None:
        self.frames: list[dict[str, object]] = []
        self.reads = asyncio.Event()
        self.reads.set()

    async def take(self, frame: bytes) -> None:
        await self.reads.wait()
        self.frames.append(json.loads(frame))

    def texts(self) -> list[str]:
        found = [frame["messages"] for frame in self.frames if frame["type"] == "messages"]
        return [message["text"] for messages in found if isinstance(messages, list) for message in messages]


@contextmanager
def _running(delivery: Delivery) -> Iterator[None]:
    task = asyncio.create_task(delivery.run())
    try:
        yield
    finally:
        task.cancel()
        delivery.close()


async def test_what_is_said_after_it_came_is_delivered_once() -> None:
    news, bot = News(), Bot()
    news.say("before")
    delivery = Delivery(news, bot.take)
    await delivery.follow(["lobby"])
    assert delivery.numbers == {"lobby": 1}
    with _running(delivery):
        news.say("one")
        await eventually(lambda: bot.texts() == ["one"])
        news.say("two", "three")
        await eventually(lambda: bot.texts() == ["one", "two", "three"])
    assert news.wakers == []


async def test_a_bot_that_does_not_read_costs_one_frame_however_much_is_said() -> None:
    news, bot = News(), Bot()
    delivery = Delivery(news, bot.take)
    await delivery.follow(["lobby"])
    bot.reads.clear()
    with _running(delivery):
        for number in range(1000):
            news.say(f"message {number}")
            await asyncio.sleep(0)
        assert delivery.waiting == 0
        bot.reads.set()
        await eventually(lambda: len(bot.texts()) == 1000)
    assert bot.texts() == [f"message {number}" for number in range(1000)]
    assert max(len(frame["messages"]) for frame in bot.frames if isinstance(frame["messages"], list)) == 50
    assert [frame["next"] for frame in bot.frames][-1] == 1000


async def test_answers_go_out_first_and_there_is_a_bound_to_them() -> None:
    news, bot = News(), Bot()
    delivery = Delivery(news, bot.take)
    for number in range(64):
        delivery.answer(b'{"type":"posted","id":%d}' % number)
    with pytest.raises(Overflow):
        delivery.answer(b"{}")
    await delivery.follow(["lobby"])
    news.say("news")
    with _running(delivery):
        await eventually(lambda: bot.texts() == ["news"])
    assert [frame["type"] for frame in bot.frames] == ["posted"] * 64 + ["messages"]


async def test_news_are_held_back_and_delivered_afterwards() -> None:
    news, bot = News(), Bot()
    delivery = Delivery(news, bot.take)
    await delivery.follow(["lobby"])
    with _running(delivery):
        delivery.hold(is_held=True)
        news.say("secret for now")
        delivery.answer(b'{"type":"pong"}')
        await eventually(lambda: len(bot.frames) == 1)
        assert bot.texts() == []
        delivery.hold(is_held=False)
        await eventually(lambda: bot.texts() == ["secret for now"])


async def test_while_the_store_is_away_nothing_is_lost() -> None:
    news, bot = News(), Bot()
    delivery = Delivery(news, bot.take, retry_seconds=0.02)
    await delivery.follow(["lobby"])
    with _running(delivery):
        news.is_away = True
        news.say("meanwhile")
        await asyncio.sleep(0)
        assert bot.frames == []
        news.is_away = False
        await eventually(lambda: bot.texts() == ["meanwhile"])


async def test_what_operators_took_away_is_told_once() -> None:
    news, bot = News(), Bot()
    news.say("one", "two")
    news.deleted = [1]
    delivery = Delivery(news, bot.take)
    await delivery.follow(["lobby"])
    with _running(delivery):
        news.deleted = [1, 2]
        news.say()
        await eventually(lambda: len(bot.frames) == 1)
        assert bot.frames[0]["deleted"] == [2]
        news.say("three")
        await eventually(lambda: bot.texts() == ["three"])
        assert "deleted" not in bot.frames[1]


async def test_a_room_that_was_emptied_begins_anew() -> None:
    news, bot = News(), Bot()
    news.say("one", "two")
    delivery = Delivery(news, bot.take)
    await delivery.follow(["lobby"])
    with _running(delivery):
        news.messages.clear()
        news.say("first of the new")
        await eventually(lambda: bot.texts() == ["first of the new"])
        assert bot.frames[0]["reset"] is True


async def test_rooms_that_a_bot_may_no_longer_use_are_not_followed() -> None:
    news, bot = News(), Bot()
    delivery = Delivery(news, bot.take)
    await delivery.follow(["lobby"])
    await delivery.follow([])
    with _running(delivery):
        news.say("not for it")
        await asyncio.sleep(0)
    assert (news.wakers, delivery.numbers, bot.frames) == ([], {}, [])


async def test_answers_that_wait_at_the_end_still_go_out() -> None:
    bot = Bot()
    delivery = Delivery(News(), bot.take)
    delivery.answer(b'{"type":"posted"}')
    await delivery.finish()
    assert [frame["type"] for frame in bot.frames] == ["posted"]
