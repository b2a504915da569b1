"""Every kind of correlation: what fires, and what misses by one second or one value."""

from typing import Any

import pytest

from sakimori_common.contracts import Event, FieldValue, Finding
from sakimori_common.instants import parse_instant
from sakimori_detector.domain.analytics import World
from sakimori_detector.domain.loading import load
from sakimori_detector.offline import Latest, OfflineDetector

S = 1_000_000
START = parse_instant("2026-01-16T02:00:00Z")

BASE = """
title: {name}
name: {name}
status: test
logsource: {{category: authentication, service: sshd}}
detection:
  selection: {{event.action: {name}}}
  condition: selection
---
"""
BLOCK = """
sakimori:
  entity: {entity}
  confidence: 0.5
  message: "{{@observed}} seen"
  why: It adds up.
  response: Look.
"""


def rule(correlation: str, *bases: str, entity: str = "source.ip") -> str:
    """A file of a correlation and base rules, each for the events whose action is its name."""
    text = "".join(BASE.format(name=base) for base in bases)
    return (
        f"{text}title: It adds up\nname: correlated\nstatus: test\nlevel: high\ncorrelation: {correlation}"
        + BLOCK.format(entity=entity)
    )


def event(seconds: float, action: str = "login", **fields: Any) -> Event:
    values: dict[str, FieldValue] = {"event.action": action, "source.ip": "203.0.113.42"}
    values |= {name.replace("__", "."): value for name, value in fields.items()}
    time = START + round(seconds * S)
    return Event(f"{action}-{seconds}-{sorted(fields.items())}", time, "openssh.auth", values)


def findings(text: str, *events: Event, cut: int = 1000) -> list[Finding]:
    loaded = load({"auth/correlated.yml": text})
    assert not loaded.problems, loaded.problems
    detector, latest = OfflineDetector(loaded.rules, World()), Latest()
    for at in range(0, len(events), cut):
        latest.add(detector.feed(events[at : at + cut]))
    latest.add(detector.finish())
    return latest.all()


COUNT = "{type: event_count, rules: [login], group-by: [source.ip], timespan: 10s, condition: {%s}}"


@pytest.mark.parametrize(
    ("condition", "counts"),
    [
        ("gte: 3", {3, 4, 5, 9}),
        ("gt: 3", {4, 5, 9}),
        ("lt: 3", {1, 2}),
        ("lte: 3", {1, 2, 3}),
        ("eq: 3", {3}),
        ("neq: 3", {1, 2, 4, 5, 9}),
        ("gte: 3, lte: 5", {3, 4, 5}),
        ("gt: 3, lt: 9", {4, 5}),
    ],
)
def test_each_condition_of_an_event_count(condition: str, counts: set[int]) -> None:
    for count in (1, 2, 3, 4, 5, 9):
        found = findings(rule(COUNT % condition, "login"), *(event(number) for number in range(count)))
        assert (len(found) == 1) is (count in counts), f"{count} events"
        if found:
            assert (found[0].count, found[0].evidence.observed) == (count, count)


def test_what_must_stay_below_is_judged_when_the_window_is_over() -> None:
    few = rule(COUNT % "lt: 3", "login")
    assert len(findings(few, event(0), event(10))) == 1
    assert len(findings(few, event(0), event(5), event(10))) == 0
    assert len(findings(few, event(0), event(5), event(10.001))) == 2, "two windows: of two events, and of one"


USERS = "{type: value_count, rules: [login], group-by: [source.ip], timespan: 10s, condition: {field: %s, %s}}"


def test_distinct_values_are_counted_and_repeats_are_not() -> None:
    text = rule(USERS % ("user.name", "gte: 3"), "login")
    logins = [event(second, user__name=name) for second, name in enumerate(["ann", "bob", "ann", "bob"])]
    assert findings(text, *logins) == []
    (found,) = findings(text, *logins, event(9, user__name="eve"))
    assert (found.count, found.evidence.observed, found.evidence.threshold) == (3, 3, 3)


def test_distinct_values_a_second_too_far_apart_are_none() -> None:
    text = rule(USERS % ("user.name", "gte: 3"), "login")
    late = [event(0, user__name="ann"), event(5, user__name="bob"), event(11, user__name="eve")]
    assert findings(text, *late) == []


def test_several_fields_are_counted_as_combinations() -> None:
    text = rule(USERS % ("[user.name, host.name]", "gte: 3"), "login")
    pairs = [("ann", "a"), ("ann", "b"), ("bob", "a")]
    logins = [event(second, user__name=user, host__name=host) for second, (user, host) in enumerate(pairs)]
    assert len(findings(text, *logins)) == 1
    assert findings(text, *logins[:2], event(3, user__name="ann", host__name="a")) == []


def test_an_upper_bound_of_distinct_values() -> None:
    text = rule(USERS % ("user.name", "eq: 2"), "login")
    logins = [event(second, user__name=name) for second, name in enumerate(["ann", "bob", "ann"])]
    assert [found.evidence.observed for found in findings(text, *logins)] == [2]
    assert findings(text, *logins, event(4, user__name="eve")) == []


AMOUNT = "{type: %s, rules: [login], group-by: [source.ip], timespan: 10s, condition: {field: source.bytes, %s}}"


@pytest.mark.parametrize(
    ("kind", "condition", "amounts", "observed"),
    [
        ("value_sum", "gte: 60", [10, 20, 30], 60),
        ("value_sum", "gt: 60", [10, 20, 30], None),
        ("value_sum", "gte: 61", [10, 20, 30], None),
        ("value_sum", "lt: 61", [10, 20, 30], 60),
        ("value_sum", "lt: 60", [10, 20, 30], None),
        ("value_sum", "gte: 0.5", ["0.25", "0.25"], 0.5),
        ("value_avg", "gte: 20", [10, 20, 30], 20),
        ("value_avg", "gt: 20", [10, 20, 30], None),
        ("value_avg", "gte: 100", [150, 10, 10], None),
        ("value_avg", "lt: 21", [10, 20, 30], 20),
        ("value_median", "gte: 20", [10, 20, 900], 20),
        ("value_median", "gt: 20", [10, 20, 900], None),
        ("value_median", "eq: 15", [10, 20], 15),
        ("value_percentile", "percentile: 90, gte: 91", list(range(1, 102)), 91),
        ("value_percentile", "percentile: 90, gt: 91", list(range(1, 102)), None),
        ("value_percentile", "percentile: 25, lte: 1.75", [1, 2, 3, 4], 1.75),
        ("value_percentile", "percentile: 25, lt: 1.75", [1, 2, 3, 4], None),
    ],
)
def test_values_are_added_up(kind: str, condition: str, amounts: list[Any], observed: float | None) -> None:
    events = [event(number / 100, source__bytes=amount) for number, amount in enumerate(amounts)]
    found = findings(rule(AMOUNT % (kind, condition), "login"), *events)
    assert [each.evidence.observed for each in found] == ([] if observed is None else [observed])


def test_what_is_no_number_does_not_count_for_a_sum() -> None:
    text = rule(AMOUNT % ("value_sum", "gte: 10"), "login")
    assert (
        findings(
            text, event(0, source__bytes="many"), event(1), event(2, source__bytes=9), event(3, source__bytes="nan")
        )
        == []
    )
    assert len(findings(text, event(0, source__bytes="1"), event(2, source__bytes=9))) == 1


def test_a_sum_a_second_too_far_apart_is_none() -> None:
    text = rule(AMOUNT % ("value_sum", "gte: 10"), "login")
    assert findings(text, event(0, source__bytes=5), event(11, source__bytes=5)) == []


TOGETHER = "{type: %s, rules: [one, two, three], group-by: [source.ip], timespan: 10s%s}"


def test_all_rules_in_any_order_are_temporal() -> None:
    text = rule(TOGETHER % ("temporal", ""), "one", "two", "three")
    (found,) = findings(text, event(0, "three"), event(4, "one"), event(10, "two"))
    assert (found.evidence.observed, found.evidence.threshold) == (3, 3)
    assert {name: seen.count for name, seen in found.evidence.rules.items()} == {"one": 1, "two": 1, "three": 1}
    assert found.evidence.rules["two"].event_id == event(10, "two").id
    assert findings(text, event(0, "three"), event(4, "one"), event(10.001, "two")) == []
    assert findings(text, event(0, "three"), event(4, "one"), event(5, "one")) == []


def test_some_rules_are_enough_where_the_condition_says_so() -> None:
    text = rule(TOGETHER % ("temporal", ", condition: {gte: 2}"), "one", "two", "three")
    assert len(findings(text, event(0, "three"), event(4, "one"))) == 1
    assert findings(text, event(0, "three"), event(4, "three")) == []


def test_the_order_counts_where_it_is_asked_for() -> None:
    text = rule(TOGETHER % ("temporal_ordered", ""), "one", "two", "three")
    assert len(findings(text, event(0, "one"), event(4, "two"), event(10, "three"))) == 1
    assert len(findings(text, event(0, "one"), event(1, "three"), event(4, "two"), event(10, "three"))) == 1
    assert findings(text, event(0, "two"), event(4, "one"), event(10, "three")) == []
    assert findings(text, event(0, "one"), event(4, "two"), event(10.001, "three")) == []


def test_rules_seen_in_the_same_instant_are_in_order() -> None:
    text = rule(TOGETHER % ("temporal_ordered", ""), "one", "two", "three")
    assert len(findings(text, event(1, "three"), event(1, "two"), event(1, "one"))) == 1


EXPRESSION = "{type: %s, group-by: [source.ip], timespan: 10s, condition: %s}"


def test_an_expression_without_not_fires_at_once() -> None:
    text = rule(EXPRESSION % ("temporal", "one and (two or three)"), "one", "two", "three")
    assert len(findings(text, event(0, "three"), event(4, "one"))) == 1
    assert findings(text, event(0, "three"), event(4, "two")) == []


def test_an_expression_with_not_waits_for_the_end_of_the_window() -> None:
    text = rule(EXPRESSION % ("temporal", "one and not two"), "one", "two")
    assert len(findings(text, event(0, "one"), event(10.5, "two"))) == 1
    assert findings(text, event(0, "one"), event(9, "two")) == []
    assert findings(text, event(0, "two")) == []


def test_an_ordered_expression() -> None:
    text = rule(EXPRESSION % ("temporal_ordered", "one and two"), "one", "two")
    assert len(findings(text, event(0, "one"), event(1, "two"))) == 1
    assert findings(text, event(0, "two"), event(1, "one")) == []


def test_an_event_that_two_rules_meet_counts_once() -> None:
    text = rule(COUNT.replace("[login]", "[login, again]") % "gte: 2", "login").replace(
        "title: It adds up",
        BASE.format(name="again").replace("event.action: again", "event.action: login").lstrip() + "title: It adds up",
    )
    assert findings(text, event(0)) == []
    assert len(findings(text, event(0), event(1))) == 1


def test_an_alias_is_a_field_of_its_own_in_each_rule() -> None:
    text = rule(
        "{type: temporal, rules: [inside, outside], group-by: [address], timespan: 10s, "
        "aliases: {address: {inside: source.ip, outside: destination.ip}}}",
        "inside",
        "outside",
        entity="address",
    )
    meeting = event(1, "outside", source__ip="198.51.100.1", destination__ip="203.0.113.42")
    (found,) = findings(text, event(0, "inside"), meeting)
    assert found.entity == "203.0.113.42"
    assert findings(text, event(0, "inside"), event(1, "outside", destination__ip="203.0.113.43")) == []


def test_without_group_by_all_events_are_one_group() -> None:
    text = rule("{type: event_count, rules: [login], timespan: 10s, condition: {gte: 3}}", "login")
    spread = [event(number, source__ip=f"203.0.113.{number}") for number in range(3)]
    (found,) = findings(text, *spread)
    assert (found.count, found.entity) == (3, "203.0.113.2")


def test_events_without_the_field_of_group_by_do_not_count() -> None:
    without = [event(number, source__ip=None) for number in range(5)]
    assert findings(rule(COUNT % "gte: 3", "login"), *without) == []


INNER = """
title: Many failures
name: many_failures
status: test
correlation: {type: event_count, rules: [failure], group-by: [source.ip, user.name], timespan: 10s, condition: {gte: 3}}
---
"""


def chain() -> str:
    outer = "{type: temporal_ordered, rules: [many_failures, success], group-by: [user.name], timespan: 60s}"
    bases = BASE.format(name="failure") + INNER.lstrip() + BASE.format(name="success").lstrip()
    return bases + rule(outer, entity="user.name")


@pytest.mark.parametrize("cut", [1, 2, 3, 1000])
def test_a_correlation_counts_the_findings_of_another(cut: int) -> None:
    failures = [event(second, "failure", user__name="ann") for second in (0, 1, 2, 3)]
    success = event(50, "success", user__name="ann", source__ip="198.51.100.1")
    (found,) = findings(chain(), *failures, success, cut=cut)
    assert (found.entity, found.count) == ("ann", 2)
    assert (found.first_seen_at, found.last_seen_at) == ("2026-01-16T02:00:02.000Z", "2026-01-16T02:00:50.000Z")


@pytest.mark.parametrize("cut", [1, 3, 1000])
def test_a_chain_misses_by_a_failure_an_order_a_second_or_a_name(cut: int) -> None:
    failures = [event(second, "failure", user__name="ann") for second in (0, 1, 2)]
    success = event(50, "success", user__name="ann")
    assert findings(chain(), *failures[:2], success, cut=cut) == []
    assert (
        findings(chain(), success, *(event(second, "failure", user__name="ann") for second in (51, 52, 53)), cut=cut)
        == []
    )
    assert findings(chain(), *failures, event(62.5, "success", user__name="ann"), cut=cut) == []
    assert findings(chain(), *failures, event(50, "success", user__name="bob"), cut=cut) == []


def test_a_chain_over_what_is_judged_when_it_is_over() -> None:
    inner = INNER.replace("gte: 3", "eq: 3")
    outer = "{type: temporal_ordered, rules: [many_failures, success], group-by: [user.name], timespan: 60s}"
    text = (
        BASE.format(name="failure")
        + inner.lstrip()
        + BASE.format(name="success").lstrip()
        + rule(outer, entity="user.name")
    )
    failures = [event(second, "failure", user__name="ann") for second in (0, 1, 2)]
    success = event(50, "success", user__name="ann")
    for cut in (1, 2, 1000):
        assert len(findings(text, *failures, success, cut=cut)) == 1
        assert findings(text, *failures, event(3, "failure", user__name="ann"), success, cut=cut) == []


def test_batches_may_be_cut_anywhere_for_windows_that_are_judged() -> None:
    text = rule(COUNT % "gte: 2, lte: 3", "login")
    events = [event(second) for second in (0, 4, 8, 20, 21, 22, 23, 40, 200, 201, 300)]
    expected = findings(text, *events)
    assert [each.count for each in expected] == [3, 2]
    for cut in (1, 2, 3, 5):
        assert findings(text, *events, cut=cut) == expected


def test_batches_may_be_cut_anywhere_for_windows_that_slide() -> None:
    text = rule(COUNT % "gte: 3", "login")
    events = [event(number) for number in range(5)]
    assert findings(text, *events) == findings(text, *events, cut=2)
