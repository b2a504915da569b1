"""Risk of entities over findings, and the ladder: from events to findings, scores and measures."""

import asyncio
import os
import random
from collections.abc import Sequence
from itertools import pairwise
from pathlib import Path
from typing import Any

import msgspec
import pytest
from hypothesis import Phase, example, given, settings
from hypothesis import strategies as st
from prometheus_client import CollectorRegistry

from detector_run import START, Run, S, chat, event, limited
from sakimori_common.contracts import DecisionAction, Event
from sakimori_common.log import logger
from sakimori_detector.adapters.memory import MemoryState
from sakimori_detector.detection import Found, detect
from sakimori_detector.domain.engine import Engine
from sakimori_detector.domain.ladder import LadderError, Rung, check, climbed, halved
from sakimori_detector.domain.loading import load
from sakimori_detector.domain.policy import decision_of
from sakimori_detector.metrics import DetectorMetrics
from sakimori_detector.rulebook import Rulebook

RISK = """
title: Risk
name: risk_escalated
id: 5f0c2f0e-5ad5-4a4e-8e62-0b8f0a1d0020
status: stable
level: high
analytic:
  type: risk
  datasets: [sakimori.finding]
  half_life_seconds: 3600
  weights: {low: 2, medium: 5, high: 10, critical: 20}
  factors: {quiet_rule: 0, loud_rule: 2}
  ladder:
    - {score: 10, action: warn}
    - {score: 20, action: block, seconds: 30}
    - {score: 40, action: throttle, seconds: 300}
    - {score: 80, action: block, seconds: 3600}
    - {score: 160, action: block, seconds: 86400}
    - {score: 320, action: operator, seconds: 86400}
sakimori:
  entity: sakimori.finding.entity
  confidence: 0.8
  message: "risk of {@entity} is {@risk_score}"
  details: {event: =security.risk_escalated, risk_score: "@risk_score", reason: "@reason", rung: "@rung"}
  why: It adds up.
  response: Look.
  window_seconds: 3600
  decision: {action: block, seconds: 30}
"""

PROBE = """
title: Probe {name}
name: {name}
id: 5f0c2f0e-5ad5-4a4e-8e62-0b8f0a1d00{number}
status: stable
level: {level}
logsource: {{category: webserver}}
detection:
  probe: {{url.path: /{name}}}
  condition: probe
sakimori:
  entity: source.ip
  confidence: 1.0
  message: probe
  why: It looks for a way in.
  response: Watch.
  window_seconds: 60
  {decision}
"""


def probe(name: str, number: int, level: str = "high", decision: str = "") -> dict[str, str]:
    return {f"web/{name}.yml": PROBE.format(name=name, number=number, level=level, decision=decision)}


def found_event(seconds: float, rule: str, severity: str = "high", entity: str = "203.0.113.9") -> Event:
    return event(
        "sakimori.finding",
        seconds,
        rule__id=rule,
        event__severity_name=severity,
        sakimori__finding__confidence=1.0,
        sakimori__finding__entity_type="source.ip",
        sakimori__finding__entity=entity,
        source__ip=entity,
    )


def score(run: Run, entity: str = "203.0.113.9") -> float:
    """Reckon the score at the latest finding from what is kept, with half of it gone after an hour."""
    kept = run.state.value(f"detector:risk:source.ip:{entity}")
    if kept is None:
        return 0.0
    older, at, given = msgspec.msgpack.decode(kept)
    latest = given[-1][0]
    parts = [(at, older), *((each[0], each[3]) for each in given)]
    return float(sum(points * 0.5 ** ((latest - time) / (3600 * S)) for time, points in parts))


def request(seconds: float, path: str, address: str = "203.0.113.9") -> Event:
    return event("nginx.access", seconds, url__path=path, url__original=path, source__ip=address)


@pytest.mark.parametrize(
    ("highs", "rung", "action", "seconds"),
    [
        (1, "warn", None, None),
        (2, "block", DecisionAction.BLOCK, 30),
        (4, "throttle", DecisionAction.THROTTLE, 300),
        (8, "block", DecisionAction.BLOCK, 3600),
        (16, "block", DecisionAction.BLOCK, 86_400),
        (32, "operator", DecisionAction.BLOCK, 86_400),
    ],
)
async def test_each_rung_has_an_action_of_its_own(
    highs: int, rung: str, action: DecisionAction | None, seconds: int | None
) -> None:
    run = Run(files={"risk/risk_escalated.yml": RISK})
    await run.feed(*(found_event(0, f"rule_{number}") for number in range(highs)))
    latest = run.found[-1]
    assert latest.finding.details["rung"] == rung
    measured = None if latest.measure is None else (latest.measure.action, latest.measure.seconds)
    assert measured == (None if action is None else (action, seconds))


async def test_a_crossing_is_one_finding_and_staying_on_a_rung_is_none() -> None:
    run = Run(files={"risk/risk_escalated.yml": RISK})
    severities = ("high", "low", "low", "low", "low")
    await run.feed(*(found_event(number, f"rule_{number}", severity) for number, severity in enumerate(severities)))
    assert [found.finding.details["risk_score"] for found in run.opened("risk_escalated")] == [10.0]
    await run.feed(found_event(5, "another", "medium"))
    assert [found.finding.details["risk_score"] for found in run.opened("risk_escalated")] == [10.0, 23.0]
    assert [found.measure for found in run.found if not found.outcome.is_opened] == [None, None, None, None, None]


async def test_rungs_that_are_jumped_over_are_crossed() -> None:
    run = Run(files={"risk/risk_escalated.yml": RISK})
    await run.feed(found_event(0, "loud_rule", "critical"))
    assert [found.finding.details["rung"] for found in run.found] == ["warn", "block", "throttle"]


async def test_an_earlier_finding_that_comes_late_raises_what_follows_it() -> None:
    run = Run(files={"risk/risk_escalated.yml": RISK})
    await run.feed(found_event(10, "second", "medium"), found_event(20, "third", "medium"))
    assert run.found == []
    (found,) = await run.feed(found_event(0, "first", "medium"))
    assert (found.finding.first_seen_at, found.finding.details["rung"]) == ("2026-01-16T03:00:20.000Z", "warn")


async def test_a_finding_about_risk_names_entity_and_reasons() -> None:
    run = Run(files={"risk/risk_escalated.yml": RISK})
    await run.feed(found_event(0, "sql_injection", "medium"), found_event(1, "quiet_rule", "critical"))
    (found,) = await run.feed(found_event(2, "port_scan"))
    assert (found.finding.entity_type, found.finding.entity) == ("source.ip", "203.0.113.9")
    assert found.finding.message == "risk of 203.0.113.9 is 15"
    assert found.finding.details["reason"] == "sql_injection +5, port_scan +10"


async def test_risk_halves_with_time() -> None:
    run = Run(files={"risk/risk_escalated.yml": RISK})
    await run.feed(found_event(0, "rule"), found_event(3600, "rule", "low"))
    assert score(run) == pytest.approx(7.0)


async def test_a_finding_that_comes_late_counts_as_if_it_had_faded_since() -> None:
    run, in_time = Run(files={"risk/risk_escalated.yml": RISK}), Run(files={"risk/risk_escalated.yml": RISK})
    await run.feed(found_event(3600, "rule", "low"), found_event(0, "rule"))
    await in_time.feed(found_event(0, "rule"), found_event(3600, "rule", "low"))
    assert score(run) == pytest.approx(score(in_time))


@pytest.mark.parametrize("confidence", [float("nan"), float("inf"), -1, 7, "1", None])
async def test_a_confidence_that_is_none_gives_no_points(confidence: Any) -> None:
    run = Run(files={"risk/risk_escalated.yml": RISK})
    strange = found_event(0, "rule")
    strange.fields["sakimori.finding.confidence"] = confidence
    await run.feed(strange)
    assert run.state.value("detector:risk:source.ip:203.0.113.9") is None


async def test_entities_are_counted_apart() -> None:
    run = Run(files={"risk/risk_escalated.yml": RISK})
    await run.feed(*(found_event(0, "rule", "medium", f"203.0.113.{number}") for number in range(20)))
    assert run.found == []


async def test_a_changed_weight_takes_effect_with_the_next_load_and_no_code() -> None:
    scores = []
    for text in (RISK, RISK.replace("high: 10", "high: 12")):
        run = Run(files={"risk/risk_escalated.yml": text})
        await run.feed(found_event(0, "rule"))
        scores.append(score(run))
    assert scores == [10.0, 12.0]


async def test_a_weight_is_changed_while_the_service_runs_and_the_score_goes_on(tmp_path: Path) -> None:
    path = tmp_path / "risk" / "risk_escalated.yml"
    path.parent.mkdir()
    path.write_text(RISK, encoding="utf-8")
    rulebook = Rulebook(tmp_path, "Asia/Tokyo", DetectorMetrics(CollectorRegistry()), logger("test"))
    state = MemoryState()
    scores = []
    for number, weight in enumerate(["high: 10", "high: 4"]):
        path.write_text(RISK.replace("high: 10", weight), encoding="utf-8")
        os.utime(path, (number, number))
        assert await rulebook.refresh()
        finding = found_event(number, f"rule_{number}")
        found = await detect(rulebook.engine, state, str(number), [finding], lambda event: event.time)
        scores += [each.finding.details["reason"] for each in found]
    assert scores[0] == "rule_0 +10"
    assert scores[-1] == "rule_0 +10, rule_1 +4"


async def test_a_rule_without_a_decision_decides_nothing_whatever_the_ladder_says() -> None:
    silent = RISK.replace("  decision: {action: block, seconds: 30}\n", "")
    run = Run(files={"risk/risk_escalated.yml": silent})
    await run.feed(*(found_event(number, f"rule_{number}") for number in range(20)))
    assert len(run.opened("risk_escalated")) == 5
    assert set(run.measures()) == {None}


async def test_findings_of_a_batch_count_for_the_entity_in_the_same_call() -> None:
    run = Run(files={"risk/risk_escalated.yml": RISK, **probe("one", 21), **probe("two", 22)})
    found = await run.feed(request(0, "/one"), request(1, "/two"))
    assert [(each.finding.rule_id, each.outcome.is_opened) for each in found] == [
        ("one", True),
        ("risk_escalated", True),
        ("two", True),
        ("risk_escalated", False),
    ]
    assert score(run) == pytest.approx(20.0, abs=0.01)


async def test_what_repeats_a_finding_adds_no_points() -> None:
    run = Run(files={"risk/risk_escalated.yml": RISK, **probe("one", 21)})
    await run.feed(*(request(number, "/one") for number in range(50)))
    assert score(run) == 10.0


async def test_a_redelivered_batch_adds_no_points() -> None:
    run = Run(files={"risk/risk_escalated.yml": RISK, **probe("one", 21)})
    first, again = [
        await detect(run.engine, run.state, "the same", [request(0, "/one")], lambda event: event.time)
        for _ in range(2)
    ]
    assert first == again
    assert score(run) == 10.0


async def test_risk_gives_no_risk() -> None:
    run = Run(files={"risk/risk_escalated.yml": RISK})
    await run.feed(*(found_event(0, f"rule_{number}") for number in range(32)))
    assert len(run.opened("risk_escalated")) == 6
    assert score(run) == 320.0


async def test_of_more_findings_than_are_kept_the_points_of_the_oldest_still_count() -> None:
    run = Run(files={"risk/risk_escalated.yml": RISK.replace("score: 320", "score: 3200")})
    await run.feed(*(found_event(number, f"rule_{number}", "low") for number in range(300)))
    expected = sum(2 * 0.5 ** (age / 3600) for age in range(300))
    assert score(run) == pytest.approx(expected)
    kept = run.state.value("detector:risk:source.ip:203.0.113.9")
    assert kept is not None
    assert len(kept) < 4096


LADDER = "decision: {action: block, ladder: true}"


def offences(files: dict[str, str], seconds: Sequence[float], path: str = "/one") -> list[int | None]:
    run = Run(files=files)
    asyncio.run(run.feed(*(request(second, path) for second in seconds)))
    return [measure for measure in run.measures() if measure is not None]


def test_repeated_offences_climb_from_half_a_minute_to_a_day_and_stay_there() -> None:
    seconds = [0, 1000, 2000, 9000, 100_000, 200_000]
    assert offences(probe("one", 21, decision=LADDER), seconds) == [30, 300, 3600, 86_400, 86_400, 86_400]


def test_an_offence_while_the_measure_holds_is_the_same_offence() -> None:
    files = {**probe("one", 21, decision=LADDER), **probe("two", 22, decision=LADDER)}
    run = Run(files=files)
    asyncio.run(run.feed(request(0, "/one"), request(5, "/two"), request(100, "/one"), request(110, "/two")))
    assert run.measures() == [30, 30, 300, 300]


def test_a_quiet_week_after_the_last_measure_begins_anew() -> None:
    week = 7 * 86_400
    assert offences(probe("one", 21, decision=LADDER), [0, 1000, 1300 + week]) == [30, 300, 3600]
    assert offences(probe("one", 21, decision=LADDER), [0, 1000, 1301 + week]) == [30, 300, 30]


def test_two_entities_climb_apart() -> None:
    run = Run(files=probe("one", 21, decision=LADDER))
    asyncio.run(run.feed(request(0, "/one"), request(1000, "/one", "203.0.113.10"), request(2000, "/one")))
    assert run.measures() == [30, 30, 300]


@pytest.mark.parametrize(
    "decision",
    ["decision: {action: block}", "decision: {action: block, seconds: 30, ladder: true}", "decision: {ladder: true}"],
)
def test_a_decision_has_either_seconds_or_a_ladder(decision: str) -> None:
    (problem,) = load(probe("one", 21, decision=decision)).problems
    assert "seconds" in problem.why or "action" in problem.why


@pytest.mark.parametrize(
    ("wrong", "why"),
    [
        ("weights: {fatal: 3}", "'fatal' is no severity"),
        ("weights: {high: -1}", "Expected `float` >= 0"),
        ("ladder: []", "at least one rung"),
        ("ladder: [{score: 0, seconds: 5}]", "above 0"),
        ("ladder: [{score: 5, seconds: 5}, {score: 5, seconds: 6}]", "rise"),
        ("ladder: [{score: 5}]", "not for how many seconds"),
        ("ladder: [{score: 5, action: warn, seconds: 3}]", "only warns"),
        ("ladder: [{score: 5, action: shoot}]", "shoot"),
        ("ladder: [{score: 5, seconds: 99999999}]", "604800"),
        ("half_life_seconds: 0", "half_life_seconds"),
    ],
)
def test_a_risk_rule_that_makes_no_sense_is_refused_with_the_reason(wrong: str, why: str) -> None:
    head, _, tail = RISK.partition("  half_life_seconds: 3600\n")
    rest = tail[tail.index("sakimori:") :]
    (problem,) = load({"risk/risk_escalated.yml": f"{head}  {wrong}\n{rest}"}).problems
    assert why in problem.why


def test_every_ladder_of_measures_ends() -> None:
    with pytest.raises(LadderError):
        check([Rung(1, "block", 0)])
    assert halved(8.0, 3600 * S, 3600) == 4.0
    assert halved(8.0, -5, 3600) == 8.0


scores = st.lists(st.floats(0, 500), min_size=2, max_size=30)


@given(scores)
def test_a_rung_is_entered_only_from_below(walk: list[float]) -> None:
    ladder = (Rung(10, "warn"), Rung(20, "block", 30), Rung(80, "block", 300))
    for before, after in pairwise(walk):
        rung = climbed(ladder, before, after)
        if rung is not None:
            assert before < rung.score <= after


@given(
    steps=st.lists(st.tuples(st.integers(0, 2000), st.sampled_from(["/one", "/two"]), st.integers(0, 1)), max_size=25),
    cuts=st.sets(st.integers(0, 25)),
)
@example(steps=[(gap, "/one", 0) for gap in (0, 1201, 2000, 2000, 2000)], cuts={1})
@example(steps=[(gap, "/one", 0) for gap in (0, 0, 0, 0, 250, 671, 692, 695, 2, 891, 2000, 2000)], cuts={1})
@settings(max_examples=40, deadline=None, phases=[Phase.explicit, Phase.generate])
def test_batch_boundaries_change_neither_risk_nor_measures(steps: list[tuple[int, str, int]], cuts: set[int]) -> None:
    files = {"risk/risk_escalated.yml": RISK, **probe("one", 21, decision=LADDER), **probe("two", 22)}
    engine, time, events = Run(files=files).engine, 0, []
    for gap, path, host in steps:
        time += gap
        events.append(request(time, path, f"203.0.113.{host}"))
    assert _told(played(engine, events, sorted(cuts))) == _told(played(engine, events, []))


def played(engine: Engine, events: Sequence[Event], cuts: Sequence[int]) -> list[Found]:
    state, found, start = MemoryState(), list[Found](), 0
    for number, end in enumerate([*cuts, len(events)]):
        found += asyncio.run(detect(engine, state, str(number), events[start:end], lambda event: event.time))
        start = max(start, end)
    return found


def _told(found: list[Found]) -> list[tuple[object, ...]]:
    """Tell of each finding what it was at last, and of those that opened which measure followed."""
    latest = {each.finding.id: each.finding for each in found}
    measures = {each.finding.id: each.measure for each in found if each.outcome.is_opened}
    return [
        (identity, each.count, each.first_seen_at, each.last_seen_at, measures[identity])
        for identity, each in sorted(latest.items())
    ]


@given(
    points=st.lists(st.tuples(st.integers(0, 50), st.sampled_from(["low", "medium", "high"])), max_size=12),
    shuffled=st.randoms(use_true_random=False),
)
@settings(max_examples=40, deadline=None, phases=[Phase.explicit, Phase.generate])
def test_in_whatever_order_findings_come_what_follows_is_the_same(
    points: list[tuple[int, str]], shuffled: random.Random
) -> None:
    events = [found_event(second, f"rule_{number}", level) for number, (second, level) in enumerate(points)]
    engine = Run(files={"risk/risk_escalated.yml": RISK}).engine
    mixed = shuffled.sample(events, len(events))
    assert _told(played(engine, mixed, range(len(mixed)))) == _told(played(engine, events, []))


async def test_a_lift_ends_a_block_at_once_and_old_logs_lift_nothing() -> None:
    run = Run("chat_high_risk")
    await run.feed(limited(0, "ann"), chat(40, "bob"), chat(50, "cid"))
    ((finding, outcome, _, measure, *_),) = await run.feed(chat(60, "bob"))
    assert measure is not None
    lift = decision_of(finding, measure, outcome, now=START + 70 * S, dry_run=False)
    assert lift is not None
    assert (lift.created_at, lift.expires_at) == ("2026-01-16T03:01:10.000Z", "2026-01-16T03:00:10.000Z")
    assert decision_of(finding, measure, outcome, now=START + 3660 * S, dry_run=False) is None
