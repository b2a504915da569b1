"""Whatever the order, the batches and the replicas: the findings are those of one pass in order. Both states."""

import asyncio
from collections.abc import AsyncIterator, Sequence
from random import Random

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from sakimori_common.context import Valkey
from sakimori_common.contracts import Event
from sakimori_common.instants import parse_instant
from sakimori_common.valkey import open_valkey
from sakimori_detector.adapters.memory import MemoryState
from sakimori_detector.adapters.valkey import ValkeyState
from sakimori_detector.detection import Found, collect, detect
from sakimori_detector.domain.analytics import World
from sakimori_detector.domain.engine import Engine
from sakimori_detector.domain.loading import load
from sakimori_detector.offline import END_OF_TIME, Latest, OfflineDetector
from sakimori_detector.ports import DetectionState
from servers.patience import PATIENT_SECONDS

START = parse_instant("2026-01-16T02:00:00Z")
SECOND = 1_000_000

BASE = """
title: {0}
name: {0}
id: 5f0c2f0e-5ad5-4a4e-8e62-0b8f0a1e000{1}
status: test
logsource: {{category: authentication, service: sshd}}
detection:
  selection: {{event.action: {0}}}
  condition: selection
---"""
RULE = """
title: {0}
name: {0}
status: test
level: high
correlation: {{group-by: [source.ip], timespan: 8s, {1}}}
sakimori:
  entity: source.ip
  confidence: 0.5
  message: seen
  why: It adds up.
  response: Look.
  window_seconds: 30
"""
KINDS = {
    "count": "type: event_count, rules: [one], condition: {gte: 3}",
    "either": "type: event_count, rules: [one, two], condition: {gt: 3}",
    "distinct": "type: value_count, rules: [one, two, three], condition: {field: user.name, gte: 3}",
    "amount": "type: value_sum, rules: [one, two, three], condition: {field: source.bytes, gte: 9}",
    "together": "type: temporal, rules: [one, two, three]",
    "in_order": "type: temporal_ordered, rules: [one, two, three]",
    "either_way": "type: temporal, condition: one and two or three and one",
    "exactly": "type: event_count, rules: [one], condition: {eq: 2}",
    "average": "type: value_avg, rules: [one, two], condition: {field: source.bytes, gt: 3}",
    "without": "type: temporal, condition: one and not two",
    "chain": "type: temporal_ordered, rules: [count, three]",
    "chain_of_judged": "type: event_count, rules: [exactly, together], condition: {gte: 2}",
}


ABOUT_FINDINGS = """
title: Several
name: several
status: test
logsource: {product: sakimori, service: finding}
detection:
  selection: {event.severity|gte: 2}
  condition: selection
---
title: About findings
name: about_findings
status: test
level: high
correlation:
  {type: value_count, rules: [several], group-by: [source.ip], timespan: 8s, condition: {field: rule.id, gte: 2}}
sakimori:
  entity: source.ip
  confidence: 0.5
  message: seen
  why: It adds up.
  response: Look.
  window_seconds: 30
"""


def rules() -> dict[str, str]:
    """The base rules in a file of their own each, and a file for each kind."""
    texts = {f"auth/{name}.yml": RULE.format(name, kind) for name, kind in KINDS.items()}
    bases = {
        f"auth/{name}.yml": BASE.format(name, number).removesuffix("---")
        for number, name in enumerate(("one", "two", "three"))
    }
    return {**texts, **bases, "risk/about_findings.yml": ABOUT_FINDINGS}


LOADED = load(rules())
RULES = [rule for rule in LOADED.rules if rule.id in {*KINDS, "about_findings"}]
ENGINE = Engine(RULES, World())

OF_FINDINGS = frozenset({"chain", "chain_of_judged", "about_findings"})

streams = st.lists(
    st.tuples(st.integers(0, 24), st.sampled_from(["one", "two", "three"]), st.integers(0, 5), st.integers(1, 2)),
    min_size=1,
    max_size=50,
)


cuts = st.lists(st.integers(1, 9), min_size=1, max_size=5)


def made(stream: Sequence[tuple[int, str, int, int]]) -> list[Event]:
    return [
        Event(
            f"e{number:02}",
            START + second * SECOND,
            "openssh.auth",
            {"event.action": name, "user.name": f"u{value}", "source.bytes": value, "source.ip": f"192.0.2.{host}"},
        )
        for number, (second, name, value, host) in enumerate(stream)
    ]


def final(found: Sequence[Found]) -> set[tuple[object, ...]]:
    latest = Latest()
    latest.add(found)
    return {(f.id, f.rule_id, f.entity, f.first_seen_at, f.last_seen_at, f.count) for f in latest.all()}


def in_one_pass(events: Sequence[Event]) -> set[tuple[object, ...]]:
    detector = OfflineDetector(RULES, World())
    return final(detector.feed(sorted(events, key=lambda event: event.time)) + detector.finish())


async def shared(states: Sequence[DetectionState], events: Sequence[Event], cuts: Sequence[int]) -> list[Found]:
    """Hand batches to replicas in turn; in the end, judge the windows that are over."""
    found: list[Found] = []
    at = turn = 0
    while at < len(events):
        batch = events[at : at + cuts[turn % len(cuts)]]
        found += await detect(ENGINE, states[turn % len(states)], f"b{turn}", batch, event_time)
        at, turn = at + len(batch), turn + 1
    while (collected := await collect(ENGINE, states[0], END_OF_TIME, event_time)).settled:
        found += collected.found
        await states[0].settle(collected.settled)
    return found


def event_time(event: Event) -> int:
    return event.time


class Replicas:
    """States that share what they remember, empty at first."""

    def __init__(self, client: Valkey | None) -> None:
        self._client = client

    async def of(self, count: int) -> Sequence[DetectionState]:
        if self._client is None:
            return [MemoryState()] * count
        await self._client.flushall()
        return [ValkeyState(self._client) for _ in range(count)]


@pytest.fixture(params=["memory", "valkey"])
async def replicas(request: pytest.FixtureRequest) -> AsyncIterator[Replicas]:
    if request.param == "memory":
        yield Replicas(None)
        return
    client = open_valkey(request.getfixturevalue("valkey_server").url, timeout_seconds=PATIENT_SECONDS)
    yield Replicas(client)
    await client.aclose()


def test_every_rule_of_the_property_is_loaded() -> None:
    assert not LOADED.problems
    assert set(ENGINE.rules) == {*KINDS, "about_findings"}


@given(stream=streams, chance=st.randoms(use_true_random=False), cuts=cuts, count=st.integers(1, 3))
@settings(max_examples=100, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
async def test_the_findings_are_those_of_one_pass_in_order(
    replicas: Replicas, stream: list[tuple[int, str, int, int]], chance: Random, cuts: list[int], count: int
) -> None:
    """The stream is shorter than the lateness and than `window_seconds`, so any order is within both.

    What is counted of findings is the same unless one of these moved: what was told because of where it was at first
    stays (docs/adr/0010-windows-that-do-not-depend-on-order.md).
    """
    events = made(stream)
    expected = await asyncio.to_thread(in_one_pass, events)
    chance.shuffle(events)
    found = await shared(await replicas.of(count), events, cuts)
    passed_over = OF_FINDINGS if any(each.outcome.replaced >= 0 for each in found) else frozenset[str]()
    assert without(passed_over, final(found)) == without(passed_over, expected)
    assert {finding[0] for finding in final(found)} >= {finding[0] for finding in expected}


@given(stream=streams, cuts=cuts, count=st.integers(1, 3))
@settings(max_examples=60, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
async def test_batches_of_a_stream_in_order_may_be_cut_anywhere(
    replicas: Replicas, stream: list[tuple[int, str, int, int]], cuts: list[int], count: int
) -> None:
    """Then nothing moves, and what is counted of findings is the same, too."""
    events = sorted(made(stream), key=lambda event: event.time)
    expected = await asyncio.to_thread(in_one_pass, events)
    assert final(await shared(await replicas.of(count), events, cuts)) == expected


def without(rules: frozenset[str], findings: set[tuple[object, ...]]) -> set[tuple[object, ...]]:
    return {finding for finding in findings if finding[1] not in rules}


JUDGED = [rule for rule in LOADED.rules if rule.id in {"exactly", "average", "without"}]
scattered = st.lists(
    st.tuples(st.integers(0, 300), st.sampled_from(["one", "two"]), st.integers(0, 5), st.integers(1, 2)),
    min_size=1,
    max_size=40,
)


@given(stream=scattered, late=st.lists(st.floats(0, 1), min_size=40, max_size=40), cuts=cuts)
@settings(max_examples=200, deadline=None)
def test_windows_that_are_judged_on_the_way_are_those_judged_in_the_end(
    stream: list[tuple[int, str, int, int]], late: list[float], cuts: list[int]
) -> None:
    """Events come up to a minute late; what is over is judged after each batch."""
    events = made(stream)
    arrivals = sorted(zip(events, late, strict=False), key=lambda each: each[0].time + each[1] * 60 * SECOND)
    detector = OfflineDetector(JUDGED, World())
    found: list[Found] = []
    at = turn = 0
    while at < len(arrivals):
        size = cuts[turn % len(cuts)]
        found += detector.feed([event for event, _ in arrivals[at : at + size]])
        at, turn = at + size, turn + 1
    found += detector.finish()
    in_the_end = OfflineDetector(JUDGED, World())
    assert final(found) == final(in_the_end.feed(events) + in_the_end.finish())
