"""Who gets around a ban, and who only looks like it."""

from pathlib import Path

import pytest

from integration.chat.conftest import ADDRESS, Visitor
from sakimori_common.context import Postgres, Valkey
from sakimori_common.contracts import Event
from sakimori_common.instants import MICROSECONDS, parse_instant
from servers.eventually import eventually

from .conftest import SPAM, Scene, scene, spam, with_a_new_cookie

BROWSER = "Firefox of the fourth floor"


async def test_an_evader_is_found_out_at_the_second_new_cookie_and_refused(stage: Scene, valkey: Valkey) -> None:
    evader = await stage.chat.visitor()
    assert await spam(evader) == [200] * 5 + [429]
    await stage.evaluated()

    second = await with_a_new_cookie(stage.chat, evader)
    assert (await second.post(SPAM[0])).status_code == 200
    await stage.evaluated()
    fingerprint = str(stage.events[0].fields["client.fingerprint"])
    assert await eventually(lambda: valkey.get(f"risk:fp:{fingerprint}")) == b"5"
    assert stage.found("chat_ban_evasion") == []
    assert stage.decisions == []

    third = await with_a_new_cookie(stage.chat, evader)
    assert (await third.post(SPAM[1])).status_code == 200
    await eventually(lambda: stage.decisions)
    refused = await third.post(SPAM[2])
    assert (refused.status_code, refused.json()["code"]) == (403, "high_risk_block")
    assert refused.json()["block_sec"] > 0
    fourth = await with_a_new_cookie(stage.chat, evader)
    assert (await fourth.post(SPAM[3])).json()["code"] == "high_risk_block"
    await stage.evaluated()

    (evasion,) = stage.found("chat_ban_evasion")
    assert evasion.details["event"] == "security.evasion_suspected"
    assert (evasion.details["prev_anon"], evasion.details["new_anon"]) == (evader.anon_id, third.anon_id)
    assert evasion.details["changes_10min"] == 2
    (risk,) = stage.found("chat_high_risk")
    assert (risk.details["event"], risk.details["risk_score"]) == ("security.risk_escalated", 10)
    (decision,) = stage.decisions
    assert (decision.entity_type, decision.entity) == ("client.fingerprint", fingerprint)
    assert _seconds(decision.expires_at) - _seconds(decision.created_at) == pytest.approx(300, abs=1)
    assert [event.fields["user.id"] for event in stage.events if _is(event, "security.high_risk_block")] == [
        third.anon_id,
        fourth.anon_id,
    ]


async def test_each_further_cookie_climbs_the_ladder_and_every_block_ends(
    valkey: Valkey, postgres: Postgres, tmp_path: Path
) -> None:
    async with scene(
        valkey, postgres, tmp_path, risk_limit=1000
    ) as stage:  # the block is lifted below, as if it were over
        evader = await stage.chat.visitor()
        await spam(evader)
        await stage.evaluated()
        for line in SPAM[:6]:
            again = await with_a_new_cookie(stage.chat, evader)
            assert (await again.post(line)).status_code == 200
            await stage.evaluated()
            for decision in stage.decisions:
                await eventually(lambda: stage.chat.metric("sakimori_chat_decisions_enforced_total", effect="block"))
                await valkey.delete(f"block:fp:{decision.entity}")
    lengths = [_seconds(each.expires_at) - _seconds(each.created_at) for each in stage.decisions]
    assert [round(length) for length in lengths] == [300, 3600, 86_400]


async def _two_people(stage: Scene) -> tuple[Visitor, Visitor]:
    """Let two people in who share an address, a browser and a language."""
    return await stage.chat.visitor(ADDRESS, BROWSER, "ko"), await stage.chat.visitor(ADDRESS, BROWSER, "ko")


async def _nobody_was_punished(stage: Scene) -> None:
    await stage.evaluated()
    assert stage.decisions == []
    assert stage.found("chat_ban_evasion") == stage.found("chat_high_risk") == []


async def test_who_sits_beside_a_troll_was_there_before_and_goes_on_talking(stage: Scene) -> None:
    troll, honest = await _two_people(stage)
    assert (await honest.post(SPAM[0])).status_code == 200
    assert 429 in await spam(troll)
    for line in SPAM[1:4]:
        await stage.evaluated()
        assert (await honest.post(line)).status_code == 200
        assert (await troll.post("let me in")).status_code == 429
    await _nobody_was_punished(stage)


async def test_who_sits_beside_a_troll_says_the_first_word_while_the_ban_runs(stage: Scene) -> None:
    troll, honest = await _two_people(stage)
    assert 429 in await spam(troll)
    for line in SPAM[:4]:
        await stage.evaluated()
        assert (await honest.post(line)).status_code == 200
    await _nobody_was_punished(stage)


async def test_two_people_talk_in_turns_and_one_of_them_too_fast(stage: Scene) -> None:
    troll, honest = await _two_people(stage)
    statuses = []
    for number, line in enumerate(SPAM[:7]):
        statuses.append((await troll.post(line)).status_code)
        if number % 2:
            assert (await honest.post(f"{line}, indeed")).status_code == 200
            await stage.evaluated()
    assert statuses == [200] * 5 + [429] * 2
    await _nobody_was_punished(stage)


async def test_who_sits_beside_a_troll_comes_when_the_ban_is_over_and_the_troll_comes_back(
    valkey: Valkey, postgres: Postgres, tmp_path: Path
) -> None:
    async with scene(valkey, postgres, tmp_path, post_window_seconds=1.0, ban_ladder_seconds=(1.0, 2.0)) as stage:
        troll, honest = await _two_people(stage)
        assert 429 in await spam(troll)
        await eventually(lambda: _is_taken(troll, "sorry for that"), 5)
        assert (await honest.post(SPAM[0])).status_code == 200
        await stage.evaluated()
        assert 429 in await spam(troll, 8)
        await stage.evaluated()
        assert (await honest.post(SPAM[1])).status_code == 200
        await eventually(lambda: _is_taken(troll, "sorry again"), 5)
        assert (await honest.post(SPAM[2])).status_code == 200
        await _nobody_was_punished(stage)


async def test_a_third_person_arrives_beside_a_troll_who_never_comes_back(stage: Scene) -> None:
    troll, honest = await _two_people(stage)
    assert (await honest.post(SPAM[0])).status_code == 200
    assert 429 in await spam(troll)
    newcomer = await stage.chat.visitor(ADDRESS, BROWSER, "ko")
    assert (await newcomer.post(SPAM[1])).status_code == 200
    for line in SPAM[2:4]:
        await stage.evaluated()
        assert (await honest.post(line)).status_code == 200
        assert (await newcomer.post(f"{line}, too")).status_code == 200
    await _nobody_was_punished(stage)


async def _is_taken(visitor: Visitor, text: str) -> bool:
    return (await visitor.post(text)).status_code == 200


def _seconds(instant: str) -> float:
    return parse_instant(instant) / MICROSECONDS


def _is(event: Event, action: str) -> bool:
    return event.fields["event.action"] == action
