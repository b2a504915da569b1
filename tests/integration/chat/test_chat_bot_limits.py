"""The windows of bots and the nonces, in the real Valkey, with a clock of the test's."""

from pathlib import Path

import pytest

from integration.chat.bots import approved_bot
from integration.chat.conftest import chat_running
from sakimori_chat.bots.adapters.gate import ValkeyBotGate
from sakimori_chat.bots.domain.limits import BotLimits, BotOutcome, BotVerdict, Period
from sakimori_chat.ports import StoreUnavailable
from sakimori_common.context import Postgres, Valkey
from servers.eventually import eventually
from servers.own_logs import lines_of

NOON = 1_768_564_800.0  # 2026-01-16T12:00:00Z
BOT = "bot-0123456789abcdef"
ADDRESS = "198.51.100.20"


@pytest.fixture
def gate(valkey: Valkey) -> ValkeyBotGate:
    return ValkeyBotGate(valkey, BotLimits())


async def _admit(gate: ValkeyBotGate, now: float, nonce: str | None = None) -> BotVerdict:
    return await gate.admit(BOT, ADDRESS, nonce, now)


async def test_300_within_a_minute_pass_and_the_301st_does_not(gate: ValkeyBotGate) -> None:
    outcomes = [(await _admit(gate, NOON + number * 0.1)).outcome for number in range(300)]
    assert set(outcomes) == {BotOutcome.ADMITTED}
    refused = await _admit(gate, NOON + 40)
    assert (refused.outcome, refused.period, refused.seconds) == (BotOutcome.LIMITED, Period.MINUTE, 20)
    assert (await _admit(gate, NOON + 60)).outcome is BotOutcome.ADMITTED


async def test_the_10001st_within_an_hour_does_not_pass(gate: ValkeyBotGate, valkey: Valkey) -> None:
    await valkey.set(f"rate:{BOT}:2026011612", 9_999, ex=3600)
    assert (await _admit(gate, NOON + 1800)).outcome is BotOutcome.ADMITTED
    refused = await _admit(gate, NOON + 1801)
    assert (refused.outcome, refused.period, refused.seconds) == (BotOutcome.LIMITED, Period.HOUR, 1799)
    assert (await _admit(gate, NOON + 3600)).outcome is BotOutcome.ADMITTED


async def test_the_100001st_within_a_day_does_not_pass(gate: ValkeyBotGate, valkey: Valkey) -> None:
    await valkey.set(f"rate:{BOT}:20260116", 99_999, ex=86_400)
    assert (await _admit(gate, NOON)).outcome is BotOutcome.ADMITTED
    refused = await _admit(gate, NOON + 3600)
    assert (refused.outcome, refused.period, refused.seconds) == (BotOutcome.LIMITED, Period.DAY, 11 * 3600)
    assert (await _admit(gate, NOON + 12 * 3600)).outcome is BotOutcome.ADMITTED


async def test_every_counter_and_nonce_has_its_end(gate: ValkeyBotGate, valkey: Valkey) -> None:
    await _admit(gate, NOON, "A" * 16)
    ends = {key: await valkey.ttl(key) for key in await valkey.keys("*")}
    assert ends == {
        f"rate:{BOT}:202601161200".encode(): pytest.approx(60, abs=1),
        f"rate:{BOT}:2026011612".encode(): pytest.approx(3600, abs=1),
        f"rate:{BOT}:20260116".encode(): pytest.approx(86_400, abs=1),
        f"nonce:{BOT}:{'A' * 16}".encode(): pytest.approx(660, abs=1),
    }


async def test_a_counter_that_was_left_without_an_end_gets_one(gate: ValkeyBotGate, valkey: Valkey) -> None:
    await valkey.set(f"rate:{BOT}:202601161200", 5)
    await _admit(gate, NOON)
    assert await valkey.ttl(f"rate:{BOT}:202601161200") == pytest.approx(60, abs=1)


async def test_what_is_left_is_told_of_each_window(gate: ValkeyBotGate) -> None:
    verdict = await _admit(gate, NOON + 18)
    assert [(quota.period, quota.remaining, quota.reset_seconds) for quota in verdict.quotas] == [
        (Period.MINUTE, 299, 42),
        (Period.HOUR, 9_999, 3582),
        (Period.DAY, 99_999, 43_182),
    ]


async def test_a_request_refused_for_its_limit_cannot_be_played_back_later(valkey: Valkey) -> None:
    gate = ValkeyBotGate(valkey, BotLimits(minute=1))
    await _admit(gate, NOON, "A" * 16)
    assert (await _admit(gate, NOON, "B" * 16)).outcome is BotOutcome.LIMITED
    assert (await _admit(gate, NOON + 60, "B" * 16)).outcome is BotOutcome.REPLAYED


async def test_a_bot_without_measure_takes_no_more_memory_than_twice_its_limit(valkey: Valkey) -> None:
    gate = ValkeyBotGate(valkey, BotLimits(minute=5))
    for number in range(50):
        await _admit(gate, NOON, f"nonce-{number:010}")
    assert len(await valkey.keys("nonce:*")) == 10
    assert await valkey.get(f"rate:{BOT}:20260116") == b"5"


async def test_a_replay_counts_nothing(gate: ValkeyBotGate, valkey: Valkey) -> None:
    await _admit(gate, NOON, "A" * 16)
    assert (await _admit(gate, NOON, "A" * 16)).outcome is BotOutcome.REPLAYED
    assert await valkey.get(f"rate:{BOT}:202601161200") == b"1"


async def test_something_rare_is_counted_from_the_first_on(gate: ValkeyBotGate, valkey: Valkey) -> None:
    assert [await gate.take("register", 2, 3600) for _ in range(2)] == [0, 0]
    assert await gate.take("register", 2, 3600) == pytest.approx(3600, abs=1)
    await valkey.persist("bots:register")
    assert await gate.take("register", 2, 3600) == pytest.approx(3600, abs=1)
    assert await valkey.ttl("bots:register") > 0


async def test_a_gate_without_valkey_says_so(gate: ValkeyBotGate, valkey: Valkey) -> None:
    await valkey.config_set("maxmemory", "1")
    try:
        with pytest.raises(StoreUnavailable):
            await _admit(gate, NOON)
    finally:
        await valkey.config_set("maxmemory", "0")


async def test_a_bot_learns_its_limits_from_standard_headers(
    log_folder: Path, valkey: Valkey, postgres: Postgres, tmp_path: Path
) -> None:
    async with chat_running(valkey, postgres, tmp_path / "spool", bot_hour_limit=6) as chat:
        bot = await approved_bot(chat)
        first = await bot.post("one")
        assert first.headers["ratelimit-policy"] == '"minute";q=300;w=60, "hour";q=6;w=3600, "day";q=100000;w=86400'
        minute, hour, day = first.headers["ratelimit"].split(", ")
        assert hour.startswith('"hour";r=')
        assert day.startswith('"day";r=')
        assert minute.startswith('"minute";r=')
        left = int(hour.removeprefix('"hour";r=').partition(";")[0])
        answers = [await bot.post(f"more {number}") for number in range(left + 1)]
        assert [answer.status_code for answer in answers] == [201] * left + [429]
        refused = answers[-1]
        assert refused.json()["code"] == "rate_limited"
        assert refused.json()["violated-policies"] == ["hour"]
        assert refused.json()["detail"].startswith("Rate limit exceeded: hour")
        assert '"hour";r=0;t=' in refused.headers["ratelimit"]
        until = int(refused.headers["ratelimit"].split('"hour";r=0;t=')[1].partition(",")[0])
        assert int(refused.headers["retry-after"]) == until
        (hit,) = await eventually(lambda: chat.of("bot.rate_limit_hit"))
        assert (hit.fields["bot.limit_period"], hit.fields["bot.limit_scope"]) == ("hour", "bot")
        assert hit.fields["device.id"] == bot.id
        assert chat.metric("sakimori_bot_rate_limit_hits_total", period="hour", scope="bot") == 1
        (line,) = [line for line in lines_of(log_folder / "security.log") if line["action"] == "bot.rate_limit_hit"]
        assert (line["ip"], line["reason"]) == ("198.51.100.20", f"Rate limit exceeded for {bot.id}: hour")
