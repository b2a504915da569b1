"""Every rule of the project loads and does what its cases say."""

from pathlib import Path

import pytest

from sakimori_detector.domain.cases import missing_cases
from sakimori_detector.domain.rules import Case, Rule
from sakimori_detector.offline import load_folder, play

LOADED = load_folder(Path(__file__).resolve().parents[3] / "rules", "Asia/Tokyo")
CASES = [(rule, case) for rule in LOADED.rules for case in rule.cases]


def test_every_file_loads() -> None:
    assert [str(problem) for problem in LOADED.problems] == []


def test_every_rule_has_a_case_that_fires_and_a_near_miss() -> None:
    assert [str(problem) for rule in LOADED.rules for problem in missing_cases(rule)] == []


@pytest.mark.parametrize(("rule", "case"), CASES, ids=[f"{rule.id}: {case.name}" for rule, case in CASES])
def test_a_case_goes_as_it_says(rule: Rule, case: Case) -> None:
    assert play(rule, case, LOADED.world).why == ""
