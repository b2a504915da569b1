"""What the detector and operators decided holds in the chat: blocks, risk, throttles, lifts, the allow list."""

from pathlib import Path

import pytest

from integration.chat.conftest import ADDRESS, OpenChat, chat_running, fingerprint_of
from sakimori_common.context import Postgres, Valkey
from sakimori_common.contracts import DecisionAction
from servers.eventually import eventually


@pytest.mark.parametrize("risk", ["8", "8.0", "15"])
async def test_risk_from_eight_on_blocks_and_below_does_not(chat: OpenChat, valkey: Valkey, risk: str) -> None:
    fingerprint = await fingerprint_of(chat)
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
    fingerprint = await fingerprint_of(chat)
    visitor = await chat.visitor()
    await valkey.set(f"block:{visitor.anon_id}", "0:a", ex=30)
    await valkey.set(f"risk:fp:{fingerprint}", "8", ex=3600)
    assert (await visitor.post("hello")).json()["code"] == "high_risk_block"


@pytest.mark.parametrize("entity_type", ["source.ip", "client.fingerprint"])
async def test_a_decision_is_enforced_and_lifted_within_a_second(chat: OpenChat, entity_type: str) -> None:
    entity = ADDRESS if entity_type == "source.ip" else await fingerprint_of(chat)
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


async def test_a_block_that_comes_after_its_lift_is_late(chat: OpenChat, valkey: Valkey) -> None:
    await chat.decide("source.ip", ADDRESS, seconds=-1, origin="mika")
    await chat.decide("source.ip", ADDRESS, seconds=3600, created_at="2026-01-16T02:00:00.000Z")
    assert await valkey.exists(f"block:ip:{ADDRESS}") == 0


async def test_nothing_blocks_who_is_on_the_allow_list_but_limits_hold(
    valkey: Valkey, postgres: Postgres, tmp_path: Path
) -> None:
    async with chat_running(valkey, postgres, tmp_path / "spool", never_block="203.0.113.0/24") as chat:
        visitor = await chat.visitor()
        fingerprint = await fingerprint_of(chat)
        await valkey.set(f"risk:fp:{fingerprint}", "100", ex=60)
        await chat.decide("client.fingerprint", fingerprint, seconds=60)
        await chat.decide("source.ip", ADDRESS, seconds=60)
        answers = [await visitor.post("x") for _ in range(7)]
        assert [answer.status_code for answer in answers] == [200] * 5 + [429] * 2
        assert {answer.json()["code"] for answer in answers[5:]} == {"rate_limited"}
        assert answers[-1].json()["block_sec"] <= 10
        assert await valkey.exists(f"block:{visitor.anon_id}", f"block:ip:{ADDRESS}") == 0
        assert chat.metric("sakimori_chat_decisions_enforced_total", effect="exempt") == 1


async def test_a_throttled_browser_may_post_once_in_a_window_and_is_not_banned(chat: OpenChat) -> None:
    fingerprint = await fingerprint_of(chat)
    await chat.decide("client.fingerprint", fingerprint, seconds=60, action=DecisionAction.THROTTLE)
    visitor = await chat.visitor()
    refused = await visitor.post("x")
    assert (refused.status_code, refused.json()["code"]) == (429, "rate_limited")
    assert refused.json()["block_sec"] <= 10
    assert chat.of("security.user_blocked") == []
    assert chat.metric("sakimori_chat_decisions_enforced_total", effect="throttle") == 1
    await chat.decide("client.fingerprint", fingerprint, seconds=-1, action=DecisionAction.THROTTLE)
    assert (await visitor.post("x")).status_code == 200


async def test_a_challenge_is_told_to_be_none_of_ours(chat: OpenChat) -> None:
    await chat.decide("source.ip", ADDRESS, seconds=60, action=DecisionAction.CHALLENGE)
    assert chat.metric("sakimori_chat_decisions_enforced_total", effect="unsupported") == 1
    visitor = await chat.visitor()
    assert (await visitor.post("hello")).status_code == 200


async def test_all_addresses_of_a_subscriber_are_blocked_together(chat: OpenChat) -> None:
    await chat.decide("source.ip", "2001:db8:1:2::1", seconds=60)
    moved, neighbour = await chat.visitor("2001:db8:1:2:ffff::9"), await chat.visitor("2001:db8:1:3::1")
    assert (await moved.post("hello")).json()["code"] == "blocked_by_decision"
    assert (await neighbour.post("hello")).status_code == 200
