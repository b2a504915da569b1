"""Sigma filters: what is left out of rules of others without touching their files."""

import pytest

from sakimori_common.contracts import Event
from sakimori_detector.domain.loading import RuleSet, load
from sakimori_detector.offline import OfflineDetector

RULE = """
title: Whoami
id: 5f0c2f0e-5ad5-4a4e-8e62-0b8f0a1d0001
name: whoami
level: low
logsource: {category: process_creation, product: windows}
detection:
  sel: {Image|endswith: whoami.exe}
  condition: sel
"""
FILTER = """
title: The administrators' own
logsource: {category: process_creation, product: windows}
filter:
  rules: [whoami]
  admin_account: {User|startswith: adm_}
  condition: not admin_account
"""


def found(loaded: RuleSet, user: str) -> int:
    detector = OfflineDetector(loaded.rules, loaded.world)
    event = Event("e", 1_768_528_800_000_000, "windows.sysmon", {"EventID": 1, "Image": "C:\\whoami.exe", "User": user})
    return len(detector.feed([event]))


@pytest.mark.parametrize(
    "rules", ["[whoami]", "whoami", "any", "[]", "5F0C2F0E-5ad5-4a4e-8e62-0b8f0a1d0001", "[Whoami, other]"]
)
def test_a_filter_takes_out_what_it_says_of_the_rules_it_names(rules: str) -> None:
    loaded = load({"rule.yml": RULE, "filter.yml": FILTER.replace("[whoami]", rules)})
    assert loaded.problems == ()
    assert [rule.id for rule in loaded.rules] == ["whoami"]
    assert found(loaded, "adm_ada") == 0
    assert found(loaded, "eve") == 1


@pytest.mark.parametrize(
    ("old", "new"),
    [("[whoami]", "[other]"), ("product: windows", "product: linux"), ("process_creation", "file_event")],
)
def test_a_filter_of_other_rules_or_log_sources_changes_nothing(old: str, new: str) -> None:
    loaded = load({"rule.yml": RULE, "filter.yml": FILTER.replace(old, new)})
    assert loaded.problems == ()
    assert found(loaded, "adm_ada") == 1


def test_a_filter_of_a_whole_product_covers_its_categories() -> None:
    loaded = load({"rule.yml": RULE, "filter.yml": FILTER.replace("category: process_creation, ", "")})
    assert found(loaded, "adm_ada") == 0


@pytest.mark.parametrize(
    ("old", "new", "why"),
    [
        ("rules: [whoami]", "rule: [whoami]", "names or ids of rules"),
        ("rules: [whoami]", "rules: [5]", "names or ids of rules"),
        ("condition: not admin_account", "condition: not nobody", "'nobody' not defined"),
        ("  condition: not admin_account\n", "", "at least one condition"),
        ("{User|startswith: adm_}", "{User|nothing: adm_}", "Unknown modifier"),
    ],
)
def test_a_broken_filter_is_refused_and_the_rule_goes_on_without_it(old: str, new: str, why: str) -> None:
    loaded = load({"rule.yml": RULE, "filter.yml": FILTER.replace(old, new)})
    (problem,) = loaded.problems
    assert why in problem.why
    assert problem.path == "filter.yml"
    assert found(loaded, "adm_ada") == 1
