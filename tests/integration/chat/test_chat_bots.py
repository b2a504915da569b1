
from integration.chat.bots import bot_at, decide
from integration.chat.conftest import OpenChat


async def test_a_bot_registers_waits_is_approved_and_speaks_in_the_room(chat: OpenChat) -> None:
    bot = bot_at(chat)
    registered = await bot.register("Weather", contact="ops@example.org")
    assert registered.status_code == 201
    assert registered.json()["bot"] == {"id": bot.id, "name": "Weather", "status": "pending", "rooms": ["lobby"]}
    assert (await bot.me()).json()["status"] == "pending"
    refused = await bot.post("may I?")
    assert (refused.status_code, refused.json()["code"]) == (403, "bot_pending")

    await decide(chat, bot, "approved")
    posted = await bot.post("It  will rain.\u202e")
    assert posted.status_code == 201
    page = (await bot.read()).json()
    (message,) = page["messages"]
    assert message == {
        "id": posted.json()["id"],
        "author": bot.id,
        "name": "Weather",
        "text": "It will rain.",
        "posted_at": message["posted_at"],
        "kind": "bot",
    }
    visitor = await chat.visitor()
    assert await visitor.texts() == ["It will rain."]
