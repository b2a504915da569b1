import asyncio
import json
import re
import time
import uuid
from collections import Counter
from collections.abc import AsyncIterator
from pathlib import Path

import httpx
import pytest
from redis.asyncio.client import PubSub

from integration.chat.conftest import ADDRESS, EDGE_TOKEN, OpenChat, Visitor, chat_running, fingerprint_of
from sakimori_chat.adapters.gate import ValkeyGate
from sakimori_chat.domain.identity import Hasher
from sakimori_chat.domain.limits import Limits, Outcome
from sakimori_chat.ports import Attempt
from sakimori_common.context import Postgres, Valkey
from sakimori_common.contracts import DecisionAction
from servers.eventually import eventually
from servers.own_logs import lines_of


async def test_the_sixth_post_bans_for_thirty_seconds_and_then_all_is_well_again(
    chat: OpenChat, valkey: Valkey
) -> None:
    visitor = await chat.visitor()
    statuses = [(await visitor.post(f"post {number}")).status_code for number in range(6)]
    assert statuses == [200] * 5 + [429]
    assert 0 < await valkey.ttl(f"rate:{visitor.anon_id}") <= 10
    assert 0 < await valkey.ttl(f"block:{visitor.anon_id}") <= 30
    blocked = await visitor.post("while banned")
    assert blocked.status_code == 429
    assert 0 < blocked.json()["block_sec"] <= 30
    assert blocked.headers["retry-after"] == str(blocked.json()["block_sec"])

    await valkey.pexpire(f"block:{visitor.anon_id}", 1)
    await valkey.pexpire(f"rate:{visitor.anon_id}", 1)
    await eventually(lambda: _gone(valkey, f"block:{visitor.anon_id}"))
    assert (await visitor.post("again")).status_code == 200
    assert await visitor.texts() == ["post 0", "post 1", "post 2", "post 3", "post 4", "again"]


async def _gone(valkey: Valkey, key: str) -> bool:
    return await valkey.exists(key) == 0


async def test_the_events_of_a_ban_come_in_order_and_carry_the_request(chat: OpenChat) -> None:
    visitor = await chat.visitor()
    for number in range(5):
        await visitor.post(f"post {number}")
    sixth = await visitor.post("the sixth")
    await visitor.post("while banned")
    await visitor.post("and again")
    assert sixth.json()["code"] == "rate_limited"
    await eventually(lambda: len(chat.events) == 9)
    assert chat.actions() == [
        *["chat.message_posted"] * 5,
        "security.rate_limit_hit",
        "security.user_blocked",
        "security.blocked_action_attempt",
        "security.blocked_action_attempt",
    ]
    hit, blocked = chat.events[5:7]
    assert hit.dataset == "chat.security"
    assert hit.fields["trace.id"] == blocked.fields["trace.id"] == sixth.headers["x-request-id"]
    assert blocked.fields["chat.block_seconds"] == 30
    assert {event.fields["user.id"] for event in chat.events} == {visitor.anon_id}


async def test_events_show_neither_text_nor_address_but_keyed_hashes(chat: OpenChat) -> None:
    visitor = await chat.visitor()
    await visitor.post("a very particular text")
    event = (await eventually(lambda: chat.of("chat.message_posted")))[0]
    assert "particular" not in str(event)
    assert ADDRESS not in str(event)
    assert event.fields["chat.message.length"] == 22
    for name in ("client.fingerprint", "client.ip_hash", "client.ua_hash"):
        assert re.fullmatch(r"[0-9a-f]{16}", str(event.fields[name]))


async def test_a_refused_length_is_reported(chat: OpenChat) -> None:
    visitor = await chat.visitor()
    await visitor.post("x" * 301)
    (event,) = await eventually(lambda: chat.of("security.message_too_long"))
    assert event.fields["chat.message.length"] == 301


async def test_posts_at_once_do_not_slip_through(chat: OpenChat) -> None:
    visitor = await chat.visitor()
    responses = await asyncio.gather(*(visitor.post(f"post {number}") for number in range(20)))
    assert sum(response.status_code == 200 for response in responses) == 5
    assert len(await visitor.texts()) == 5
    await eventually(lambda: chat.of("security.user_blocked"))
    assert len(chat.of("security.user_blocked")) == 1


@pytest.fixture
async def patient(valkey: Valkey, postgres: Postgres, tmp_path: Path) -> AsyncIterator[OpenChat]:
    """A chat whose windows and bans outlast these tests on a machine that is busy."""
    spool = tmp_path / "spool"
    async with chat_running(valkey, postgres, spool, post_window_seconds=600, ban_ladder_seconds="600") as opened:
        yield opened


async def test_dropping_the_cookie_runs_into_the_limit_of_the_fingerprint(patient: OpenChat) -> None:
    codes = []
    for _ in range(7):
        visitor = await patient.visitor()
        codes += [(await visitor.post(f"post {number}")).status_code for number in range(3)]
    assert codes == [200] * 20 + [429]
    (hit,) = await eventually(lambda: patient.of("security.rate_limit_hit"))
    assert hit.fields["chat.limit_scope"] == "fingerprint"
    assert patient.of("security.user_blocked") == []


async def test_changing_the_browser_too_runs_into_the_limit_of_the_address(patient: OpenChat) -> None:
    codes = []
    for number in range(21):
        visitor = await patient.visitor(user_agent=f"Browser {number}")
        codes += [(await visitor.post(text)).status_code for text in ("one", "two", "three")]
    assert codes == [200] * 60 + [429] * 3
    hits = await eventually(lambda: patient.of("security.rate_limit_hit"))
    assert hits[0].fields["chat.limit_scope"] == "address"


async def test_two_people_behind_one_address_do_not_share_a_ban(chat: OpenChat) -> None:
    loud, quiet = await chat.visitor(), await chat.visitor()
    for number in range(7):
        await loud.post(f"post {number}")
    assert (await quiet.post("hello")).status_code == 200


@pytest.mark.timeout(400)
async def test_a_flood_is_stored_within_the_limit_and_reported_as_a_count(patient: OpenChat) -> None:
    visitor = await patient.visitor()
    started = time.monotonic()
    statuses: list[int] = []
    for batch in range(50):
        responses = await asyncio.gather(*(visitor.post(f"{batch}-{number}") for number in range(20)))
        statuses += [response.status_code for response in responses]
    seconds = time.monotonic() - started
    assert Counter(statuses) == {200: 5, 429: 995}
    await eventually(lambda: _told_of(patient) == 995, seconds=30)
    assert len(await visitor.texts()) == 5
    assert len({event.id for event in patient.events}) <= 5 + 2 + (10 + 1 + 1) * (seconds + 2)


def _told_of(chat: OpenChat) -> int:
    """How many refusals the events stand for: those at the gate, and those that never came so far."""
    actions = ("security.rate_limit_hit", "security.blocked_action_attempt", "security.requests_shed")
    events = {event.id: event for action in actions for event in chat.of(action)}  # the bus may deliver one twice
    return sum(int(str(event.fields.get("chat.attempts", 1))) for event in events.values())


@pytest.mark.parametrize(
    ("cookie", "header", "status"),
    [
        ("the same token, long enough", "the same token, long enough", 200),
        ("the same token, long enough", None, 403),
        ("the same token, long enough", "another token, long enough", 403),
        ("short", "short", 403),
        (None, "a token without a cookie", 403),
        (None, None, 403),
    ],
)
async def test_cookie_and_header_decide_on_forgery(
    chat: OpenChat, cookie: str | None, header: str | None, status: int
) -> None:
    cookies = {"csrf_token": cookie.replace(" ", "_").replace(",", "")} if cookie else {}
    headers = {"x-csrf-token": header.replace(" ", "_").replace(",", "")} if header else {}
    async with httpx.AsyncClient(base_url=chat.url, cookies=cookies, headers=headers) as browser:
        response = await browser.post("/chat/post", data={"text": "hello"}, headers={"x-requested-with": "fetch"})
    assert response.status_code == status
    if status == 403:
        assert response.json()["code"] == "csrf_failed"
        assert "set-cookie" not in response.headers
        (event,) = await eventually(lambda: chat.of("security.csrf_failed"))
        assert event.fields["trace.id"] == response.headers["x-request-id"]


async def test_a_form_on_another_site_creates_no_message(chat: OpenChat) -> None:
    visitor = await chat.visitor()
    response = await visitor.http.post(
        "/chat/post", data={"text": "from elsewhere"}, headers={"origin": "https://evil.example"}
    )
    with_token = await visitor.http.post(
        "/chat/post",
        data={"text": "from elsewhere", "csrf_token": visitor.http.cookies.get("csrf_token") or ""},
        headers={"sec-fetch-site": "cross-site"},
    )
    assert (response.status_code, with_token.status_code) == (403, 403)
    assert await visitor.texts() == []


async def test_forgery_is_decided_before_anything_else(chat: OpenChat, valkey: Valkey) -> None:
    visitor = await chat.visitor()
    fingerprint = await fingerprint_of(chat)
    await valkey.set(f"risk:fp:{fingerprint}", "100")
    response = await visitor.http.post("/chat/post", data={"text": "hello"})
    assert response.json()["code"] == "csrf_failed"
    assert await valkey.exists(f"rate:{visitor.anon_id}") == 0


async def test_the_address_is_believed_only_from_the_gateway(chat: OpenChat) -> None:
    await chat.decide("source.ip", "127.0.0.1", seconds=60)
    through_the_gateway = await chat.visitor()
    assert (await through_the_gateway.post("hello")).status_code == 200
    async with httpx.AsyncClient(base_url=chat.url, headers={"x-forwarded-for": ADDRESS}) as direct:
        await direct.get("/chat")
        headers = {"x-csrf-token": direct.cookies.get("csrf_token") or "", "x-sakimori-edge": EDGE_TOKEN + "x"}
        response = await direct.post("/chat/post", data={"text": "hello"}, headers=headers)
    assert response.json()["code"] == "blocked_by_decision"


async def test_the_limits_are_settings(valkey: Valkey, postgres: Postgres, tmp_path: Path) -> None:
    spool = tmp_path / "spool"
    async with chat_running(valkey, postgres, spool, post_limit=2, ban_ladder_seconds="300") as strict:
        visitor = await strict.visitor()
        assert [(await visitor.post("x")).status_code for _ in range(3)] == [200, 200, 429]
        assert await valkey.ttl(f"block:{visitor.anon_id}") > 200


async def test_each_ban_of_an_identity_is_the_next_step_of_the_ladder(chat: OpenChat, valkey: Valkey) -> None:
    visitor = await chat.visitor()
    waits = []
    for _ in range(5):
        waits.append((await _post_until_banned(visitor)).json()["block_sec"])
        await valkey.delete(f"block:{visitor.anon_id}", f"rate:{visitor.anon_id}", *await valkey.keys("rate:*"))
    assert waits == [30, 300, 3600, 86_400, 86_400]
    await eventually(lambda: len(chat.of("security.user_blocked")) == 5)
    blocked = chat.of("security.user_blocked")
    assert [event.fields["chat.ban_step"] for event in blocked] == [1, 2, 3, 4, 4]
    assert [event.fields["chat.block_seconds"] for event in blocked] == waits


async def _post_until_banned(visitor: Visitor) -> httpx.Response:
    for _ in range(20):
        response = await visitor.post("x")
        if response.status_code == 429:
            return response
    raise AssertionError("nobody was banned")


async def test_a_poll_tells_how_long_the_ban_still_is(chat: OpenChat) -> None:
    visitor = await chat.visitor()
    await _post_until_banned(visitor)
    assert 28 <= (await visitor.http.get("/chat/poll")).json()["block_sec"] <= 30


async def test_lifting_a_ban_by_hand_forgets_the_step(chat: OpenChat, valkey: Valkey) -> None:
    visitor = await chat.visitor()
    await _post_until_banned(visitor)
    await chat.decide("user.id", visitor.anon_id, seconds=-1, origin="mika")
    await valkey.delete(f"rate:{visitor.anon_id}")
    assert (await visitor.post("thank you")).status_code == 200
    assert (await _post_until_banned(visitor)).json()["block_sec"] == 30


async def test_new_identities_of_one_network_are_bounded_and_those_who_were_there_go_on(
    valkey: Valkey, postgres: Postgres, tmp_path: Path
) -> None:
    async with chat_running(valkey, postgres, tmp_path / "spool", new_identity_limit=3) as chat:
        regulars = [await chat.visitor() for _ in range(3)]
        assert [(await each.post("x")).status_code for each in regulars] == [200] * 3
        newcomer = await chat.visitor(user_agent="Another browser")
        refused = await newcomer.post("x")
        assert (refused.status_code, refused.json()["code"]) == (429, "too_many_identities")
        assert 590 < refused.json()["block_sec"] <= 600
        (event,) = await eventually(lambda: chat.of("security.identity_flood"))
        assert event.fields["user.id"] == newcomer.anon_id
        assert [(await each.post("y")).status_code for each in regulars] == [200] * 3
        elsewhere = await chat.visitor("203.0.113.8")
        assert (await elsewhere.post("x")).status_code == 200


async def test_new_identities_within_an_ipv6_network_count_together(
    valkey: Valkey, postgres: Postgres, tmp_path: Path
) -> None:
    async with chat_running(valkey, postgres, tmp_path / "spool", new_identity_limit=2) as chat:
        people = [await chat.visitor(f"2001:db8:1:2::{number}") for number in range(1, 4)]
        assert [(await each.post("x")).status_code for each in people] == [200, 200, 429]
        neighbour = await chat.visitor("2001:db8:1:3::1")
        assert (await neighbour.post("x")).status_code == 200


@pytest.mark.timeout(400)
async def test_ten_thousand_cookies_of_one_address_leave_little_behind(valkey: Valkey) -> None:
    gate, client = ValkeyGate(valkey, Limits()), Hasher("a key of the server").client(ADDRESS, "Firefox", "en")
    outcomes = []
    for number in range(0, 10_000, 20):
        attempts = [Attempt(client, str(uuid.UUID(int=number + each, version=4)), "lobby") for each in range(20)]
        admissions = await asyncio.gather(*map(gate.admit, attempts))
        outcomes += [admission.verdict.outcome for admission in admissions]
        await valkey.delete(f"rate:fp:{client.fingerprint}", f"rate:ip:{client.network_hash}")  # as if it took days
    assert outcomes.count(Outcome.ADMITTED) == 100
    assert outcomes.count(Outcome.CROWDED) == 9900
    sizes = [await valkey.memory_usage(key) or 0 for key in await valkey.keys("*")]
    assert sum(sizes) < 100_000


async def test_whatever_people_did_every_key_but_the_rooms_own_expires(chat: OpenChat, valkey: Valkey) -> None:
    loud, quiet = await chat.visitor(), await chat.visitor("2001:db8:1:2::1", "Chrome")
    await _post_until_banned(loud)
    await loud.post("while banned")
    await quiet.post("hello")
    await chat.decide("source.ip", "203.0.113.99", seconds=60)
    await chat.decide("source.ip", "203.0.113.99", seconds=-1)
    await chat.decide("client.fingerprint", "00112233445566aa", seconds=60, action=DecisionAction.THROTTLE)
    keys = [str(key, "utf-8") async for key in valkey.scan_iter()]
    endless = {key for key in keys if await valkey.pttl(key) == -1}
    assert endless <= {"chat:lobby:messages", "chat:lobby:next_id"}
    assert len(keys) > 10


async def test_replicas_hear_of_every_measure_and_ban_once(chat: OpenChat, valkey: Valkey) -> None:
    visitor = await chat.visitor()
    async with valkey.pubsub() as heard:
        await heard.subscribe("chat:measures")
        await chat.decide("source.ip", "2001:db8:1:2::1", seconds=60)
        await chat.decide("source.ip", "2001:db8:1:2::1", seconds=30)
        await chat.decide("source.ip", "2001:db8:1:2::1", seconds=-1, origin="mika")
        await _post_until_banned(visitor)
        told: list[dict[str, object]] = []
        await eventually(lambda: _hear(heard, told, 3))
    assert (told[0]["kind"], told[0]["entity"]) == ("ip", "2001:db8:1:2::/64")
    assert 59_000 <= int(str(told[0]["ms"])) <= 60_000
    assert told[1:] == [
        {"kind": "ip", "entity": "2001:db8:1:2::/64", "ms": 0},
        {"kind": "user", "entity": visitor.anon_id, "ms": 30_000},
    ]


async def _hear(heard: PubSub, told: list[dict[str, object]], count: int) -> bool:
    message = await heard.get_message(ignore_subscribe_messages=True)
    if message is not None:
        told.append(json.loads(message["data"]))
    return len(told) == count


async def test_fingerprints_are_the_servers_own(chat: OpenChat) -> None:
    fingerprint = await fingerprint_of(chat)
    assert fingerprint != Hasher("another key of the server").client(ADDRESS, "Firefox", "en").fingerprint


async def test_only_the_security_log_has_the_address_of_who_was_banned(log_folder: Path, chat: OpenChat) -> None:
    visitor = await chat.visitor()
    for number in range(6):
        await visitor.post(f"post {number}")
    lines = lines_of(log_folder / "security.log")
    assert [(line["action"], line["ip"], line["user"]) for line in lines] == [
        ("security.rate_limit_hit", ADDRESS, visitor.anon_id),
        ("security.user_blocked", ADDRESS, visitor.anon_id),
        ("request_refused", ADDRESS, ""),
    ]
    assert ADDRESS not in (log_folder / "access.log").read_text()
    assert ADDRESS not in json.dumps([event.to_flat() for event in chat.events])
