"""A room's policy is everybody's: what its checks make of what bots say."""

import json
from typing import Any

import httpx
import pytest

from integration.chat.bot_links import by_websocket
from integration.chat.bots import approved_bot
from integration.chat.conftest import OpenChat
from sakimori_chat.adapters.held import ValkeyHeld
from sakimori_chat.adapters.room_registry import PostgresRoomRegistry
from sakimori_chat.adapters.rooms import ValkeyRooms
from servers.eventually import eventually

LINE = "The train to Ueno from platform two is four minutes late this morning"


async def _set(chat: OpenChat, **policy: Any) -> None:
    """Set the lobby's policy as an operator does; returns once the chat knows."""
    title = json.dumps(policy)[:60]
    await PostgresRoomRegistry(chat.context.postgres).change("lobby", {**policy, "title": title}, None, "mika")
    visitor = await chat.visitor()

    async def is_known() -> bool:
        rooms = (await visitor.http.get("/chat/rooms")).json()["rooms"]
        return any(room["title"] == title for room in rooms)

    await eventually(is_known)


def _code(response: httpx.Response) -> tuple[int, str]:
    return response.status_code, response.json().get("code", "")


async def _seen(chat: OpenChat) -> list[str]:
    return await (await chat.visitor()).texts()


async def test_an_unwelcome_word_is_refused_and_told_of_without_the_text(chat: OpenChat) -> None:
    bot = await approved_bot(chat)
    await _set(chat, words=["casino"])
    refused = await bot.post("The best CAS1NO in town")
    assert _code(refused) == (422, "words")
    assert "RateLimit" in refused.headers
    assert _code(await bot.post("The best garden in town")) == (201, "")
    assert await _seen(chat) == ["The best garden in town"]
    flagged = (await eventually(lambda: chat.of("bot.message_flagged")))[0].fields
    assert {name: flagged[name] for name in flagged if name.startswith("chat.") or name == "device.id"} == {
        "device.id": bot.id,
        "chat.room": "lobby",
        "chat.check.name": "words",
        "chat.check.score": 1.0,
        "chat.check.threshold": 1.0,
        "chat.check.reasons": "casino",
        "chat.reaction": "refuse",
    }
    (event,) = await eventually(lambda: chat.of("bot.message_refused"))
    assert (event.fields["bot.refusal"], event.fields["chat.message.length"]) == ("words", 23)
    assert "in town" not in str([each.fields for each in chat.events])


async def test_a_held_message_waits_for_an_operator_and_comes_in_as_the_bots(chat: OpenChat) -> None:
    bot = await approved_bot(chat)
    await _set(chat, words=["casino"], checks={"words": {"reaction": "hold"}})
    number = (await bot.post("Next to the casino")).json()["id"]
    assert await _seen(chat) == []
    assert [message["text"] for message in (await bot.read()).json()["messages"]] == ["Next to the casino"]
    (held,) = await ValkeyHeld(chat.context.valkey).waiting(10)
    assert (held.number, held.author_id, held.name, held.text) == (number, bot.id, "Weather", "Next to the casino")
    assert [(each.check, each.reasons) for each in held.objections] == [("words", ("casino",))]
    assert await ValkeyRooms(chat.context.valkey).release("lobby", number) == number + 1
    visitor = await chat.visitor()
    (shown,) = (await visitor.http.get("/chat/poll")).json()["messages"]
    assert (shown["text"], shown["kind"], shown["name"]) == ("Next to the casino", "bot", "Weather")


async def test_what_is_noted_is_shown_and_operators_learn_where_it_is(chat: OpenChat) -> None:
    bot = await approved_bot(chat)
    text = "URGENT! You have won a FREE prize of £2000, call 09061234567 now to claim your cash!"
    number = (await bot.post(text)).json()["id"]
    assert await _seen(chat) == [text]
    fields = (await eventually(lambda: chat.of("bot.message_flagged")))[0].fields
    assert (fields["chat.check.name"], fields["chat.reaction"], fields["chat.message.number"]) == (
        "spam",
        "note",
        number,
    )
    assert "prize" not in str(fields).lower()


async def test_a_bot_may_repeat_itself_unless_the_room_says_otherwise(chat: OpenChat) -> None:
    bot = await approved_bot(chat)
    assert [_code(await bot.post(LINE)) for _ in range(4)] == [(201, "")] * 4
    await _set(chat, checks={"duplicate": {"reaction": "refuse", "bots": "refuse"}})
    codes = [_code(await bot.post(LINE)) for _ in range(3)]
    assert codes == [(201, ""), (201, ""), (422, "duplicate")]


@pytest.mark.parametrize("text", ["\u200b" * 4096 + "hello", "x" * 60_000])
async def test_what_is_longer_than_anybody_looks_at_is_too_long_and_not_cut(chat: OpenChat, text: str) -> None:
    bot = await approved_bot(chat)
    assert _code(await bot.post(text)) == (400, "too_long")
    assert await _seen(chat) == []


async def test_connected_it_is_the_same(chat: OpenChat) -> None:
    bot = await approved_bot(chat)
    await _set(chat, words=["casino"])
    async with by_websocket(chat, bot) as link:
        await link.greet()
        assert (await link.post("the casino"))["code"] == "words"
        assert (await link.post("the garden"))["type"] == "posted"
    assert await _seen(chat) == ["the garden"]
