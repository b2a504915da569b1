"""What is masked changes no finding: attacks stay readable for rules."""

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import pytest

from sakimori_collector.domain.privacy import Masker
from sakimori_common.contracts import Event
from sakimori_detector.domain.cases import events_of
from sakimori_detector.domain.loading import RuleSet
from sakimori_detector.domain.rules import Case, Rule
from sakimori_detector.offline import Latest, OfflineDetector, load_folder
from sakimori_detector.offline import _world_of as world_of

RULES = Path(__file__).resolve().parents[3] / "rules"
MASKER = Masker()


@pytest.fixture(scope="module")
def loaded() -> RuleSet:
    found = load_folder(RULES, "Asia/Tokyo")
    assert found.problems == ()
    return found


def masked(events: Sequence[Event]) -> list[Event]:
    copies = [Event(event.id, event.time, event.dataset, dict(event.fields)) for event in events]
    MASKER.change(copies)
    return copies


def findings(rule: Rule, case: Case, loaded: RuleSet, events: Sequence[Event]) -> list[tuple[Any, ...]]:
    detector, latest = OfflineDetector([rule], world_of(case, loaded.world)), Latest()
    latest.add(detector.feed(events))
    latest.add(detector.finish())
    return [(it.id, it.rule_id, it.entity, it.severity, it.count, it.first_seen_at) for it in latest.all()]


def test_masking_the_events_of_all_cases_of_all_rules_changes_no_finding(loaded: RuleSet) -> None:
    cases = [(rule, case) for rule in loaded.rules for case in rule.cases]
    changed, differing = 0, []
    for rule, case in cases:
        events = events_of(case)
        after = masked(events)
        if after == events:
            continue
        changed += 1
        if findings(rule, case, loaded, events) != findings(rule, case, loaded, after):
            differing.append((rule.id, case.name, [e.fields for e in events[:1]], [e.fields for e in after[:1]]))
    assert differing == []
    assert len(cases) > 400
    assert changed > 0, "no case holds anything that is masked: this shows nothing"
