"""What a correlation may say, and what is refused with its reason."""

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from sakimori_detector.sigma.compiling import Unsupported
from sakimori_detector.sigma.correlations import Bound, correlation_of

COUNT: dict[str, Any] = {"type": "event_count", "rules": ["a"], "timespan": "5m", "condition": {"gte": 5}}


def made(**changes: Any) -> dict[str, Any]:
    return {name: part for name, part in {**COUNT, **changes}.items() if part is not None}


def test_a_correlation_is_read() -> None:
    found = correlation_of(made(**{"group-by": ["source.ip", "user.name"], "generate": True}))
    assert (found.kind, found.references, found.timespan_seconds) == ("event_count", ("a",), 300)
    assert (found.group_by, found.bounds, found.generate) == (("source.ip", "user.name"), (Bound("gte", 5),), True)


def test_one_name_does_for_a_list() -> None:
    found = correlation_of(made(rules="a", **{"group-by": "source.ip"}))
    assert (found.references, found.group_by) == (("a",), ("source.ip",))


@pytest.mark.parametrize(
    ("written", "seconds"), [("1s", 1), ("90m", 5400), ("12h", 43_200), ("7d", 604_800), ("2w", 1_209_600)]
)
def test_timespans(written: str, seconds: int) -> None:
    assert correlation_of(made(timespan=written)).timespan_seconds == seconds


def test_a_range_has_both_its_bounds() -> None:
    found = correlation_of(made(condition={"gt": 100, "lte": 200}))
    assert (set(found.bounds), found.is_known_early) == ({Bound("gt", 100), Bound("lte", 200)}, False)


@pytest.mark.parametrize(
    ("condition", "threshold"), [({"gte": 5}, 5), ({"gt": 5}, 6), ({"gte": 4.5}, 5), ({"gt": 4.5}, 5), ({"eq": 3}, 3)]
)
def test_the_count_that_is_enough(condition: dict[str, Any], threshold: int) -> None:
    assert correlation_of(made(condition=condition)).threshold == threshold


def test_a_temporal_correlation_wants_all_its_rules_unless_it_says_otherwise() -> None:
    rules = {"type": "temporal", "rules": ["a", "b", "c"]}
    assert correlation_of(made(**rules, condition=None)).ways() == ((0, 1, 2),)
    assert correlation_of(made(**rules, condition={"gte": 2})).ways() == ((0, 1), (0, 2), (1, 2))


def test_an_expression_names_its_rules_and_its_ways() -> None:
    found = correlation_of(made(type="temporal", rules=None, condition="(a or b) and c or a and c and d"))
    assert found.references == ("a", "b", "c", "d")
    assert found.ways() == ((0, 2), (1, 2)), "what needs more than another way is not looked for"
    assert (found.is_known_early, found.text) == (True, "temporal ((a or b) and c) or (a and c and d) within 300 s")
    assert not correlation_of(made(type="temporal", rules=["a", "b"], condition="a and not b")).is_known_early


def test_the_longer_names_of_expressions_are_known() -> None:
    found = correlation_of(made(type="temporal_ordered_extended", rules=["b", "a"], condition="a and b"))
    assert (found.kind, found.references) == ("temporal_ordered", ("b", "a"))


def test_an_alias_means_another_field_in_each_rule() -> None:
    found = correlation_of(made(aliases={"address": {"a": "source.ip"}}, **{"group-by": ["address"]}))
    assert found.key_field("address", "a") == "source.ip"
    assert found.key_field("user.name", "a") == "user.name"


@pytest.mark.parametrize(
    ("changes", "why"),
    [
        ({"type": "value_mode"}, "value_mode"),
        ({"type": None}, "type"),
        ({"rules": None}, "rules"),
        ({"rules": [1]}, "rules"),
        ({"rules": [f"r{number}" for number in range(33)]}, "1 to 32"),
        ({"timespan": "5x"}, "'5x'"),
        ({"timespan": "0s"}, "'0s'"),
        ({"timespan": 300}, "'300'"),
        ({"timespan": "1y"}, "at most 31d"),
        ({"group-by": {"a": 1}}, "group-by"),
        ({"generate": "yes"}, "generate"),
        ({"condition": None}, "condition"),
        ({"condition": "a and b"}, "temporal"),
        ({"condition": {}}, "missing"),
        ({"condition": {"gte": "many"}}, "'many'"),
        ({"condition": {"gte": True}}, "'True'"),
        ({"condition": {"gte": float("inf")}}, "number"),
        ({"condition": {"gte": 5, "between": 6}}, "'between'"),
        ({"condition": {"gte": 10_001}}, "10000"),
        ({"condition": {"lt": 1}}, "never"),
        ({"condition": {"eq": 0}}, "never"),
        ({"condition": {"gte": 5, "lt": 5}}, "never"),
        ({"condition": {"gte": 5, "field": "user.name"}}, "field"),
        ({"type": "value_count"}, "needs a field"),
        ({"type": "value_sum", "condition": {"gte": 1, "field": ["a", "b"]}}, "one field"),
        ({"type": "value_percentile", "condition": {"gte": 1, "field": "a"}}, "percentile"),
        ({"type": "value_percentile", "condition": {"gte": 1, "field": "a", "percentile": 101}}, "'101'"),
        ({"type": "value_sum", "condition": {"gte": 1, "field": "a", "percentile": 50}}, "percentile"),
        ({"type": "temporal", "condition": {"gte": 2}}, "never"),
        ({"type": "temporal", "condition": "a and"}, "expression"),
        ({"type": "temporal", "condition": "a and b"}, "'b'"),
        ({"type": "temporal", "condition": "a and (" * 500}, "2000"),
        ({"type": "temporal_extended", "condition": None}, "text"),
        ({"aliases": ["a"]}, "aliases"),
        ({"aliases": {"x": {"b": "source.ip"}}}, "'b'"),
        ({"window": "1h"}, "'window'"),
    ],
)
def test_what_makes_no_sense_is_refused_with_its_reason(changes: dict[str, Any], why: str) -> None:
    with pytest.raises(Unsupported) as refused:
        correlation_of(made(**changes))
    assert why in str(refused.value)


def test_an_expression_that_comes_true_in_too_many_ways_is_refused() -> None:
    rules = [f"r{number}" for number in range(24)]
    pairs = " and ".join(f"({one} or {other})" for one, other in zip(rules[::2], rules[1::2], strict=True))
    with pytest.raises(Unsupported, match="over 128 ways"):
        correlation_of(made(type="temporal", rules=None, condition=pairs))
    with pytest.raises(Unsupported, match="over 128 ways"):
        correlation_of(made(type="temporal", rules=rules[:12], condition={"gte": 6}))


@given(
    st.recursive(
        st.none() | st.booleans() | st.integers() | st.text(), lambda x: st.lists(x) | st.dictionaries(st.text(), x)
    )
)
def test_anything_is_read_or_refused(part: Any) -> None:
    for name in COUNT.keys() | {"aliases", "group-by"}:
        try:
            correlation_of({**COUNT, name: part})
        except Unsupported:
            continue
