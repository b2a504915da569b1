"""Windows in the running detector: judged when they are over, clocks that are wrong, findings that change their id."""

from pathlib import Path

import pytest

from sakimori_common.bus import Bus, Topic
from sakimori_common.context import Postgres
from sakimori_common.contracts import Event
from sakimori_common.ids import random_event_id
from sakimori_common.instants import MICROSECONDS, now
from sakimori_common.testing.samples import finding
from sakimori_detector.adapters.postgres import PostgresFindings
from sakimori_detector.ports import Replaced
from servers.eventually import eventually

from .conftest import Heard, Replica, failed_login, message_of

ONE_LOGIN = """
title: Login
name: login
status: test
logsource: {category: authentication, service: sshd}
detection:
  selection: {event.action: ssh_login}
  condition: selection
---
title: One login, and no second
name: single_login
status: test
level: low
correlation: {type: event_count, rules: [login], group-by: [source.ip], timespan: 1s, condition: {eq: 1}}
sakimori:
  entity: source.ip
  confidence: 0.5
  message: "{source.ip} came once as {user.name}"
  why: It came once.
  response: Look.
"""


@pytest.fixture
def rules_dir(rules_dir: Path) -> Path:
    (rules_dir / "auth" / "single_login.yml").write_text(ONE_LOGIN, encoding="utf-8")
    return rules_dir


async def test_a_window_that_is_over_is_judged_by_the_detector_that_runs_then(
    bus: Bus, replica: Replica, heard: Heard, postgres: Postgres
) -> None:
    """Events of an hour ago, with later ones after them: their time is past the end, so nobody has to wait."""
    async with replica() as first:
        await bus.publish(Topic.EVENTS, message_of([failed_login(3600, ip="203.0.113.7", user="ann")]))
        await bus.publish(Topic.EVENTS, message_of([failed_login(3600, ip="203.0.113.8") for _ in range(2)]))
        await eventually(lambda: first.registry.get_sample_value("sakimori_events_evaluated_total") == 3)
    async with replica():
        later = [failed_login(1800, ip=ip) for ip in ("203.0.113.7", "203.0.113.8")]
        await bus.publish(Topic.EVENTS, message_of(later))
        await eventually(lambda: [each for each in heard.findings if each.rule_id == "single_login"], 15)
    (found,) = [each for each in heard.findings if each.rule_id == "single_login"]
    assert (found.entity, found.message) == ("203.0.113.7", "203.0.113.7 came once as ann")
    assert found.evidence.condition == "event_count eq 1 within 1 s"
    assert await postgres.fetchval("SELECT count(*) FROM public.findings WHERE rule_id = 'single_login'") == 1


async def test_an_event_an_hour_ahead_counts_as_of_now_and_poisons_nothing(
    bus: Bus, replica: Replica, heard: Heard
) -> None:
    ahead = failed_login(-3600)
    async with replica() as context:
        await bus.publish(Topic.EVENTS, message_of([ahead]))
        await bus.publish(Topic.EVENTS, message_of([failed_login(1) for _ in range(4)]))
        await eventually(lambda: heard.findings, 10)
        assert context.registry.get_sample_value("sakimori_events_ahead_total") == 1
    (found,) = heard.findings
    assert (found.rule_id, found.count) == ("brute_force_attack", 5)


async def test_a_single_event_of_a_year_ago_is_found_and_counted_as_late(
    bus: Bus, replica: Replica, heard: Heard
) -> None:
    time = now() - 365 * 86_400 * MICROSECONDS
    target = {"source.ip": "203.0.113.9", "url.original": "/?id=1 union select password from users"}
    async with replica() as context:
        await bus.publish(Topic.EVENTS, message_of([Event(random_event_id(time), time, "nginx.access", {**target})]))
        await eventually(lambda: heard.findings, 10)
        assert context.registry.get_sample_value("sakimori_events_late_total") == 1
    assert heard.findings[0].rule_id == "sql_injection"


@pytest.mark.parametrize("is_behind", [True, False])
async def test_a_finding_that_is_replaced_is_seen_no_more_whoever_stores_first(
    postgres: Postgres, is_behind: bool
) -> None:
    store = PostgresFindings(postgres)
    old = finding(id="old", last_seen_at="2026-01-16T02:00:10.000Z")
    new = finding(id="new", last_seen_at="2026-01-16T02:00:20.000Z")
    replaced = Replaced("old", new, 1_768_528_860_000_000)
    if is_behind:
        await store.store([new], [], [replaced])
        await store.store([old], [])
    else:
        await store.store([old], [])
        await store.store([new], [], [replaced])
    assert [row["id"] for row in await postgres.fetch("SELECT id FROM public.findings")] == ["new"]
    await store.store([finding(id="old", last_seen_at="2026-01-16T02:02:00.000Z")], [])
    assert {row["id"] for row in await postgres.fetch("SELECT id FROM public.findings")} == {"new", "old"}
