"""Registration, secrets, and what operators decide, with real PostgreSQL and Valkey."""

import asyncio
import json
import time
from contextlib import suppress
from pathlib import Path

import pytest

from integration.chat.bots import TestBot, approved_bot, bot_at, decide, office_of
from integration.chat.conftest import SECRET_KEY, OpenChat, chat_running
from sakimori_chat.bots.adapters.sealing import Sealer, Unreadable
from sakimori_chat.bots.domain.device import BotStatus
from sakimori_chat.bots.ports import NameTaken, NotAllowed
from sakimori_common.context import Postgres, Valkey
from servers.eventually import eventually


async def test_a_secret_is_shown_once_and_lies_sealed_in_the_database(chat: OpenChat, postgres: Postgres) -> None:
    bot = await approved_bot(chat)
    assert bot.secret.startswith("sbk_")
    assert len(bot.secret) == 47
    assert bot.secret not in (await bot.me()).text
    stored = [
        bytes(value)
        for row in await postgres.fetch("SELECT * FROM chat.bot_secrets")
        for value in row.values()
        if isinstance(value, bytes)
    ]
    assert len(stored) == 2
    assert not any(bot.secret.encode() in value for value in stored)
    (sealed,) = [value for value in stored if len(value) != 32]
    assert Sealer(SECRET_KEY).unseal(sealed, bot.id) == (bot.secret.encode(), True)
    with pytest.raises(Unreadable):
        Sealer(SECRET_KEY).unseal(sealed, "bot-ffffffffffffffff")
    with pytest.raises(Unreadable):
        Sealer("another key of the server").unseal(sealed, bot.id)


async def test_a_new_key_of_the_server_opens_what_the_previous_one_sealed_and_seals_it_anew(
    valkey: Valkey, postgres: Postgres, tmp_path: Path
) -> None:
    old, new = "an old key of the server", "a new key of the server"
    async with chat_running(valkey, postgres, tmp_path / "spool", secret_key=old) as chat:
        bot = await approved_bot(chat)
    async with chat_running(valkey, postgres, tmp_path / "spool", secret_key=new, previous_secret_keys=old) as chat:
        later = bot_at(chat)
        later.id, later.secret = bot.id, bot.secret
        assert (await later.post("as ever")).status_code == 201

        async def is_sealed_anew() -> bool:
            sealed = await postgres.fetchval("SELECT sealed FROM chat.bot_secrets")
            with suppress(Unreadable):
                return Sealer(new).unseal(bytes(sealed), bot.id) == (bot.secret.encode(), True)
            return False

        await eventually(is_sealed_anew, seconds=15)
        assert (await later.post("and ever")).status_code == 201
    async with chat_running(valkey, postgres, tmp_path / "spool", secret_key="a key that was lost") as chat:
        stranger = bot_at(chat)
        stranger.id, stranger.secret = bot.id, bot.secret
        assert (await stranger.post("no more")).json()["code"] == "signature_wrong"


@pytest.mark.parametrize(
    ("body", "content_type", "status", "code"),
    [
        (b'{"name": "Weather", "rooms": ["lobby"]}', "text/plain", 415, "json_required"),
        (b"name=Weather&rooms=lobby", "application/x-www-form-urlencoded", 415, "json_required"),
        (b"{", "application/json", 400, "bad_request"),
        (b"\xff\xfe", "application/json", 400, "bad_request"),
        (b"[" * 30_000, "application/json", 400, "bad_request"),
        (b'{"name": "Weather", "rooms": ["lobby"], "status": "approved"}', "application/json", 400, "bad_request"),
        (b'{"name": "Weather", "rooms": "lobby"}', "application/json", 400, "bad_request"),
        (b'{"name": "\\ud800", "rooms": ["lobby"]}', "application/json", 400, "bad_request"),
        (b'{"name": "W", "rooms": ["lobby"]}', "application/json; charset=utf-8", 400, "bad_request"),
        (b'{"name": "Admin", "rooms": ["lobby"]}', "application/json", 400, "bad_request"),
        (b'{"name": "Weather", "rooms": ["no-such-room"]}', "application/json", 404, "no_such_room"),
    ],
)
async def test_a_registration_that_makes_no_sense(
    chat: OpenChat, body: bytes, content_type: str, status: int, code: str
) -> None:
    bot = bot_at(chat)
    response = await bot.http.post("/bots/register", content=body, headers={"content-type": content_type})
    assert (response.status_code, response.json()["code"]) == (status, code)
    (event,) = await eventually(lambda: chat.of("bot.registration_refused"))
    assert event.fields["bot.refusal"] == code


async def test_a_name_is_one_bot_s_and_what_looks_like_it_is_taken_too(chat: OpenChat) -> None:
    await approved_bot(chat, "Weather")
    for name in ("weather", "Wea ther", "We4ther", "Ｗeather"):
        response = await bot_at(chat, "192.0.2.1").register(name)
        assert (response.status_code, response.json()["code"]) == (409, "name_taken")


async def test_the_name_of_a_bot_that_is_out_may_be_used_again(chat: OpenChat) -> None:
    first = await approved_bot(chat, "Weather")
    await decide(chat, first, "revoked")
    second = await approved_bot(chat, "Weather")
    assert second.id != first.id
    third = bot_at(chat)
    await third.register("Trains")
    await decide(chat, third, "denied")
    assert (await bot_at(chat, "192.0.2.1").register("Trains")).status_code == 201
    async with office_of(chat) as office:
        with pytest.raises(NameTaken):
            await office.change(third.id, BotStatus.APPROVED, "mika")


async def test_registrations_are_bounded_by_address_and_in_all(
    valkey: Valkey, postgres: Postgres, tmp_path: Path
) -> None:
    async with chat_running(
        valkey, postgres, tmp_path / "spool", bot_registrations_per_address=2, bot_registrations_per_hour=3
    ) as chat:
        answers = [await bot_at(chat).register(f"Weather {word}") for word in ("one", "two", "three")]
        assert [answer.status_code for answer in answers] == [201, 201, 429]
        assert answers[2].json()["code"] == "too_many_registrations"
        assert 3590 <= int(answers[2].headers["retry-after"]) <= 3600
        assert (await bot_at(chat, "192.0.2.1").register("Trains")).status_code == 201
        assert (await bot_at(chat, "192.0.2.2").register("Ships")).status_code == 429


async def test_one_ipv6_network_is_one_address(valkey: Valkey, postgres: Postgres, tmp_path: Path) -> None:
    async with chat_running(valkey, postgres, tmp_path / "spool", bot_registrations_per_address=1) as chat:
        assert (await bot_at(chat, "2001:db8::1").register("Weather")).status_code == 201
        assert (await bot_at(chat, "2001:db8::2").register("Trains")).status_code == 429
        assert (await bot_at(chat, "2001:db8:0:1::1").register("Ships")).status_code == 201


async def test_so_many_may_wait_and_who_waited_too_long_is_forgotten(
    valkey: Valkey, postgres: Postgres, tmp_path: Path
) -> None:
    async with chat_running(valkey, postgres, tmp_path / "spool", bot_pending_limit=2) as chat:
        first = bot_at(chat)
        assert [(await first.register("Weather")).status_code, (await bot_at(chat).register("Trains")).status_code] == [
            201,
            201,
        ]
        full = await bot_at(chat).register("Ships")
        assert (full.status_code, full.json()["code"]) == (429, "too_many_pending")
        await postgres.execute("UPDATE chat.bots SET registered_at = now() - interval '8 days' WHERE id = $1", first.id)
        assert (await bot_at(chat).register("Ships")).status_code == 201
        gone = await first.me()
        assert (gone.status_code, gone.json()["code"]) == (401, "signature_wrong")


async def test_of_registrations_at_once_no_more_than_allowed_are_taken(
    valkey: Valkey, postgres: Postgres, tmp_path: Path
) -> None:
    async with chat_running(
        valkey, postgres, tmp_path / "spool", bot_pending_limit=3, bot_registrations_per_address=50
    ) as chat:
        words = ("rain", "snow", "hail", "wind", "fog", "sun", "moon", "tide")
        answers = await asyncio.gather(*(bot_at(chat).register(f"The {word}") for word in words))
        assert sorted(answer.status_code for answer in answers) == [201] * 3 + [429] * 5


async def test_a_bot_renews_its_secret_and_both_are_good_for_a_while(chat: OpenChat, postgres: Postgres) -> None:
    bot = await approved_bot(chat)
    old = bot.secret
    response = await bot.send("POST", "/bots/secret")
    assert response.status_code == 201
    new = response.json()["secret"]
    assert new != old
    assert response.json()["previous_expires_at"].endswith("Z")
    assert (await bot.post("with the old one", secret=old)).status_code == 201
    assert (await bot.post("with the new one", secret=new)).status_code == 201
    told = (await bot.me(secret=old)).json()["secret_expires_at"]
    assert told == response.json()["previous_expires_at"]
    assert (await bot.me(secret=new)).json()["secret_expires_at"] is None
    kept = await postgres.fetchval(
        "SELECT extract(epoch FROM expires_at - now()) FROM chat.bot_secrets WHERE expires_at IS NOT NULL"
    )
    assert 86_300 < kept <= 86_400
    (event,) = await eventually(lambda: chat.of("bot.secret_rotated"))
    assert (event.fields["device.id"], event.fields["bot.changed_by"]) == (bot.id, "bot")
    said = json.dumps([event.to_flat() for event in chat.events])
    assert old not in said
    assert new not in said


async def test_after_the_overlap_the_old_secret_is_gone(valkey: Valkey, postgres: Postgres, tmp_path: Path) -> None:
    async with chat_running(valkey, postgres, tmp_path / "spool", bot_secret_overlap_seconds=0.0) as chat:
        bot = await approved_bot(chat)
        old = bot.secret
        new = (await bot.send("POST", "/bots/secret")).json()["secret"]
        refused = await bot.post("too late", secret=old)
        assert (refused.status_code, refused.json()["code"]) == (401, "signature_wrong")
        assert (await bot.post("in time", secret=new)).status_code == 201
        await eventually(lambda: _has_secrets(postgres, 1), seconds=15)


async def _has_secrets(postgres: Postgres, count: int) -> bool:
    return bool(await postgres.fetchval("SELECT count(*) FROM chat.bot_secrets") == count)


async def test_a_bot_that_never_got_the_answer_renews_again_with_what_it_has(chat: OpenChat) -> None:
    bot = await approved_bot(chat)
    lost = (await bot.send("POST", "/bots/secret")).json()
    again = (await bot.send("POST", "/bots/secret")).json()
    assert (await bot.post("old", secret=bot.secret)).status_code == 201
    assert (await bot.post("newest", secret=again["secret"])).status_code == 201
    refused = await bot.post("lost", secret=lost["secret"])
    assert refused.json()["code"] == "signature_wrong"
    assert again["previous_expires_at"] == lost["previous_expires_at"]


async def test_a_bot_renews_only_so_often(valkey: Valkey, postgres: Postgres, tmp_path: Path) -> None:
    async with chat_running(valkey, postgres, tmp_path / "spool", bot_rotations_per_hour=2) as chat:
        bot = await approved_bot(chat)
        answers = [await bot.send("POST", "/bots/secret") for _ in range(3)]
        assert [answer.status_code for answer in answers] == [201, 201, 429]
        assert answers[2].json()["code"] == "too_many_secrets"


async def test_renewing_one_bot_s_secret_touches_no_other(chat: OpenChat) -> None:
    one, other = await approved_bot(chat, "Weather"), await approved_bot(chat, "Trains")
    await one.send("POST", "/bots/secret")
    assert (await other.post("as ever")).status_code == 201


async def test_an_operator_changes_a_secret_with_overlap_or_at_once(chat: OpenChat) -> None:
    bot = await approved_bot(chat)
    async with office_of(chat) as office:
        gentle = await office.rotate(bot.id, "mika")
        assert gentle is not None
        await eventually(lambda: _accepts(bot, gentle.secret))
        assert (await bot.post("x")).status_code == 201
        hard = await office.rotate(bot.id, "mika", at_once=True)
        assert hard is not None
        await eventually(lambda: _accepts(bot, hard.secret))
        for secret in (bot.secret, gentle.secret):
            assert (await bot.post("x", secret=secret)).status_code == 401
        assert await office.rotate("bot-ffffffffffffffff", "mika") is None


async def _accepts(bot: TestBot, secret: str) -> bool:
    return (await bot.post("x", secret=secret)).status_code == 201


async def test_what_became_of_a_bot_is_on_record_with_who_and_why(chat: OpenChat, postgres: Postgres) -> None:
    bot = await approved_bot(chat)
    async with office_of(chat) as office:
        blocked = await office.change(bot.id, BotStatus.BLOCKED, "mika", "Suspicious activity")
        assert blocked is not None
        assert blocked.blocked_reason == "Suspicious activity"
        assert blocked.blocked_at == pytest.approx(time.time(), abs=30)
        row = await postgres.fetchrow("SELECT status, blocked_reason, blocked_at FROM chat.bots WHERE id = $1", bot.id)
        assert (row["status"], row["blocked_reason"]) == ("blocked", "Suspicious activity")
        assert row["blocked_at"] is not None
        back = await office.change(bot.id, BotStatus.APPROVED, "yui", "It was me")
        assert back is not None
        assert (back.blocked_reason, back.blocked_at) == ("", None)
        record = [(change.status, change.by, change.reason) for change in await office.record(bot.id)]
        assert record == [
            (BotStatus.PENDING, "bot", ""),
            (BotStatus.APPROVED, "mika", ""),
            (BotStatus.BLOCKED, "mika", "Suspicious activity"),
            (BotStatus.APPROVED, "yui", "It was me"),
        ]
        with pytest.raises(NotAllowed, match="approved cannot become denied"):
            await office.change(bot.id, BotStatus.DENIED, "mika")
        assert await office.change("bot-ffffffffffffffff", BotStatus.BLOCKED, "mika") is None
        assert await office.set_rooms("bot-ffffffffffffffff", frozenset(), "mika") is None


async def test_when_a_bot_was_last_heard_is_written_down(chat: OpenChat, postgres: Postgres) -> None:
    bot = await approved_bot(chat)
    await bot.post("I am here")

    async def last() -> object:
        return await postgres.fetchval("SELECT last_ping_at FROM chat.bots WHERE id = $1", bot.id)

    heard = await eventually(last, seconds=15)
    assert heard is not None
    async with office_of(chat) as office:
        (listed,) = office.bots()
        assert listed.last_ping_at == pytest.approx(time.time(), abs=30)


async def test_those_who_wait_are_listed_first_and_counted(chat: OpenChat) -> None:
    await approved_bot(chat, "Weather")
    waiting = bot_at(chat)
    await waiting.register("Trains", contact="ops@example.org")
    async with office_of(chat) as office:
        assert [(bot.name, bot.contact) for bot in office.bots()] == [("Trains", "ops@example.org"), ("Weather", "")]
    assert chat.metric("sakimori_bot_pending") == 1
