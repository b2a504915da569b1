"""Decisions of operators, and what is locked out at the edge."""

import asyncio

import msgspec
import pytest

from gateway.stage import HEADERS, Stage, staged
from sakimori_api_gateway.wiring import now
from sakimori_common.bus import Message, Topic
from sakimori_common.context import Valkey
from sakimori_common.contracts import DECISIONS, Decision, DecisionAction
from sakimori_common.instants import format_instant
from servers.eventually import eventually

ATTACKER = {"x-forwarded-for": "203.0.113.42"}
BYSTANDER = {"x-forwarded-for": "203.0.113.43"}


def decision(seconds: int, **changes: object) -> Decision:
    taken = Decision(
        id="decision-1",
        entity_type="source.ip",
        entity="203.0.113.42",
        action=DecisionAction.BLOCK,
        rule_id="brute_force_attack",
        finding_id="finding-1",
        created_at=format_instant(now()),
        expires_at=format_instant(now() + seconds * 1_000_000),
        origin="detector",
    )
    return msgspec.structs.replace(taken, **changes)


async def publish(stage: Stage, taken: Decision) -> None:
    await stage.bus.publish(Topic.DECISIONS, Message(taken.id, DECISIONS.encode([taken]), HEADERS))


async def record(stage: Stage, taken: Decision) -> None:
    await stage.postgres.execute(
        "INSERT INTO detector.decisions"
        " VALUES ($1, $2, $3, $4, $5, $6, $7::text::timestamptz, $8::text::timestamptz, $9)",
        *(str(getattr(taken, name)) for name in Decision.__struct_fields__ if name != "dry_run"),
    )


async def status(stage: Stage, headers: dict[str, str], path: str = "/") -> int:
    return (await stage.client.get(path, headers=headers)).status_code


async def test_a_decision_of_the_detector_locks_an_address_out_and_its_end_lets_it_in(stage: Stage) -> None:
    assert await status(stage, ATTACKER) == 200
    await publish(stage, decision(600))

    async def is_out() -> bool:
        return await status(stage, ATTACKER) == 403

    await eventually(is_out, 1)
    for method, path in (("GET", "/chat"), ("POST", "/ingest"), ("GET", "/docs"), ("POST", "/api/v1/login")):
        answer = await stage.client.request(method, path, headers=ATTACKER)
        assert answer.status_code == 403
        assert answer.json()["code"] == "blocked"
        assert 590 <= int(answer.headers["retry-after"]) <= 600
    assert await status(stage, BYSTANDER) == 200
    await publish(stage, decision(-1, id="lift"))

    async def is_in() -> bool:
        return await status(stage, ATTACKER) == 200

    await eventually(is_in, 1)


async def test_a_block_that_was_decided_while_the_gateway_was_away_holds_from_its_start(
    postgres_url: str, valkey: Valkey
) -> None:
    async with staged(postgres_url, valkey) as stage:
        await record(stage, decision(600))
    async with staged(postgres_url, valkey) as stage:
        assert await status(stage, ATTACKER) == 403


async def test_a_decision_that_the_bus_did_not_bring_is_found_in_the_database(
    postgres_url: str, valkey: Valkey
) -> None:
    async with staged(postgres_url, valkey, refresh_seconds=0.05) as stage:
        await record(stage, decision(600))

        async def is_out() -> bool:
            return await status(stage, ATTACKER) == 403

        await eventually(is_out, 3)


async def test_operators_on_the_machine_itself_are_never_locked_out(stage: Stage) -> None:
    await publish(stage, decision(600, entity="127.0.0.1"))
    await asyncio.sleep(0.05)
    assert await status(stage, {}) == 200


async def test_an_operator_blocks_and_lifts_and_both_are_published_and_audited(stage: Stage) -> None:
    headers = await stage.bearer("analyst")
    new = {"entity": "203.0.113.42", "expires_in_seconds": 3600, "reason": "guesses passwords"}
    made = await stage.client.post("/api/v1/decisions", json=new, headers=headers)
    assert made.status_code == 201, made.text
    assert await status(stage, ATTACKER) == 403
    listed = (await stage.client.get("/api/v1/decisions", headers=headers)).json()["decisions"]
    assert [(each["id"], each["origin"], each["reason"]) for each in listed] == [
        (made.json()["id"], "analyst", "guesses passwords")
    ]
    lifted = await stage.client.delete(f"/api/v1/decisions/{made.json()['id']}", headers=headers)
    assert lifted.status_code == 200
    assert await status(stage, ATTACKER) == 200
    assert (await stage.client.get("/api/v1/decisions", headers=headers)).json() == {"decisions": []}
    again = await stage.client.delete(f"/api/v1/decisions/{made.json()['id']}", headers=headers)
    assert again.status_code == 409
    block, lift = stage.decisions()
    assert (block.entity, block.action, block.rule_id) == ("203.0.113.42", DecisionAction.BLOCK, "operator")
    assert lift.entity == "203.0.113.42"
    assert lift.expires_at <= lift.created_at
    audit = await stage.audit(f"decision:{block.id}")
    assert [(actor, action) for actor, action, _, _ in audit] == [
        ("analyst", "decision_taken"),
        ("analyst", "decision_lifted"),
    ]
    recent = (await stage.client.get("/api/v1/decisions?active=false", headers=headers)).json()["decisions"]
    assert [(each["id"], each["lifted_at"] is not None) for each in recent] == [(lift.id, False), (block.id, True)]


async def test_a_decision_of_the_detector_can_be_lifted_too_and_stays_lifted(postgres_url: str, valkey: Valkey) -> None:
    async with staged(postgres_url, valkey, refresh_seconds=0.05) as stage:
        taken = decision(600)
        await record(stage, taken)
        headers = await stage.bearer("analyst")
        assert (await stage.client.delete(f"/api/v1/decisions/{taken.id}", headers=headers)).status_code == 200
        await asyncio.sleep(0.2)  # several refreshes
        assert await status(stage, ATTACKER) == 200
        await record(stage, decision(600, id="decision-2"))

        async def is_out() -> bool:
            return await status(stage, ATTACKER) == 403

        await eventually(is_out, 3)


@pytest.mark.parametrize(
    ("change", "code"),
    [
        ({"entity": "not an address"}, 422),
        ({"entity": "127.0.0.1"}, 409),
        ({"entity": "::1"}, 409),
        ({"expires_in_seconds": 30 * 24 * 3600 + 1}, 422),
        ({"expires_in_seconds": 0}, 422),
        ({"reason": ""}, 422),
        ({"entity_type": "url.path"}, 422),
        ({"surplus": 1}, 422),
    ],
)
async def test_a_block_that_is_not_allowed_is_refused(stage: Stage, change: dict[str, object], code: int) -> None:
    new = {"entity": "203.0.113.42", "expires_in_seconds": 60, "reason": "x"} | change
    answer = await stage.client.post("/api/v1/decisions", json=new, headers=await stage.bearer("analyst"))
    assert answer.status_code == code, answer.text
    assert await stage.postgres.fetchval("SELECT count(*) FROM gateway.decisions") == 0


async def test_a_dry_run_is_listed_and_not_enforced(stage: Stage) -> None:
    new = {"entity": "203.0.113.42", "expires_in_seconds": 60, "reason": "x", "dry_run": True}
    headers = await stage.bearer("analyst")
    assert (await stage.client.post("/api/v1/decisions", json=new, headers=headers)).status_code == 201
    assert len((await stage.client.get("/api/v1/decisions", headers=headers)).json()["decisions"]) == 1
    assert await status(stage, ATTACKER) == 200


async def test_a_decision_that_the_bus_does_not_take_is_enforced_here_and_published_later(
    postgres_url: str, valkey: Valkey
) -> None:
    async with staged(postgres_url, valkey, refresh_seconds=0.3) as stage:
        headers = await stage.bearer("analyst")
        await stage.stop_consuming()
        new = {"entity": "203.0.113.42", "expires_in_seconds": 600, "reason": "x"}
        answer = await stage.client.post("/api/v1/decisions", json=new, headers=headers)
        assert answer.status_code == 202
        assert await status(stage, ATTACKER) == 403
        await stage.start_consuming()

        async def is_published() -> bool:
            return bool(
                await stage.postgres.fetchval("SELECT bool_and(published_at IS NOT NULL) FROM gateway.decisions")
            )

        await eventually(is_published, 5)
        assert {each.entity for each in stage.decisions()} == {"203.0.113.42"}
