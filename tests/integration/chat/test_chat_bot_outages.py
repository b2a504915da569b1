"""Without a store nobody is let in, on any route, and it heals by itself (S4-06)."""

import time
from collections.abc import AsyncIterator
from pathlib import Path

import httpx
import pytest

from integration.chat.bots import TestBot, approved_bot, bot_at
from integration.chat.conftest import OpenChat, chat_running
from sakimori.embedded import PostgresServer, ValkeyServer
from sakimori_common.context import Postgres, Valkey
from servers.eventually import eventually
from servers.patience import AS_IN_SERVICES
from servers.promptness import quickest


@pytest.fixture
async def chat(valkey: Valkey, postgres: Postgres, tmp_path: Path) -> AsyncIterator[OpenChat]:
    """A chat whose bots may ask again and again until it is back."""
    async with chat_running(valkey, postgres, tmp_path / "spool", bot_minute_limit=100_000) as opened:
        yield opened


async def _all_routes(bot: TestBot) -> list[httpx.Response]:
    return [
        await bot.post("x"),
        await bot.read(),
        await bot.me(),
        await bot.send("POST", "/bots/secret"),
    ]


async def _posts(bot: TestBot) -> bool:
    return (await bot.post("x")).status_code == 201


async def test_without_valkey_every_route_is_503_within_a_second_and_heals(
    chat: OpenChat, valkey_server: ValkeyServer
) -> None:
    bot = await approved_bot(chat)
    valkey_server.kill()
    started = time.monotonic()
    answers = [*await _all_routes(bot), await bot_at(chat).register("Trains")]
    assert time.monotonic() - started < 5
    assert [(answer.status_code, answer.json()["code"]) for answer in answers] == [(503, "store_unavailable")] * 5
    assert {answer.headers["retry-after"] for answer in answers} == {"1"}
    # who signs wrong is told so by a service that cannot let anybody in
    forged = await bot.post("x", secret="sbk_forged")
    assert (forged.status_code, forged.json()["code"]) == (401, "signature_wrong")
    (event, *_) = await eventually(lambda: chat.of("bot.store_unavailable"))
    assert event.fields["bot.store"] == "valkey"
    assert "source.ip" not in event.fields

    valkey_server.start()
    await eventually(lambda: _posts(bot), seconds=10)


async def test_nonces_outlive_a_valkey_that_dies(chat: OpenChat, valkey_server: ValkeyServer) -> None:
    bot = await approved_bot(chat)
    body = b'{"room": "lobby", "text": "once"}'
    proof = bot.proof("POST", "/bots/messages", body)
    assert (await bot.http.post("/bots/messages", content=body, headers=proof)).status_code == 201
    valkey_server.kill()
    valkey_server.start()
    await eventually(lambda: _posts(bot), seconds=10)
    again = await bot.http.post("/bots/messages", content=body, headers=proof)
    assert (again.status_code, again.json()["code"]) == (401, "nonce_replayed")


@AS_IN_SERVICES
async def test_a_valkey_that_hangs_is_given_up_and_one_that_cannot_write_lets_nobody_in(
    chat: OpenChat, valkey: Valkey
) -> None:
    bot = await approved_bot(chat)
    await valkey.config_set("maxmemory", "1")
    try:
        assert [answer.status_code for answer in await _all_routes(bot)] == [503] * 4
    finally:
        await valkey.config_set("maxmemory", "0")
    await valkey.client_pause(5000)

    async def is_given_up() -> None:
        assert (await bot.post("x")).status_code == 503

    assert await quickest(is_given_up, 2) < 1.5
    await eventually(lambda: _posts(bot), seconds=10)


async def test_without_postgresql_bots_are_known_for_five_seconds_and_then_nobody_is_let_in(
    chat: OpenChat, postgres_server: PostgresServer
) -> None:
    bot, waiting = await approved_bot(chat), bot_at(chat)
    await waiting.register("Trains")
    await chat.context.postgres.execute("CHECKPOINT")  # the servers of tests commit without waiting for the disk
    postgres_server.kill()
    assert (await bot.post("from memory")).status_code == 201
    # what only the database can decide is refused at once
    for answer in (await bot.send("POST", "/bots/secret"), await bot_at(chat).register("Ships")):
        assert (answer.status_code, answer.json()["code"]) == (503, "store_unavailable")

    await eventually(lambda: _is_refused(bot), seconds=15)
    for asking in (bot, waiting):
        answers = [(answer.status_code, answer.json()["code"]) for answer in await _all_routes(asking)]
        assert answers == [(503, "store_unavailable")] * 4
    unknown = await bot.post("x", id="bot-ffffffffffffffff")
    assert unknown.status_code == 503  # of whom nobody can tell
    events = await eventually(lambda: chat.of("bot.store_unavailable"))
    assert "postgresql" in {event.fields["bot.store"] for event in events}
    assert chat.metric("sakimori_bot_registry_age_seconds") > 5

    postgres_server.start()
    await eventually(lambda: _posts(bot), seconds=30)


async def _is_refused(bot: TestBot) -> bool:
    return (await bot.post("x")).status_code == 503


async def test_a_chat_that_starts_without_its_bots_lets_none_of_them_in(
    chat: OpenChat, postgres: Postgres, postgres_server: PostgresServer
) -> None:
    bot = await approved_bot(chat)
    await postgres.execute("ALTER TABLE chat.bots RENAME TO bots_away")
    await eventually(lambda: _is_refused(bot), seconds=15)
    assert [answer.status_code for answer in await _all_routes(bot)] == [503] * 4
    await postgres.execute("ALTER TABLE chat.bots_away RENAME TO bots")
    await eventually(lambda: _posts(bot), seconds=15)
