"""Analytics with a memory come to the same in both states, over replicas and redelivery."""

from collections.abc import Sequence
from zoneinfo import ZoneInfo

import pytest
from hypothesis import HealthCheck, Phase, given, settings
from hypothesis import strategies as st

import detector_rules
from sakimori_common.context import Valkey
from sakimori_common.contracts import Event
from sakimori_common.ids import event_id
from sakimori_common.instants import parse_instant
from sakimori_detector.adapters.memory import MemoryState
from sakimori_detector.adapters.valkey import ValkeyState
from sakimori_detector.detection import Found, detect
from sakimori_detector.domain.engine import Engine
from sakimori_detector.domain.loading import load
from sakimori_detector.ports import DetectionState

S = 1_000_000
START = parse_instant("2026-01-16T03:00:00Z")

LADDERED = """
title: Probe
name: probe
id: 5f0c2f0e-5ad5-4a4e-8e62-0b8f0a1d0040
status: stable
level: critical
logsource: {category: webserver}
detection:
  probe: {url.path: /probe}
  condition: probe
sakimori:
  entity: source.ip
  confidence: 1.0
  message: probe
  why: It looks for a way in.
  response: Watch.
  window_seconds: 5
  decision: {action: block, ladder: true}
"""

RISK = """
title: Risk
name: risk_escalated
id: 5f0c2f0e-5ad5-4a4e-8e62-0b8f0a1d0041
status: stable
level: high
analytic: {type: risk, datasets: [sakimori.finding]}
sakimori:
  entity: sakimori.finding.entity
  confidence: 0.8
  message: "{@entity} {@risk_score}"
  why: It adds up.
  response: Look.
  decision: {action: block, seconds: 30}
"""

SURGE = """
title: Surge
name: surge
id: 5f0c2f0e-5ad5-4a4e-8e62-0b8f0a1d0042
status: stable
level: medium
analytic: {type: rate_anomaly, datasets: [nginx.access], step_seconds: 10, learn_seconds: 0, min_count: 5}
sakimori:
  entity: event.dataset
  confidence: 0.5
  message: "{@count}"
  why: A flood.
  response: Look.
"""

FILES = {
    "web/probe.yml": LADDERED,
    "risk/risk_escalated.yml": RISK,
    "baseline/surge.yml": SURGE,
    "chat/ban_evasion.yml": detector_rules.BAN_EVASION,
    "chat/chat_high_risk.yml": detector_rules.CHAT_RISK,
}


@pytest.fixture(scope="module")
def engine() -> Engine:
    loaded = load(FILES, zone=ZoneInfo("Asia/Tokyo"))
    assert loaded.problems == ()
    return Engine(loaded.rules, loaded.world)


def event(seconds: int, kind: int, who: int) -> Event:
    time = START + seconds * S
    identity = event_id(time, str(kind), str(who))
    if kind < 2:
        fields = {"source.ip": f"203.0.113.{who % 2}", "url.path": "/probe" if kind else "/", "url.original": "/"}
        return Event(identity, time, "nginx.access", dict(fields))
    action = ["chat.message_posted", "security.rate_limit_hit", "security.high_risk_block"][kind - 2]
    told = {"event.action": action, "user.id": f"u{who}", "client.fingerprint": "fp"}
    return Event(identity, time, "chat.message" if kind == 2 else "chat.security", dict(told))


def told(found: Sequence[Found]) -> list[tuple[object, ...]]:
    return sorted(
        (f.finding.id, f.outcome.is_opened, f.finding.count, str(f.finding.details), str(f.measure)) for f in found
    )


steps = st.lists(st.tuples(st.integers(0, 20), st.integers(0, 4), st.integers(0, 3)), min_size=1, max_size=40)


@given(steps=steps, cut=st.integers(1, 9))
@settings(
    max_examples=30,
    deadline=None,
    phases=[Phase.explicit, Phase.generate],
    suppress_health_check=[HealthCheck.function_scoped_fixture],
)
async def test_memory_and_valkey_come_to_the_same(
    engine: Engine, valkey: Valkey, steps: list[tuple[int, int, int]], cut: int
) -> None:
    await valkey.flushall()
    memory, replicas, time, events = MemoryState(), [ValkeyState(valkey), ValkeyState(valkey)], 0, []
    for gap, kind, who in steps:
        time += gap
        events.append(event(time, kind, who))
    for number in range(0, len(events), cut):
        part = events[number : number + cut]
        expected = await detect(engine, memory, f"b{number}", part, lambda event: event.time)
        found = await detect(engine, replicas[number % 2], f"b{number}", part, lambda event: event.time)
        assert told(found) == told(expected)


async def test_a_redelivered_batch_adds_no_risk_and_climbs_no_step(engine: Engine, state: DetectionState) -> None:
    batch = [event(0, 1, 0), event(100, 1, 0)]
    first = await detect(engine, state, "the same", batch, lambda event: event.time)
    assert [found.measure.seconds for found in first if found.measure and found.finding.rule_id == "probe"] == [30, 300]
    assert await detect(engine, state, "the same", batch, lambda event: event.time) == first
    (next_one, *_) = await detect(engine, state, "another", [event(1000, 1, 0)], lambda event: event.time)
    assert next_one.measure is not None
    assert next_one.measure.seconds == 3600


async def test_points_that_are_given_back_are_given_back_everywhere(engine: Engine, valkey: Valkey) -> None:
    await valkey.flushall()
    replicas = [ValkeyState(valkey), ValkeyState(valkey)]
    story = [(0, 3, 0), (40, 2, 1), (50, 2, 2), (60, 4, 1), (70, 4, 2), (80, 2, 0)]
    scores, lifts = [], []
    for number, (seconds, kind, who) in enumerate(story):
        found = await detect(
            engine, replicas[number % 2], str(number), [event(seconds, kind, who)], lambda each: each.time
        )
        scores.append(await valkey.get("risk:fp:fp"))
        lifts += [each.measure.seconds for each in found if each.measure is not None]
    assert scores == [None, b"5", b"10", b"5", b"5", b"0"]
    assert lifts == [300, 0]
    assert 0 < await valkey.ttl("risk:fp:fp") <= 3600


@pytest.mark.parametrize("junk", [b"", b"\xc1", b"\x91\x01", b"x" * 1000, b"\x93\xc0\xc0\xc0", b"\x91" * 2000])
async def test_what_another_version_remembered_is_forgotten(engine: Engine, valkey: Valkey, junk: bytes) -> None:
    await valkey.flushall()
    for key in (
        "risk:source.ip:203.0.113.0",
        "ladder:source.ip:203.0.113.0",
        "baseline:surge:nginx.access",
        "identities:ban_evasion:fp",
        "identities:chat_high_risk:fp",
    ):
        await valkey.set(f"detector:{key}", junk)
    story = [event(0, 1, 0), event(1, 3, 0), event(5, 2, 1), event(6, 2, 2)]
    found = await detect(engine, ValkeyState(valkey), "b", story, lambda event: event.time)
    assert {each.finding.rule_id for each in found} == {"probe", "risk_escalated", "ban_evasion", "chat_high_risk"}
