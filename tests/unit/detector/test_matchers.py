"""Which rules an event meets depends on its dataset, known or not; where they stand in a batch does not matter."""

from typing import Any

from sakimori_common.contracts import Event
from sakimori_detector.domain import matchers
from sakimori_detector.domain.counting import plan
from sakimori_detector.domain.loading import load
from sakimori_detector.domain.matchers import Matchers

RULE = """
title: T
name: {name}
status: test
level: low
logsource: {{category: {category}}}
detection: {{sel: {{url.path|contains: admin}}, condition: sel}}
sakimori: {{entity: source.ip, confidence: 0.5, message: m, why: w, response: r}}
"""


def new_matchers() -> Matchers:
    files = {f"{name}.yml": RULE.format(name=name, category=name) for name in ("webserver", "dns")}
    return Matchers(plan(load(files).rules).conditions)


def event(dataset: str, number: int = 0, category: Any = None) -> Event:
    return Event(
        f"e{number}", 1_768_528_800_000_000 + number, dataset, {"url.path": "/admin", "event.category": category}
    )


def met(matchers: Matchers, *events: Event) -> list[tuple[int, str]]:
    return [(place, counted.window.rule_id) for place, counted in matchers.met(events)]


def test_signs_come_in_the_order_of_the_batch_whatever_the_dataset() -> None:
    events = [event(dataset, n) for n, dataset in enumerate(["network.dns", "nginx.access", "network.flow"] * 2)]
    assert met(new_matchers(), *events) == [(0, "dns"), (1, "webserver"), (3, "dns"), (4, "webserver")]


def test_a_dataset_that_nobody_knows_is_placed_by_its_name_and_category() -> None:
    found = new_matchers()
    assert met(found, event("caddy.log", category="web")) == [(0, "webserver")]
    assert met(found, event("caddy.log", category="file")) == []
    assert met(found, event("some.dns")) == [(0, "dns")]
    assert met(found, event("some.thing", category=7)) == []


def test_names_of_datasets_without_end_take_no_memory_without_end() -> None:
    found = new_matchers()
    for number in range(matchers.MAX_REMEMBERED + 50):
        assert met(found, event(f"x{number}.dns")) == [(0, "dns")]
    assert len(found._by_kind) == matchers.MAX_REMEMBERED
    assert len(found._made) == 1
