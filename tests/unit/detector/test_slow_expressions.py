"""Expressions that RE2 cannot run: what is refused, what is bounded, and what happens when one gives up."""

import json

import pytest

from sakimori_common.contracts import Event
from sakimori_detector.domain.rules import EventRule
from sakimori_detector.sigma import backtracking
from sakimori_detector.sigma.backtracking import MAX_CHARACTERS, MAX_TIMEOUTS, Backtracker, GivenUp
from sakimori_detector.sigma.matcher import Matcher
from sigma_detection import is_met, item, loaded, why_refused


@pytest.mark.parametrize(
    "expression",
    ["^(?!x)(a+)+$", "(?!x)(a|aa)+$", "(?=a)(a|a?)+$", "(?<!x)(x+x+)+y", r"(a+)\1+b", "(?=a)(.*a){12}b"],
)
def test_a_catastrophic_expression_is_refused_when_it_is_loaded(expression: str) -> None:
    why, line = why_refused(item(f"f|re: '{expression}'"))
    assert "takes too long on" in why
    assert line == 10


@pytest.mark.parametrize(
    "expression",
    [
        "((a{1000}){1000}){1000}",
        "(?:ab){99999999}",
        r"(?<!x)(?:(?:a|b){2000}c){2000}",
        "(?#[)((a{999}){999}){999}(?!])",
    ],
)
def test_repeats_that_would_fill_the_memory_are_refused_when_they_are_loaded(expression: str) -> None:
    why, _ = why_refused(item(f"f|re: '{expression}'"))
    assert "parts, with its repeats written out" in why


def test_many_counted_repeats_one_after_the_other_are_no_reason_to_refuse() -> None:
    digest = r"(?<!x)[a-f0-9]{64}-[a-f0-9]{64}-[a-f0-9]{64}(?!y)"
    assert is_met(item(f"f|re: '{digest}'"), {"f": "-".join(["0f" * 32] * 3)})


@pytest.mark.parametrize("expression", ["^(a+)+$", "(a|aa)+$", "(x+x+)+y", "(.*a){12}b"])
def test_what_re2_can_run_is_linear_and_loads(expression: str) -> None:
    assert not is_met(item(f"f|re: '{expression}'"), {"f": "a" * 65_536 + "!"})


@pytest.mark.parametrize(
    "expression", ["^(?!.*(?:foo|bar)).*baz", r"(?<=id=)\d+(?!\d)", r"(['\"])admin\1", "(?>ab|a)c"]
)
def test_a_harmless_one_loads_and_reads_64_kb(expression: str) -> None:
    assert not is_met(item(f"f|re: {json.dumps(expression)}"), {"f": "id= ba'adm " * 6_000})


@pytest.mark.parametrize(
    ("expression", "value", "other"),
    [(r"end\Z", "the end", "ending"), (r"\u0041+$", "xAA", "xBB"), ("(?#ab)c", "c", "ab")],
)
def test_what_else_re2_does_not_know_runs_too(expression: str, value: str, other: str) -> None:
    assert is_met(item(f"f|re: '{expression}'"), {"f": value})
    assert not is_met(item(f"f|re: '{expression}'"), {"f": other})


def test_a_search_that_takes_too_long_gives_up_and_the_tenth_is_the_last() -> None:
    slow = Backtracker("^(?!x)(a+)+$")  # not probed, as one that only strange texts make slow
    text = "a" * (MAX_CHARACTERS - 1) + "!"
    for _ in range(MAX_TIMEOUTS):
        assert not slow.is_switched_off
        with pytest.raises(GivenUp):
            slow.find(text)
    assert slow.is_switched_off
    with pytest.raises(GivenUp):
        slow.find("a")


def test_beyond_64_kb_nothing_is_searched() -> None:
    finder = Backtracker("needle(?!s)")
    assert finder.find("-" * (MAX_CHARACTERS - 6) + "needle") == "needle"
    assert finder.find("-" * MAX_CHARACTERS + "needle") is None


@pytest.mark.parametrize("condition", ["sel and bad", "sel and not bad"])
def test_a_condition_without_an_answer_holds_neither_way(condition: str) -> None:
    rules = loaded(f"sel: {{g: x}}\nbad: {{f|re: '(?<=b)a.*z{len(condition)}'}}\ncondition: {condition}")
    (rule,) = rules.rules
    assert isinstance(rule, EventRule)
    matcher = Matcher([(rule.detection.condition, "t")])
    events = [Event("e", 0, "nginx.access", {"g": "x", "f": f"ba z{len(condition)}" * ("not" not in condition)})]
    assert matcher.met(events) == [(0, "t")]
    backtracking.backtracker(f"(?<=b)a.*z{len(condition)}").timeouts = MAX_TIMEOUTS
    assert matcher.met(events) == []


def test_what_is_switched_off_is_told() -> None:
    known = backtracking.backtracker("told(?=.)")
    assert "told(?=.)" not in backtracking.switched_off()
    known.timeouts = MAX_TIMEOUTS
    assert "told(?=.)" in backtracking.switched_off()
