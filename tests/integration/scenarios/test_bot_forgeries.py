"""Forged requests of bots: found out by device, by the whole and by address, and the address shut out."""

from pathlib import Path

import pytest

from integration.chat.bots import approved_bot, bot_at
from sakimori_common.context import Postgres, Valkey
from servers.eventually import eventually

from .conftest import scene

FORGER = "203.0.113.66"


@pytest.mark.parametrize(
    ("address", "neighbours"), [("203.0.113.66", "203.0.113.66"), ("2001:db8:1:2::66", "2001:db8:1:2::67")]
)
async def test_a_forger_is_found_and_its_network_is_shut_out_while_the_bot_goes_on(
    valkey: Valkey, postgres: Postgres, tmp_path: Path, address: str, neighbours: str
) -> None:
    many = 10_000
    async with scene(
        valkey, postgres, tmp_path, bot_forgeries_per_minute=many, events_per_second=many, requests_per_second=many
    ) as stage:
        honest = await approved_bot(stage.chat)
        forger = bot_at(stage.chat, address)
        forger.id, forger.secret = honest.id, "sbk_a-guess"
        answers = {(await forger.post(f"{number}")).status_code for number in range(101)}
        assert answers == {401}
        await eventually(lambda: stage.decisions, 20)
        assert (await honest.post("sunny today")).status_code == 201
        await stage.evaluated()

        neighbour = bot_at(stage.chat, neighbours)
        neighbour.id, neighbour.secret = honest.id, honest.secret
        refused = await neighbour.post("from the address of the forger")
        assert refused.status_code == 403
    (device,) = stage.found("bot_failed_auth")
    assert (device.entity_type, device.entity) == ("device.id", honest.id)
    (everybody,) = stage.found("bot_hmac_failures")
    assert everybody.message == "HMAC 검증 실패 급증: 101회/5분"
    (hourly,) = stage.found("bot_auth_failures")
    assert hourly.message.startswith("비정상적인 인증 실패 감지: ")
    (shut_out,) = stage.found("bot_failing_address")
    assert (shut_out.message, shut_out.details["failures"]) == (f"Blocked IP: {address}", 101)
    (decision,) = stage.decisions
    assert (decision.entity_type, decision.entity, decision.action) == ("source.ip", address, "block")
    assert await postgres.fetchval("SELECT count(*) FROM public.kb_suspicious_activities") == 1


async def test_a_request_that_is_played_back_is_refused_and_found(
    valkey: Valkey, postgres: Postgres, tmp_path: Path
) -> None:
    async with scene(valkey, postgres, tmp_path) as stage:
        honest = await approved_bot(stage.chat)
        assert (await honest.post("sunny today", nonce="0123456789abcdef")).status_code == 201
        thief = bot_at(stage.chat, FORGER)
        thief.id, thief.secret = honest.id, honest.secret
        for _ in range(3):
            assert (await thief.post("sunny today", nonce="0123456789abcdef")).status_code == 401
        found = await eventually(lambda: stage.found("bot_replayed"), 20)
    assert [(each.entity, each.details["ip"], each.details["replays"]) for each in found] == [(honest.id, FORGER, 3)]
