"""Bots over HTTP: who is let in, what is refused before anything is believed, what they say and read."""

import asyncio
import json
import socket
import time
from pathlib import Path
from typing import Any

import httpx
import pytest

from integration.chat.bots import TestBot, another_replica, approved_bot, bot_at, decide, office_of
from integration.chat.conftest import ADDRESS, EDGE_TOKEN, OpenChat, chat_running
from sakimori_chat.bots.domain.occurrences import BotOrigin
from sakimori_chat.bots.domain.refusals import BotRefusal
from sakimori_chat.bots.domain.signature import claim_of
from sakimori_chat.bots.intake import Admitted
from sakimori_common.context import Postgres, Valkey
from servers.eventually import eventually
from servers.own_logs import lines_of


def _code(response: httpx.Response) -> tuple[int, str]:
    assert response.headers["content-type"] == "application/problem+json"
    return response.status_code, response.json()["code"]


async def test_a_bot_registers_waits_is_approved_and_speaks_in_the_room(chat: OpenChat) -> None:
    bot = bot_at(chat)
    registered = await bot.register("Weather", contact="ops@example.org")
    assert registered.status_code == 201
    assert registered.headers["cache-control"] == "no-store"
    assert registered.json()["bot"] == {"id": bot.id, "name": "Weather", "status": "pending", "rooms": ["lobby"]}
    assert (await bot.me()).json()["status"] == "pending"
    assert _code(await bot.post("may I?")) == (403, "bot_pending")
    assert _code(await bot.read()) == (403, "bot_pending")

    await decide(chat, bot, "approved")
    posted = await bot.post("It  will rain.\u202e")
    assert posted.status_code == 201
    (message,) = (await bot.read()).json()["messages"]
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


async def test_each_step_of_a_bot_is_an_event_without_its_text(chat: OpenChat) -> None:
    bot = await approved_bot(chat)
    await bot.post("a text of its own")
    await bot.read()
    (read,) = await eventually(lambda: chat.of("bot.data_read"))
    (received,) = chat.of("bot.message_received")
    (registered,) = chat.of("bot.registered")
    for event in (read, received, registered):
        assert event.fields["device.id"] == bot.id
        assert event.fields["user.name"] == "Weather"
        assert event.fields["source.ip"] == "198.51.100.20"
        assert event.fields["bot.transport"] == "http"
        assert event.fields["event.category"] == "bot"
        assert event.fields["event.outcome"] == "success"
    assert (received.dataset, read.dataset, registered.dataset) == ("bot.message", "bot.security", "bot.security")
    assert (received.fields["chat.room"], received.fields["chat.message.length"]) == ("lobby", 17)
    assert (read.fields["chat.room"], read.fields["bot.messages"]) == ("lobby", 1)
    said = json.dumps([event.to_flat() for event in chat.events])
    assert "a text of its own" not in said
    assert bot.secret not in said


async def test_a_request_without_a_proof_is_told_how_to_give_one(chat: OpenChat) -> None:
    bot = await approved_bot(chat)
    for method, path in (("POST", "/bots/messages"), ("GET", "/bots/messages?room=lobby"), ("GET", "/bots/me")):
        response = await bot.http.request(method, path)
        assert _code(response) == (401, "signature_missing")
        assert response.headers["www-authenticate"] == "SAKIMORI-HMAC-SHA256"
    events = await eventually(lambda: chat.of("bot.unauthorized"))
    assert events[0].fields["bot.refusal"] == "signature_missing"
    assert chat.metric("sakimori_bot_auth_failures_total", reason="signature_missing") == 3


@pytest.mark.parametrize("part", ["Bot", "Timestamp", "Nonce", "Signature"])
async def test_each_header_comes_once(chat: OpenChat, part: str) -> None:
    bot = await approved_bot(chat)
    proof = bot.proof("GET", "/bots/me")
    name = f"X-Sakimori-{part}"
    missing = {key: value for key, value in proof.items() if key != name}
    assert _code(await bot.http.get("/bots/me", headers=missing)) == (401, "signature_missing")
    twice = [*proof.items(), (name.lower(), proof[name])]
    assert _code(await bot.http.get("/bots/me", headers=twice)) == (401, "signature_malformed")
    assert (await bot.http.get("/bots/me", headers=proof)).status_code == 200


@pytest.mark.parametrize(
    ("changed", "to"),
    [
        ("X-Sakimori-Bot", "weather"),
        ("X-Sakimori-Timestamp", "yesterday"),
        ("X-Sakimori-Timestamp", "9" * 40),
        ("X-Sakimori-Nonce", "short"),
        ("X-Sakimori-Nonce", "x" * 5000),
        ("X-Sakimori-Signature", "v1="),
        ("X-Sakimori-Signature", "v2=" + "0" * 64),
        ("X-Sakimori-Signature", "v1=" + "0" * 63),
        ("X-Sakimori-Signature", b"v1=\xff\xfe"),
    ],
)
async def test_a_proof_out_of_shape_is_malformed_and_nothing_breaks(
    chat: OpenChat, changed: str, to: str | bytes
) -> None:
    bot = await approved_bot(chat)
    headers: dict[str, Any] = {**bot.proof("GET", "/bots/me"), changed: to}
    assert _code(await bot.http.get("/bots/me", headers=headers)) == (401, "signature_malformed")


async def test_whatever_is_altered_after_signing_is_refused(chat: OpenChat) -> None:
    bot = await approved_bot(chat)
    body = b'{"room": "lobby", "text": "ten"}'
    proof = bot.proof("POST", "/bots/messages", body)
    http = bot.http
    altered = [
        await http.post("/bots/messages", content=body.replace(b"ten", b"one"), headers=proof),
        await http.post("/bots/messages?x=1", content=body, headers=proof),
        await http.post("/bots//messages", content=body, headers=proof),
        await http.post("/bots/messages", content=body, headers={**proof, "X-Sakimori-Nonce": "B" * 16}),
        await http.post(
            "/bots/messages", content=body, headers={**proof, "X-Sakimori-Timestamp": str(int(time.time()) + 1)}
        ),
        await http.post("/bots/secret", content=body, headers=proof),
    ]
    assert [response.status_code for response in altered] == [401, 401, 404, 401, 401, 401]
    assert [_code(response)[1] for response in altered if response.status_code == 401] == ["signature_wrong"] * 5
    assert (await http.post("/bots/messages", content=body, headers=proof)).status_code == 201


async def test_path_and_query_are_signed_as_they_are_sent(chat: OpenChat) -> None:
    bot = await approved_bot(chat)
    await bot.post("hello")
    as_sent = "/bots/messages?limit=1&room=lob%62y&after=0"
    response = await bot.send("GET", as_sent)
    assert (response.status_code, len(response.json()["messages"])) == (200, 1)
    proof = bot.proof("GET", "/bots/messages?limit=1&room=lobby&after=0")
    assert _code(await bot.http.get(as_sent, headers=proof)) == (401, "signature_wrong")


async def test_who_is_unknown_looks_exactly_like_who_signs_wrong(chat: OpenChat) -> None:
    bot = await approved_bot(chat)
    wrong = await bot.post("x", secret="sbk_wrong")
    unknown = await bot.post("x", id="bot-ffffffffffffffff")
    assert _code(wrong) == _code(unknown) == (401, "signature_wrong")
    assert wrong.content == unknown.content
    differing = {"date", "x-request-id"}
    assert {k: v for k, v in wrong.headers.items() if k not in differing} == {
        k: v for k, v in unknown.headers.items() if k not in differing
    }


@pytest.mark.parametrize("seconds", [-301, 301])
async def test_301_seconds_of_skew_are_refused_on_both_sides(chat: OpenChat, seconds: int) -> None:
    bot = await approved_bot(chat)
    # one second more to the past and to the future of what could tick over meanwhile
    at = int(time.time()) + seconds + (1 if seconds > 0 else 0)
    assert _code(await bot.post("late", at=at)) == (401, "timestamp_skewed")
    (event,) = await eventually(lambda: chat.of("bot.hmac_failed"))
    assert event.fields["bot.refusal"] == "timestamp_skewed"


@pytest.mark.parametrize("seconds", [-298, 298])
async def test_nearly_300_seconds_of_skew_are_fine(chat: OpenChat, seconds: int) -> None:
    bot = await approved_bot(chat)
    assert (await bot.post("still good", at=int(time.time()) + seconds)).status_code == 201


async def test_the_same_request_twice_is_one_message(chat: OpenChat) -> None:
    bot = await approved_bot(chat)
    body = b'{"room": "lobby", "text": "once"}'
    proof = bot.proof("POST", "/bots/messages", body)
    first = await bot.http.post("/bots/messages", content=body, headers=proof)
    again = await bot.http.post("/bots/messages", content=body, headers=proof)
    assert first.status_code == 201
    assert _code(again) == (401, "nonce_replayed")
    (event,) = await eventually(lambda: chat.of("bot.replay_refused"))
    assert event.fields["device.id"] == bot.id
    assert len((await bot.read()).json()["messages"]) == 1


async def test_of_many_copies_at_once_one_gets_through(chat: OpenChat) -> None:
    bot = await approved_bot(chat)
    body = b'{"room": "lobby", "text": "once"}'
    proof = bot.proof("POST", "/bots/messages", body)
    answers = await asyncio.gather(*(bot.http.post("/bots/messages", content=body, headers=proof) for _ in range(10)))
    statuses = [answer.status_code for answer in answers]
    assert statuses.count(201) == 1
    assert set(statuses) <= {201, 401, 503}  # a machine that is busy may not be able to check one in time
    assert len((await bot.read()).json()["messages"]) == 1


async def test_requests_may_come_in_another_order_than_they_were_signed(chat: OpenChat) -> None:
    bot = await approved_bot(chat)
    bodies = [json.dumps({"room": "lobby", "text": f"number {n}"}).encode() for n in range(3)]
    proofs = [bot.proof("POST", "/bots/messages", body, at=int(time.time()) - 10 + n) for n, body in enumerate(bodies)]
    for body, proof in reversed(list(zip(bodies, proofs, strict=True))):
        assert (await bot.http.post("/bots/messages", content=body, headers=proof)).status_code == 201
    for body, proof in zip(bodies, proofs, strict=True):
        assert _code(await bot.http.post("/bots/messages", content=body, headers=proof)) == (401, "nonce_replayed")


async def test_a_nonce_is_remembered_longer_than_any_clock_may_be_wrong(chat: OpenChat, valkey: Valkey) -> None:
    bot = await approved_bot(chat)
    await bot.post("from the future", at=int(time.time()) + 299, nonce="A" * 16)
    assert 600 < await valkey.ttl(f"nonce:{bot.id}:{'A' * 16}") <= 660


async def test_nonces_are_each_bot_s_own(chat: OpenChat) -> None:
    one, other = await approved_bot(chat, "Weather"), await approved_bot(chat, "Trains")
    assert (await one.post("x", nonce="A" * 16)).status_code == 201
    assert (await other.post("x", nonce="A" * 16)).status_code == 201


async def test_a_forger_burns_neither_the_nonces_nor_the_limits_of_a_bot(chat: OpenChat, valkey: Valkey) -> None:
    bot = await approved_bot(chat)
    before = await _state_of(bot, valkey)
    for _ in range(20):
        assert _code(await bot.post("x", secret="sbk_forged", nonce="N" * 16)) == (401, "signature_wrong")
    assert await _state_of(bot, valkey) == before
    assert (await bot.post("mine", nonce="N" * 16)).status_code == 201


async def _state_of(bot: TestBot, valkey: Valkey) -> dict[Any, Any]:
    """Read all that Valkey has of a bot, but for when it ends."""
    return {key: await valkey.get(key) for key in await valkey.keys(f"*{bot.id}*")}


async def test_forgeries_of_an_address_are_limited_and_the_bot_behind_it_is_not(
    valkey: Valkey, postgres: Postgres, tmp_path: Path
) -> None:
    async with chat_running(valkey, postgres, tmp_path / "spool", bot_forgeries_per_minute=5) as chat:
        bot = await approved_bot(chat)
        answers = [_code(await bot.post("x", secret="sbk_forged")) for _ in range(8)]
        assert answers[:5] == [(401, "signature_wrong")] * 5
        assert answers[5:] == [(429, "too_many_attempts")] * 3
        assert (await bot.post("honest")).status_code == 201
        other = bot_at(chat, "192.0.2.9")
        assert _code(await other.post("x")) == (401, "signature_wrong")
        await eventually(lambda: len(chat.of("bot.hmac_failed")) == 9)
        hits = chat.of("bot.rate_limit_hit")
        assert {hit.fields["bot.limit_scope"] for hit in hits} == {"address"}
        assert chat.metric("sakimori_bot_rate_limit_hits_total", period="minute", scope="address") == 3


async def test_the_signature_decides_before_the_body_is_looked_at(chat: OpenChat) -> None:
    bot = await approved_bot(chat)
    bad = [b"", b"{", b"\xff\xfe", b"[" * 30_000, b"null", b'{"room": 1}', b'{"room":"lobby","text":"x","more":1}']
    for body in bad:
        assert _code(await bot.send("POST", "/bots/messages", body, secret="sbk_forged")) == (401, "signature_wrong")
        assert _code(await bot.send("POST", "/bots/messages", body)) == (400, "bad_request")
    events = await eventually(lambda: chat.of("bot.message_refused"))
    assert {event.fields["bot.refusal"] for event in events} == {"bad_request"}


@pytest.mark.parametrize(
    "query", ["", "?room=lobby&after=-1", "?room=lobby&limit=101", "?room=lobby&after=x", "?rooms=lobby"]
)
async def test_a_query_that_makes_no_sense_is_told_so(chat: OpenChat, query: str) -> None:
    bot = await approved_bot(chat)
    assert _code(await bot.send("GET", f"/bots/messages{query}")) == (400, "bad_request")


async def test_a_body_over_64_kib_is_refused_with_an_event_signed_or_not(chat: OpenChat) -> None:
    bot = await approved_bot(chat)
    huge = json.dumps({"room": "lobby", "text": "x" * 70_000}).encode()
    assert _code(await bot.send("POST", "/bots/messages", huge)) == (413, "body_too_large")
    assert _code(await bot.http.post("/bots/messages", content=huge)) == (413, "body_too_large")
    assert _code(await bot.http.post("/bots/register", content=huge)) == (413, "body_too_large")
    events = await eventually(lambda: chat.of("bot.message_refused"))
    assert {event.fields["bot.refusal"] for event in events} == {"body_too_large"}


async def test_what_a_room_does_not_take(chat: OpenChat, postgres: Postgres) -> None:
    await _open_room(chat, postgres, "trains")
    bot = await approved_bot(chat, rooms=("lobby",))
    assert _code(await bot.post("x", room="trains")) == (403, "room_not_approved")
    assert _code(await bot.read(room="trains")) == (403, "room_not_approved")
    assert _code(await bot.post("x", room="no-such-room")) == (403, "room_not_approved")
    assert _code(await bot.post("x" * 301)) == (400, "too_long")
    assert _code(await bot.post("\u200b\u202e")) == (400, "empty")
    assert (await bot.post("y" * 300)).status_code == 201
    refused = await eventually(lambda: chat.of("bot.room_refused"))
    assert {(event.fields["chat.room"], event.fields["bot.refusal"]) for event in refused} == {
        ("trains", "room_not_approved"),
        ("no-such-room", "room_not_approved"),
    }
    async with office_of(chat) as office:
        await office.set_rooms(bot.id, frozenset({"trains"}), "mika")
    await eventually(lambda: _posts(bot, "trains"))
    assert _code(await bot.post("x", room="lobby")) == (403, "room_not_approved")


async def _open_room(chat: OpenChat, postgres: Postgres, name: str, **policy: Any) -> None:
    """Open a room as operators do; returns once the chat knows."""
    await postgres.execute(
        "INSERT INTO chat.rooms (name, policy, changed_by, changed_at) VALUES ($1, $2, 'mika', now()) "
        "ON CONFLICT (name) DO UPDATE SET policy = excluded.policy",
        name,
        json.dumps(policy),
    )
    visitor = await chat.visitor()

    async def is_there() -> bool:
        return (await visitor.http.get(f"/chat?room={name}")).status_code == 200

    await eventually(is_there)


async def _posts(bot: TestBot, room: str) -> bool:
    return (await bot.post("x", room=room)).status_code == 201


async def test_a_locked_room_is_locked_for_bots_too(chat: OpenChat, postgres: Postgres) -> None:
    bot = await approved_bot(chat)
    await _open_room(chat, postgres, "lobby", is_locked=True)
    refused = await eventually(lambda: _refused_as(bot, "room_locked"))
    assert refused


async def _refused_as(bot: TestBot, code: str) -> bool:
    return bool((await bot.post("x")).json().get("code") == code)


@pytest.mark.parametrize("status", ["blocked", "revoked"])
async def test_a_bot_that_is_out_is_out_at_once_and_everywhere(chat: OpenChat, status: str) -> None:
    bot = await approved_bot(chat)
    assert (await bot.post("still welcome")).status_code == 201
    started = time.monotonic()
    await decide(chat, bot, status, "Suspicious activity")
    assert time.monotonic() - started < 5
    for response in (await bot.post("x"), await bot.read(), await bot.me(), await bot.send("POST", "/bots/secret")):
        assert _code(response) == (403, f"bot_{status}")
    events = await eventually(lambda: chat.of("bot.unauthorized"))
    assert events[-1].fields["bot.refusal"] == f"bot_{status}"


async def test_a_blocked_address_is_blocked_for_bots_too(chat: OpenChat) -> None:
    bot = await approved_bot(chat)
    await chat.decide("source.ip", "198.51.100.20", seconds=60)
    refused = await bot.post("x")
    assert _code(refused) == (403, "blocked_by_decision")
    assert 0 < int(refused.headers["retry-after"]) <= 60
    await chat.decide("source.ip", "198.51.100.20", seconds=-1)
    assert (await bot.post("x")).status_code == 201


async def test_an_ipv6_bot_is_blocked_with_its_network(chat: OpenChat) -> None:
    bot = await approved_bot(chat)
    bot.http.headers["x-forwarded-for"] = "2001:db8::7"
    await chat.decide("source.ip", "2001:db8::9", seconds=60)
    assert _code(await bot.post("x")) == (403, "blocked_by_decision")
    bot.http.headers["x-forwarded-for"] = "2001:db8:0:1::7"
    assert (await bot.post("x")).status_code == 201


async def test_nothing_blocks_a_bot_of_a_network_that_is_never_blocked(
    valkey: Valkey, postgres: Postgres, tmp_path: Path
) -> None:
    async with chat_running(valkey, postgres, tmp_path / "spool", never_block="198.51.100.0/24") as chat:
        bot = await approved_bot(chat)
        await valkey.set("block:ip:198.51.100.20", "0:a", ex=60)
        assert (await bot.post("x")).status_code == 201


async def test_a_flood_of_forgeries_is_few_events_that_say_how_many(
    valkey: Valkey, postgres: Postgres, tmp_path: Path
) -> None:
    async with chat_running(
        valkey, postgres, tmp_path / "spool", events_per_second=2, requests_per_second=1000.0
    ) as chat:
        bot = bot_at(chat)
        for _ in range(25):
            await bot.me(secret="sbk_forged")

        def counted() -> int:
            return sum(int(str(event.fields.get("bot.attempts", 1))) for event in chat.of("bot.hmac_failed"))

        await eventually(lambda: counted() == 25)
        assert any("bot.attempts" in event.fields for event in chat.of("bot.hmac_failed"))


async def test_security_log_has_what_fail2ban_reads(log_folder: Path, chat: OpenChat) -> None:
    bot = await approved_bot(chat)
    await bot.post("x", secret="sbk_forged")
    await bot.http.get("/bots/me")
    await bot.post("welcome")
    lines = [line for line in lines_of(log_folder / "security.log") if line["action"].startswith("bot.")]
    told = [(line["action"], line["ip"], line["user"], line["outcome"], line["reason"]) for line in lines]
    assert told == [
        ("bot.registered", "198.51.100.20", bot.id, "success", ""),
        ("bot.hmac_failed", "198.51.100.20", bot.id, "failure", "HMAC verification failed"),
        ("bot.unauthorized", "198.51.100.20", "", "failure", "Unauthorized bot attempt: no signature"),
    ]
    assert bot.secret not in (log_folder / "security.log").read_text()


async def test_the_address_of_a_bot_is_believed_only_from_the_gateway(chat: OpenChat) -> None:
    async with httpx.AsyncClient(base_url=chat.url, headers={"x-forwarded-for": ADDRESS}) as direct:
        await direct.get("/bots/me")
    (event,) = await eventually(lambda: chat.of("bot.unauthorized"))
    assert event.fields["source.ip"] == "127.0.0.1"


async def test_somebody_who_hangs_up_amid_a_body_leaves_no_trace_of_an_error(chat: OpenChat, caplog: Any) -> None:
    host, port = chat.url.removeprefix("http://").split(":")
    with socket.create_connection((host, int(port))) as raw:
        raw.sendall(
            b"POST /bots/messages HTTP/1.1\r\nhost: x\r\ncontent-length: 1000\r\n"
            b"x-sakimori-edge: " + EDGE_TOKEN.encode() + b"\r\n\r\n{"
        )
        await asyncio.to_thread(raw.shutdown, socket.SHUT_RDWR)
    bot = await approved_bot(chat)
    assert (await bot.post("still here")).status_code == 201
    assert "Traceback" not in caplog.text
    assert [record for record in caplog.records if record.levelname in {"ERROR", "CRITICAL"}] == []


async def test_a_bot_that_waits_uses_no_room_by_whatever_way_it_came_in(
    chat: OpenChat,
) -> None:
    bot = bot_at(chat)
    await bot.register()
    proof = bot.proof("SESSION", "/bots/ws")
    claim = claim_of(
        bot_id=bot.id,
        timestamp=proof["X-Sakimori-Timestamp"],
        nonce=proof["X-Sakimori-Nonce"],
        signature=proof["X-Sakimori-Signature"],
        method="SESSION",
        target=b"/bots/ws",
        body=b"",
    )
    async with another_replica(chat) as replica:
        door = replica.door
        origin = BotOrigin("trace-1", "198.51.100.20", transport="websocket")
        admitted = await door.authenticate(claim, origin, lets_pending=True)
        assert isinstance(admitted, Admitted)
        for outcome in (
            await door.receive(admitted, "lobby", "x", origin),
            await door.read(admitted, "lobby", 0, 10, origin),
            await door.admit(bot.id, origin),
        ):
            assert isinstance(outcome, BotRefusal)
            assert outcome.code == "bot_pending"
