"""The index lets no condition slip: events meet the same as when every condition is asked about every one of them."""

import ipaddress
import re
import sys
from collections.abc import Sequence
from typing import Any

import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st
from sigma.types import SigmaCasedString, SigmaString

from sakimori_common.contracts import Event
from sakimori_detector.sigma import wildcards
from sakimori_detector.sigma.conditions import (
    All,
    AnyOf,
    Compares,
    Condition,
    Exact,
    Exists,
    Fits,
    InNetwork,
    Matches,
    Not,
    SameAs,
)
from sakimori_detector.sigma.events import fold
from sakimori_detector.sigma.index import EventIndex
from sakimori_detector.sigma.literals import BREAK, required
from sakimori_detector.sigma.matcher import FIRST_PLAN_EVENTS, Matcher
from sakimori_detector.sigma.networks import beginnings
from sakimori_detector.sigma.patterns import Expression, compiled
from sakimori_detector.sigma.searches import LONG_CHARACTERS, Column
from sakimori_detector.sigma.view import View

FIELDS = ["a", "b", "c", "@timestamp"]
SIGNS = "abAB19.:/\nſKßİı\u0307\ud800"
EXPRESSIONS = [
    "ab",
    "^ab",
    "b$",
    "(?m)^b$",
    "(?i)ab|ba",
    "[aA]b+",
    "(?s)a.b",
    r"\d+",
    r"\Aab\z",
    "(?i)^k",
    "a?b",
    "(?:a|1){2}",
    "[^a]",
    r"\bab\b",
    r"1\.9",
    "^$",
    "(?-m:^)b",
    "(?i)ss",
    "(a)(?:b|/)1?",
]
ADDRESSES = ["192.0.2.1", "192.0.2.77", "198.51.100.9", "10.0.0.1", "2001:db8::1", "2001:0DB8:0::9", "::ffff:192.0.2.5"]
ADDRESSES += ["::ffff:c000:0207", "::1", "0064:ff9b::1", "64:ff9b::2", "fe80::1", "fd00::1", "not an address"]
NETWORKS = ["192.0.2.0/24", "192.0.2.64/26", "192.0.2.1/32", "0.0.0.0/0", "192.0.0.0/9", "128.0.0.0/1", "10.0.0.0/8"]
NETWORKS += ["2001:db8::/32", "::/0", "64:ff9b::/96", "fe80::/10", "fc00::/7", "::1/128", "2001:d00::/24"]

texts = st.text(SIGNS, max_size=6)
scalars = st.one_of(
    texts,
    texts.map(lambda text: text * 300),
    st.sampled_from(ADDRESSES),
    st.sampled_from(["ab", "AB", "b", "x\nb", "b\n", "xaby", "a/b", "1.9", "k", "ſS", "aa1", "", "i\u0307"]),
    st.integers(-2, 20),
    st.sampled_from([1.0, 9.5, float("nan"), True, False, "9", " 19 ", "nan", "1e3"]),
)
values = st.one_of(scalars, scalars, scalars, st.lists(st.one_of(scalars, st.none()), max_size=3), st.none())
events = st.builds(
    lambda number, fields: Event(f"e{number}", 1_768_528_800_000_000, "nginx.access", fields),
    st.integers(0, 99),
    st.dictionaries(st.sampled_from(["a", "b", "c", "other"]), values, max_size=3),
)
batches = st.lists(events, min_size=1, max_size=20)

fields = st.sampled_from(FIELDS)
strings = st.builds(
    lambda text, kind: kind(text),
    st.text("abAB1*?ſKßİ\u0307/", min_size=1, max_size=5),
    st.sampled_from([SigmaString, SigmaCasedString]),
)
tests: st.SearchStrategy[Condition] = st.one_of(
    st.builds(
        lambda field, text, is_cased: Exact(field, text if is_cased else fold(text), is_cased),
        fields,
        texts,
        st.booleans(),
    ),
    st.builds(Exact, fields, st.sampled_from(["1", "19", "true", "9.5", "192.0.2.1"])),
    st.builds(lambda field, string: Fits(field, wildcards.of_string(string)), fields, strings),
    st.builds(lambda string: Fits(None, wildcards.of_string(string, anywhere=True)), strings),
    st.builds(
        lambda field, source: Matches(field, Expression(source, 1, source, is_slow="?=" in source)),
        st.one_of(fields, st.none()),
        st.sampled_from([*EXPRESSIONS, "(?i)[iK](?=.|$)"]),
    ),
    st.builds(
        Compares, fields, st.sampled_from(["eq", "lt", "lte", "gt", "gte", "neq"]), st.sampled_from([1.0, 9.5, 19.0])
    ),
    st.builds(lambda field, text: InNetwork(field, ipaddress.ip_network(text)), fields, st.sampled_from(NETWORKS)),
    st.builds(Exists, fields, st.booleans()),
    st.builds(SameAs, fields, fields, st.sampled_from(["whole", "start", "end", "inside"])),
)
conditions = st.recursive(
    tests,
    lambda inner: st.one_of(
        st.builds(All, st.lists(inner, min_size=1, max_size=4).map(tuple)),
        st.builds(AnyOf, st.lists(inner, min_size=1, max_size=4).map(tuple)),
        st.builds(Not, inner),
    ),
    max_leaves=8,
)
ALIASES = {"b": ("B", "other")}


def asked_one_by_one(conditions: Sequence[Condition], batch: Sequence[Event]) -> list[tuple[int, int]]:
    return [
        (row, place)
        for row, event in enumerate(batch)
        for place, condition in enumerate(conditions)
        if condition.holds(View(event, event.fields, ALIASES))
    ]


def matcher_of(conditions: Sequence[Condition]) -> Matcher[int]:
    return Matcher([(condition, place) for place, condition in enumerate(conditions)], {}, ALIASES)


@settings(max_examples=80, deadline=None)
@given(st.lists(conditions, max_size=12), batches)
def test_no_condition_slips_through_the_index(conditions: list[Condition], batch: list[Event]) -> None:
    assert matcher_of(conditions).met(batch) == asked_one_by_one(conditions, batch)


@settings(max_examples=80, deadline=None)
@given(st.lists(tests, min_size=30, max_size=60), batches)
def test_no_test_of_many_slips_through_the_index(tests: list[Condition], batch: list[Event]) -> None:
    assert matcher_of(tests).met(batch) == asked_one_by_one(tests, batch)


@settings(max_examples=50, deadline=None)
@given(st.lists(conditions, max_size=12), batches, batches)
def test_no_condition_slips_through_an_index_that_has_learned(
    conditions: list[Condition], known: list[Event], batch: list[Event]
) -> None:
    matcher = matcher_of(conditions)
    matcher._events_left = matcher._events_of_plan = len(known)
    matcher.met(known)
    assert matcher.met(batch) == asked_one_by_one(conditions, batch)


@settings(max_examples=50, deadline=None)
@given(st.lists(conditions, max_size=8), batches, st.integers(1, 19))
def test_where_a_batch_ends_makes_no_difference(conditions: list[Condition], batch: list[Event], cut: int) -> None:
    matcher = matcher_of(conditions)
    parts = [(0, batch[:cut]), (cut, batch[cut:])]
    apart = [(row + start, place) for start, part in parts for row, place in matcher.met(part)]
    assert apart == matcher.met(batch)


@settings(deadline=None)
@given(st.sampled_from(EXPRESSIONS), st.text(SIGNS, max_size=40))
@example("(?i)k", "\N{KELVIN SIGN}")
@example("(?i)s", "ſ")
def test_whatever_matches_an_expression_has_one_of_its_literals(source: str, text: str) -> None:
    literals, text = required(source), text.replace("\ud800", "")
    if literals is not None and compiled(source).search(text):
        assert any(literal in f"{BREAK}{fold(text)}{BREAK}" for literal in literals.texts)


@pytest.mark.parametrize(
    ("source", "texts"),
    [
        ("(?is)^foo.*barbar$", {"barbar\n"}),
        (r"(?i)UNION\s+select|sleep\(", {"select", "sleep("}),
        ("[Ss]elect[^x]+(?:from|into)", {"select"}),
        ("(?:ab|cd)?e", {"e"}),
        (r"foo(?!bar)[ab]", {"foo"}),
        (r"\bfoo\b", {"foo"}),
    ],
)
def test_literals_of_an_expression(source: str, texts: set[str]) -> None:
    literals = required(source)
    assert literals is not None
    assert literals.texts == texts


@pytest.mark.parametrize("source", [r"\d+", "a?", "(?:a|)", "[[:alpha:]]x", r"\pLx", "^$", "[^a]", r"x\Qa\E"])
def test_an_expression_may_need_no_literal(source: str) -> None:
    assert required(source) is None


def test_case_that_re2_takes_for_equal_is_equal_when_folded() -> None:
    signs = "".join(chr(code) for code in range(1, sys.maxunicode + 1) if not 0xD800 <= code <= 0xDFFF)
    for sign in signs:
        others = {other for other in (sign.lower(), sign.upper(), sign.title()) if len(other) == 1 and other != sign}
        for other in others:
            if fold(sign) != fold(other):
                assert not compiled(f"(?i){re.escape(sign)}").search(other), (sign, other)


@settings(deadline=None)
@given(st.sampled_from(NETWORKS), st.integers(0, (1 << 128) - 1), st.sampled_from(["compressed", "exploded"]))
def test_each_way_to_write_an_address_begins_as_its_network_says(text: str, number: int, form: str) -> None:
    network = ipaddress.ip_network(text)
    address = network[number % network.num_addresses]
    written = getattr(address, form).lower()
    assert any(beginning in f"{BREAK}{written}{BREAK}" for beginning in beginnings(network))


def test_a_long_value_is_searched_by_itself_and_reports_each_literal_once() -> None:
    long = "ab" * LONG_CHARACTERS
    assert list(Column(["ab", long]).long) == [1]
    conditions: list[Condition] = [Fits("a", wildcards.of_string(SigmaString("*ab*"))), Exact("a", long)]
    batch = [Event(str(number), 0, "nginx.access", {"a": text}) for number, text in enumerate(["ab", long, "x"])]
    assert matcher_of(conditions).met(batch) == [(0, 0), (1, 0), (1, 1)]


@pytest.mark.parametrize(
    "condition",
    [
        Compares("bytes", "gt", 1_000.0),
        InNetwork("ip", ipaddress.ip_network("192.0.2.0/24")),
        Exists("secret", is_there=True),
        Not(Exists("name", is_there=True)),
        Exact("name", "root"),
        Fits("name", wildcards.of_string(SigmaString("*adm*"))),
        Matches("name", Expression(r"^\d+$", 0, "")),
        All((Exists("name", is_there=True), Compares("bytes", "lt", 10.0))),
        Not(AnyOf((Exists("secret", is_there=False), Exact("name", "x")))),
    ],
)
def test_conditions_of_every_kind_are_not_asked_about_events_that_have_nothing_of_theirs(condition: Any) -> None:
    matcher = matcher_of([condition])
    assert isinstance(matcher._index, EventIndex)
    ordinary = Event("e", 0, "nginx.access", {"name": "alice", "ip": "198.51.100.1", "bytes": 500})
    asked: list[View] = []

    class Asked:
        def holds(self, view: View) -> bool:
            asked.append(view)
            return True

        def triggers(self, cost: Any) -> Any:
            return condition.triggers(cost)

    assert Matcher([(Asked(), 0)]).met([ordinary]) == []
    assert asked == []


def test_a_text_that_many_events_have_is_not_waited_for_any_more() -> None:
    asked: list[View] = []

    class Asked(Matches):
        def holds(self, view: View) -> bool:
            asked.append(view)
            return False

    expression = Expression(r"https?://\w+@", 1, "")
    matcher = matcher_of([Asked("a", expression)])
    batch = [
        Event(str(number), 0, "nginx.access", {"a": "http://shop.example/"}) for number in range(FIRST_PLAN_EVENTS)
    ]
    assert matcher.met(batch) == []
    assert len(asked) == FIRST_PLAN_EVENTS
    asked.clear()
    assert matcher.met(batch) == []
    assert asked == []
