"""Rules that refer to rules of other files, several in a file, and rules that are not ours."""

import pytest

from sakimori_common.contracts import Severity
from sakimori_detector.domain.cases import missing_cases
from sakimori_detector.domain.loading import RuleSet, load
from sakimori_detector.domain.rules import CorrelationRule, Detection, EventRule

FAILED = """
title: Failed login
name: failed_login
id: 5f0c2f0e-5ad5-4a4e-8e62-0b8f0a1d0001
status: test
level: low
logsource: {product: linux, service: sshd}
detection:
  failed: {event.outcome: failure}
  condition: failed
"""
GUESSING = """
title: Guessing
name: guessing
status: test
level: high
correlation:
  type: event_count
  rules: failed_login
  group-by: source.ip
  timespan: 5m
  condition: {gte: 5}
"""
GUESSED = """
title: Guessed
name: guessed
level: critical
correlation:
  type: temporal_ordered
  rules: [guessing, login]
  group-by: source.ip
  timespan: 10m
"""
LOGIN = FAILED.replace("failed_login", "login").replace("failure", "success").replace("0001", "0002")


def ids(loaded: RuleSet) -> list[str]:
    assert loaded.problems == ()
    return [rule.id for rule in loaded.rules]


def refused(files: dict[str, str]) -> list[tuple[str, str]]:
    return [(problem.path, problem.why) for problem in load(files).problems]


def test_a_correlation_may_refer_to_a_rule_of_another_file_whichever_is_read_first() -> None:
    for base, correlation in (("a.yml", "b.yml"), ("b.yml", "a.yml")):
        (rule,) = load({base: FAILED, correlation: GUESSING}).rules
        assert isinstance(rule, CorrelationRule)
        assert [each.reference for each in rule.bases] == ["failed_login"]
        assert isinstance(rule.bases[0].rule, Detection)


def test_a_base_may_be_referred_to_by_its_sigma_id() -> None:
    by_id = GUESSING.replace("rules: failed_login", "rules: 5F0C2F0E-5ad5-4a4e-8e62-0b8f0a1d0001")
    assert ids(load({"a.yml": FAILED, "b.yml": by_id})) == ["guessing"]


def test_correlations_build_on_correlations_and_only_the_last_yields() -> None:
    (rule,) = load({"a.yml": FAILED, "b.yml": GUESSING, "c.yml": GUESSED, "d.yml": LOGIN}).rules
    assert isinstance(rule, CorrelationRule)
    assert rule.id == "guessed"
    inner, login = (base.rule for base in rule.bases)
    assert isinstance(inner, CorrelationRule)
    assert isinstance(login, Detection)
    assert inner.id == "guessing"
    assert rule.datasets == ("openssh.auth",)


def test_with_generate_the_bases_yield_too() -> None:
    generating = GUESSING.replace("type: event_count", "type: event_count\n  generate: true")
    assert ids(load({"a.yml": FAILED, "b.yml": generating})) == ["failed_login", "guessing"]


def test_a_base_with_a_block_of_its_own_yields_whatever_refers_to_it() -> None:
    block = "sakimori: {entity: source.ip, confidence: 0.5, message: m, why: w, response: r}\n"
    assert ids(load({"failed_login.yml": FAILED + block, "b.yml": GUESSING})) == ["guessing", "failed_login"]


def test_a_circle_of_correlations_is_refused_in_both_files() -> None:
    one = GUESSING.replace("name: guessing", "name: one").replace("rules: failed_login", "rules: two")
    two = GUESSING.replace("name: guessing", "name: two").replace("rules: failed_login", "rules: one")
    found = refused({"one.yml": one, "two.yml": two, "fine.yml": FAILED})
    assert found[0] == ("one.yml", "the correlation refers to itself by way of 'one'")
    assert found[1][0] == "two.yml"


def test_a_correlation_of_itself_is_refused_with_its_line() -> None:
    (problem,) = load({"a.yml": GUESSING.replace("rules: failed_login", "rules: guessing")}).problems
    assert (problem.line, problem.why) == (8, "the correlation refers to itself by way of 'guessing'")


def test_a_chain_of_over_ten_correlations_is_refused() -> None:
    files = {"c0.yml": GUESSING.replace("name: guessing", "name: c0"), "base.yml": FAILED}
    for number in range(1, 13):
        text = GUESSING.replace("name: guessing", f"name: c{number}").replace("failed_login", f"c{number - 1}")
        files[f"c{number}.yml"] = text
    assert "over 10 correlations in a chain" in {why for _, why in refused(files)}


def test_what_refers_to_a_broken_file_is_refused_and_says_so() -> None:
    broken = FAILED.replace("condition: failed", "condition: nothing")
    assert refused({"a.yml": broken, "b.yml": GUESSING, "c.yml": GUESSED, "d.yml": LOGIN}) == [
        ("a.yml", "Detection 'nothing' not defined in detections"),
        ("b.yml", "the rule 'failed_login' is in a.yml, which is refused"),
        ("c.yml", "the rule 'guessing' is in b.yml, which is refused"),
    ]


def test_the_base_of_a_broken_correlation_does_not_start_to_yield() -> None:
    loaded = load({"a.yml": FAILED, "b.yml": GUESSING.replace("failed_login", "[failed_login, nobody]")})
    assert [problem.path for problem in loaded.problems] == ["b.yml"]
    assert loaded.rules == ()


def test_a_name_that_two_files_have_cannot_be_referred_to_but_in_its_own_file() -> None:
    other = FAILED.replace("0001", "0003")
    (found,) = refused({"a.yml": FAILED, "b.yml": other, "c.yml": GUESSING})
    assert found == ("c.yml", "several rules are named 'failed_login': a.yml, b.yml")
    own = GUESSING + "---" + other
    assert ids(load({"a.yml": FAILED, "c.yml": own})) == ["failed_login", "guessing"]


def test_a_file_may_hold_several_rules() -> None:
    loaded = load({"logins.yml": FAILED + "---" + LOGIN})
    assert ids(loaded) == ["failed_login", "login"]
    assert [rule.line for rule in loaded.rules] == [2, 12]


def test_a_rule_without_a_name_is_called_after_its_file_and_by_its_id_where_that_is_taken() -> None:
    nameless = FAILED.replace("name: failed_login\n", "")
    second = nameless.replace("5f0c2f0e", "77777777")
    third = nameless.replace("id: 5f0c2f0e-5ad5-4a4e-8e62-0b8f0a1d0001\n", "")
    assert ids(load({"a/x.yml": nameless, "b/x.yml": second, "c/x.yml": third})) == ["x", "x_77777777", "x_2"]


def test_the_names_of_our_own_rules_come_first() -> None:
    block = "sakimori: {entity: source.ip, confidence: 0.5, message: m, why: w, response: r}\n"
    loaded = load({"a/failed_login.yml": FAILED.replace("0001", "0003"), "b/failed_login.yml": FAILED + block})
    assert ids(loaded) == ["failed_login_5f0c2f0e", "failed_login"]


@pytest.mark.parametrize(
    ("logsource", "entity"),
    [
        ("{category: webserver}", "source.ip"),
        ("{category: proxy}", "source.ip"),
        ("{product: linux, service: sshd}", "source.ip"),
        ("{product: zeek, service: dns}", "source.ip"),
        ("{product: linux, service: auditd}", "host.name"),
        ("{category: process_creation, product: windows}", "host.name"),
        ("{product: aws, service: cloudtrail}", "user.name"),
        ("{category: application, product: kubernetes, service: audit}", "user.name"),
        ("{category: quantum_computer}", "host.name"),
    ],
)
def test_a_rule_that_is_not_ours_is_about_what_its_log_source_tells_most_of(logsource: str, entity: str) -> None:
    (rule,) = load({"a.yml": FAILED.replace("{product: linux, service: sshd}", logsource)}).rules
    assert rule.entity == entity


def test_a_correlation_that_is_not_ours_is_about_its_first_key() -> None:
    by_user = GUESSING.replace("group-by: source.ip", "group-by: [user.name, source.ip]")
    (rule,) = load({"a.yml": FAILED, "b.yml": by_user}).rules
    assert rule.entity == "user.name"


@pytest.mark.parametrize(
    ("status", "level", "confidence"),
    [
        ("stable", "high", 0.8),
        ("test", "high", 0.7),
        ("experimental", "low", 0.4),
        ("deprecated", "informational", 0.1),
    ],
)
def test_confidence_goes_by_status_and_level(status: str, level: str, confidence: float) -> None:
    text = FAILED.replace("status: test", f"status: {status}").replace("level: low", f"level: {level}")
    (rule,) = load({"a.yml": text}).rules
    assert rule.confidence == confidence


def test_a_rule_that_is_not_ours_keeps_what_it_says_of_itself_and_needs_no_cases() -> None:
    said = FAILED + "description: Somebody failed.\nauthor: Ada\nfalsepositives: [Typing errors]\nfields: [c-ip]\n"
    (rule,) = load({"a.yml": said}).rules
    assert isinstance(rule, EventRule)
    assert (rule.why, rule.author, rule.falsepositives) == ("Somebody failed.", "Ada", ("Typing errors",))
    assert (rule.severity, rule.message) == (Severity.LOW, "Failed login: {source.ip}")
    assert rule.details == {"c-ip": "c-ip", "rule_author": "=Ada"}
    assert rule.is_imported
    assert missing_cases(rule) == []
    assert rule.response


def test_a_rule_without_a_level_is_medium() -> None:
    (rule,) = load({"a.yml": FAILED.replace("level: low\n", "")}).rules
    assert rule.severity is Severity.MEDIUM


def test_a_log_source_that_nobody_has_loads_and_waits_for_its_events() -> None:
    (rule,) = load({"a.yml": FAILED.replace("service: sshd", "service: toaster")}).rules
    assert isinstance(rule, EventRule)
    assert rule.datasets == ()
    assert str(rule.detection.source) == "product: linux, service: toaster"


def test_key_fields_are_those_of_each_base_with_aliases_and_names_of_ecs() -> None:
    web = FAILED.replace("failed_login", "web").replace("{product: linux, service: sshd}", "{category: webserver}")
    both = GUESSING.replace("rules: failed_login", "rules: [failed_login, web]").replace("event_count", "temporal")
    both = both.replace("group-by: source.ip", "group-by: [ip]\n  aliases: {ip: {failed_login: source.ip, web: c-ip}}")
    (rule,) = load(
        {"a.yml": FAILED, "b.yml": web.replace("0001", "0004"), "c.yml": both.replace("{gte: 5}", "{gte: 2}")}
    ).rules
    assert isinstance(rule, CorrelationRule)
    assert [base.key_fields for base in rule.bases] == [("source.ip",), ("source.ip",)]
