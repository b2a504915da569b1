"""The detector with real servers: rows, messages, redelivery, restart, replicas."""

import asyncio
import os
from pathlib import Path

import detector_rules
from sakimori.embedded import PostgresServer
from sakimori_common.bus import Bus, Message, Queue, Topic, dead_letters_of
from sakimori_common.context import Postgres, ServiceContext, Valkey
from sakimori_common.contracts import Event
from sakimori_common.ids import random_event_id
from sakimori_common.instants import MICROSECONDS, now, parse_instant
from servers.eventually import eventually

from .conftest import Heard, Replica, failed_login, message_of


async def test_five_failures_become_one_finding_in_the_store_and_on_the_bus(
    bus: Bus, replica: Replica, heard: Heard, postgres: Postgres
) -> None:
    async with replica():
        await bus.publish(Topic.EVENTS, message_of([failed_login(10 - number) for number in range(5)]))
        await eventually(lambda: heard.findings, 10)
    (finding,) = heard.findings
    assert finding.rule_id == "brute_force_attack"
    assert finding.message == "ブルートフォース攻撃を検出: 203.0.113.42"
    assert finding.details == {
        "ip": "203.0.113.42",
        "username": "admin",
        "failed_attempts": 5,
        "attack_type": "brute_force",
    }
    assert (finding.tactics, finding.techniques) == (["credential-access"], ["T1110.001"])
    assert finding.trace_id == "trace-1"
    row = await postgres.fetchrow("SELECT * FROM public.findings")
    assert (row["id"], row["count"], row["severity"], row["trace_id"]) == (finding.id, 5, "high", "trace-1")


async def test_a_block_follows_brute_force_and_expires(
    bus: Bus, replica: Replica, heard: Heard, postgres: Postgres
) -> None:
    async with replica():
        await bus.publish(Topic.EVENTS, message_of([failed_login() for _ in range(5)]))
        await eventually(lambda: heard.decisions, 10)
    (decision,) = heard.decisions
    assert (decision.entity_type, decision.entity, decision.action) == ("source.ip", "203.0.113.42", "block")
    assert 3590 < (parse_instant(decision.expires_at) - now()) / MICROSECONDS <= 3600
    assert await postgres.fetchval("SELECT id FROM public.decisions") == decision.id


async def test_an_allowed_address_is_found_but_never_blocked(
    bus: Bus, replica: Replica, heard: Heard, postgres: Postgres
) -> None:
    async with replica():
        await bus.publish(Topic.EVENTS, message_of([failed_login(ip="192.0.2.200") for _ in range(5)]))
        await bus.publish(Topic.EVENTS, message_of([failed_login(ip="127.0.0.1") for _ in range(5)]))
        await eventually(lambda: len({finding.entity for finding in heard.findings}) == 2, 10)
    assert heard.decisions == []
    assert await postgres.fetchval("SELECT count(*) FROM public.decisions") == 0


async def test_yesterdays_log_blocks_nobody_today(bus: Bus, replica: Replica, heard: Heard) -> None:
    async with replica():
        await bus.publish(Topic.EVENTS, message_of([failed_login(86_400) for _ in range(5)]))
        await eventually(lambda: heard.findings, 10)
    assert heard.decisions == []


async def test_a_redelivered_batch_counts_once(bus: Bus, replica: Replica, heard: Heard, postgres: Postgres) -> None:
    batch = message_of([failed_login() for _ in range(7)], id="the same")
    async with replica():
        for _ in range(3):
            await bus.publish(Topic.EVENTS, batch)
        await eventually(lambda: len(heard.findings) >= 3, 10)
    assert {(finding.id, finding.count, finding.created_at) for finding in heard.findings} == {
        (heard.findings[0].id, 7, heard.findings[0].created_at)
    }
    assert len({message.id for message in heard.messages}) == 1
    assert await postgres.fetchval("SELECT array_agg(count) FROM public.findings") == [7]
    assert await postgres.fetchval("SELECT count(*) FROM public.decisions") == 1


async def test_a_restart_keeps_the_window(bus: Bus, replica: Replica, heard: Heard) -> None:
    async with replica():
        await bus.publish(Topic.EVENTS, message_of([failed_login() for _ in range(4)]))
        await eventually(lambda: _is_empty(bus), 10)
    assert heard.findings == []
    async with replica():
        await bus.publish(Topic.EVENTS, message_of([failed_login()]))
        await eventually(lambda: heard.findings, 10)
    assert heard.findings[0].count == 5


async def test_postgresql_away_is_waited_for_and_nothing_is_lost_or_counted_twice(
    bus: Bus, replica: Replica, heard: Heard, postgres: Postgres, postgres_server: PostgresServer
) -> None:
    async with replica() as context:
        await bus.publish(Topic.EVENTS, message_of([failed_login() for _ in range(4)]))
        await eventually(lambda: _is_empty(bus), 10)
        await asyncio.to_thread(postgres_server.stop)
        await bus.publish(Topic.EVENTS, message_of([failed_login()]))
        await eventually(lambda: _waited(context), 10)
        assert heard.findings == []
        await asyncio.to_thread(postgres_server.start)
        await eventually(lambda: heard.findings, 30)
    assert heard.findings[0].count == 5
    assert await postgres.fetchval("SELECT array_agg(count) FROM public.findings") == [5]
    assert await bus.dead(Queue.DETECT, 10) == []


async def test_two_replicas_share_a_window_and_lose_nothing(
    bus: Bus, replica: Replica, heard: Heard, postgres: Postgres
) -> None:
    async with replica(), replica():
        await asyncio.gather(*(bus.publish(Topic.EVENTS, message_of([failed_login()])) for _ in range(60)))
        await eventually(lambda: any(finding.count == 60 for finding in heard.findings), 15)
    assert len({finding.id for finding in heard.findings}) == 1
    assert await postgres.fetchval("SELECT array_agg(count) FROM public.findings") == [60]


async def test_what_is_no_batch_of_events_goes_to_the_dead_letters_alone(
    bus: Bus, replica: Replica, heard: Heard
) -> None:
    async with replica():
        await bus.publish(Topic.EVENTS, Message("poison", b"\xc1", {"schema": "1", "source": "test"}))
        await bus.publish(Topic.EVENTS, message_of([failed_login() for _ in range(5)]))
        await eventually(lambda: heard.findings, 10)
        await eventually(lambda: _dead(bus), 10)
    (letter,) = await bus.dead(Queue.DETECT, 10)
    assert "no batch of events" in letter.reason


async def test_a_changed_threshold_takes_effect_and_the_window_is_kept(
    bus: Bus, replica: Replica, heard: Heard, rules_dir: Path
) -> None:
    path = rules_dir / "auth" / "brute_force_attack.yml"
    async with replica():
        await bus.publish(Topic.EVENTS, message_of([failed_login() for _ in range(2)]))
        await eventually(lambda: _is_empty(bus), 10)
        path.write_text(detector_rules.BRUTE_FORCE.replace("gte: 5", "gte: 3"), encoding="utf-8")
        os.utime(path, (1, 1))  # whatever the clock of the file system
        await asyncio.sleep(2.5)
        await bus.publish(Topic.EVENTS, message_of([failed_login()]))
        await eventually(lambda: heard.findings, 10)
    assert heard.findings[0].count == 3


def chat(action: str, user: str, seconds_ago: float, fingerprint: str = "fp-1") -> Event:
    time = now() - round(seconds_ago * MICROSECONDS)
    dataset = "chat.message" if action.startswith("chat.") else "chat.security"
    fields = {"event.action": action, "user.id": user, "client.fingerprint": fingerprint}
    return Event(random_event_id(time), time, dataset, dict(fields))


async def test_ban_evasion_over_two_replicas_is_one_finding_risk_and_a_block(
    bus: Bus, replica: Replica, heard: Heard, valkey: Valkey
) -> None:
    events = [chat("security.user_blocked", "a", 60), chat("chat.message_posted", "b", 50)]
    async with replica() as one, replica() as other:
        for number, event in enumerate(events, start=1):
            await bus.publish(Topic.EVENTS, message_of([event]))
            await _evaluated(number, one, other)
        assert await valkey.get("risk:fp:fp-1") == b"5"
        assert 3500 < await valkey.ttl("risk:fp:fp-1") <= 3600
        await bus.publish(Topic.EVENTS, message_of([chat("chat.message_posted", "c", 40)]))
        await eventually(lambda: len(heard.findings) >= 2 and heard.decisions, 10)
    assert await valkey.get("risk:fp:fp-1") == b"10"
    details = {finding.rule_id: finding.details for finding in heard.findings}
    assert details["ban_evasion"]["event"] == "security.evasion_suspected"
    assert details["ban_evasion"]["prev_anon"] == "a"
    assert details["chat_high_risk"]["risk_score"] == 10
    (decision,) = heard.decisions
    assert (decision.entity_type, decision.entity) == ("client.fingerprint", "fp-1")


async def _is_empty(bus: Bus) -> bool:
    return await bus.depth(Queue.DETECT) == 0


async def _evaluated(count: int, *contexts: ServiceContext) -> None:
    """Wait until so many events have been counted; a queue is empty before that."""
    name = "sakimori_events_evaluated_total"
    await eventually(lambda: sum(each.registry.get_sample_value(name) or 0 for each in contexts) == count, 20)


async def _dead(bus: Bus) -> bool:
    return await bus.depth(dead_letters_of(Queue.DETECT)) == 1


def _waited(context: ServiceContext) -> float | None:
    return context.registry.get_sample_value("sakimori_messages_waits_total", {"queue": Queue.DETECT})
