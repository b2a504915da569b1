import asyncio
import json
import re
import time
from pathlib import Path

import httpx
import pytest

from integration.chat.conftest import ADDRESS, EDGE_TOKEN, OpenChat, chat_running
from sakimori_chat.domain.identity import Hasher
from sakimori_common.context import Postgres, Valkey
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


async def test_dropping_the_cookie_runs_into_the_limit_of_the_fingerprint(chat: OpenChat) -> None:
    codes = []
    for _ in range(7):
        visitor = await chat.visitor()
        codes += [(await visitor.post(f"post {number}")).status_code for number in range(3)]
    assert codes == [200] * 20 + [429]
    (hit,) = await eventually(lambda: chat.of("security.rate_limit_hit"))
    assert hit.fields["chat.limit_scope"] == "fingerprint"
    assert chat.of("security.user_blocked") == []


async def test_changing_the_browser_too_runs_into_the_limit_of_the_address(chat: OpenChat) -> None:
    codes = []
    for number in range(21):
        visitor = await chat.visitor(user_agent=f"Browser {number}")
        codes += [(await visitor.post("spam")).status_code for _ in range(3)]
    assert codes == [200] * 60 + [429] * 3
    hits = await eventually(lambda: chat.of("security.rate_limit_hit"))
    assert hits[0].fields["chat.limit_scope"] == "address"


async def test_two_people_behind_one_address_do_not_share_a_ban(chat: OpenChat) -> None:
    loud, quiet = await chat.visitor(), await chat.visitor()
    for number in range(7):
        await loud.post(f"post {number}")
    assert (await quiet.post("hello")).status_code == 200


async def test_a_flood_is_stored_within_the_limit_and_reported_as_a_count(chat: OpenChat) -> None:
    visitor = await chat.visitor()
    started = time.monotonic()
    for _ in range(5):
        await asyncio.gather(*(visitor.post("flood") for _ in range(40)))
    seconds = time.monotonic() - started
    await eventually(lambda: _attempts(chat) == 200 - 5 - 1)
    assert len(await visitor.texts()) == 5
    assert len(chat.of("security.blocked_action_attempt")) <= (10 + 1) * (seconds + 1)


def _attempts(chat: OpenChat) -> int:
    return sum(int(str(event.fields.get("chat.attempts", 1))) for event in chat.of("security.blocked_action_attempt"))


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
    fingerprint = await _fingerprint_of(chat)
    await valkey.set(f"risk:fp:{fingerprint}", "100")
    response = await visitor.http.post("/chat/post", data={"text": "hello"})
    assert response.json()["code"] == "csrf_failed"
    assert await valkey.exists(f"rate:{visitor.anon_id}") == 0


async def _fingerprint_of(chat: OpenChat) -> str:
    probe = await chat.visitor()
    await probe.post("who am I?")
    event = (await eventually(lambda: chat.of("chat.message_posted")))[-1]
    return str(event.fields["client.fingerprint"])


@pytest.mark.parametrize("risk", ["8", "8.0", "15"])
async def test_risk_from_eight_on_blocks_and_below_does_not(chat: OpenChat, valkey: Valkey, risk: str) -> None:
    fingerprint = await _fingerprint_of(chat)
    visitor = await chat.visitor()
    await valkey.set(f"risk:fp:{fingerprint}", "7.9", ex=3600)
    assert (await visitor.post("at seven")).status_code == 200
    await valkey.set(f"risk:fp:{fingerprint}", risk, ex=3600)
    refused = await visitor.post("at eight")
    assert (refused.status_code, refused.json()["code"]) == (403, "high_risk_block")
    (event,) = await eventually(lambda: chat.of("security.high_risk_block"))
    assert event.fields["chat.risk_score"] == float(risk)
    await valkey.delete(f"risk:fp:{fingerprint}")
    assert (await visitor.post("forgiven")).status_code == 200


async def test_risk_comes_before_the_ban(chat: OpenChat, valkey: Valkey) -> None:
    fingerprint = await _fingerprint_of(chat)
    visitor = await chat.visitor()
    await valkey.set(f"block:{visitor.anon_id}", "0:a", ex=30)
    await valkey.set(f"risk:fp:{fingerprint}", "8", ex=3600)
    assert (await visitor.post("hello")).json()["code"] == "high_risk_block"


@pytest.mark.parametrize("entity_type", ["source.ip", "client.fingerprint"])
async def test_a_decision_is_enforced_and_lifted_within_a_second(chat: OpenChat, entity_type: str) -> None:
    entity = ADDRESS if entity_type == "source.ip" else await _fingerprint_of(chat)
    visitor = await chat.visitor()
    assert (await visitor.post("before")).status_code == 200
    await chat.decide(entity_type, entity, seconds=60)
    refused = await visitor.post("during")
    assert (refused.status_code, refused.json()["code"]) == (403, "blocked_by_decision")
    assert 0 < refused.json()["block_sec"] <= 60
    (event,) = await eventually(lambda: chat.of("security.blocked_action_attempt"))
    assert event.fields["chat.block_reason"] == "decision"
    await chat.decide(entity_type, entity, seconds=-1)
    assert (await visitor.post("after")).status_code == 200


async def test_a_decision_on_one_address_leaves_the_others_alone(chat: OpenChat) -> None:
    await chat.decide("source.ip", "203.0.113.99", seconds=60)
    visitor = await chat.visitor()
    assert (await visitor.post("hello")).status_code == 200


async def test_a_dry_run_blocks_nobody(chat: OpenChat) -> None:
    await chat.decide("source.ip", ADDRESS, seconds=60, dry_run=True)
    visitor = await chat.visitor()
    assert (await visitor.post("hello")).status_code == 200
    assert chat.metric("sakimori_chat_decisions_enforced_total", effect="ignored") == 1


async def test_an_automatic_decision_takes_no_time_off_an_operators(chat: OpenChat, valkey: Valkey) -> None:
    await chat.decide("source.ip", ADDRESS, seconds=3600, origin="mika")
    await chat.decide("source.ip", ADDRESS, seconds=30)
    await chat.decide("source.ip", ADDRESS, seconds=-1)
    assert await valkey.ttl(f"block:ip:{ADDRESS}") > 3000
    await chat.decide("source.ip", ADDRESS, seconds=-1, origin="mika")
    assert await valkey.exists(f"block:ip:{ADDRESS}") == 0


async def test_a_decision_that_comes_late_does_not_undo_a_newer_one(chat: OpenChat, valkey: Valkey) -> None:
    await chat.decide("source.ip", ADDRESS, seconds=3600)
    await chat.decide("source.ip", ADDRESS, seconds=-1, created_at="2026-01-16T02:00:00.000Z", origin="mika")
    assert await valkey.exists(f"block:ip:{ADDRESS}") == 1


async def test_the_address_is_believed_only_from_the_gateway(chat: OpenChat) -> None:
    await chat.decide("source.ip", "127.0.0.1", seconds=60)
    through_the_gateway = await chat.visitor()
    assert (await through_the_gateway.post("hello")).status_code == 200
    async with httpx.AsyncClient(base_url=chat.url, headers={"x-forwarded-for": ADDRESS}) as direct:
        await direct.get("/chat")
        headers = {"x-csrf-token": direct.cookies.get("csrf_token") or "", "x-sakimori-edge": EDGE_TOKEN + "x"}
        response = await direct.post("/chat/post", data={"text": "hello"}, headers=headers)
    assert response.json()["code"] == "blocked_by_decision"


async def test_the_limits_are_settings(valkey: Valkey, postgres: Postgres, tmp_path: object) -> None:
    from pathlib import Path

    spool = Path(str(tmp_path)) / "spool"
    async with chat_running(valkey, postgres, spool, post_limit=2, ban_seconds=300, risk_limit=3) as strict:
        visitor = await strict.visitor()
        assert [(await visitor.post("x")).status_code for _ in range(3)] == [200, 200, 429]
        assert await valkey.ttl(f"block:{visitor.anon_id}") > 200


async def test_fingerprints_are_the_servers_own(chat: OpenChat) -> None:
    fingerprint = await _fingerprint_of(chat)
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
