"""Which events are dropped before anybody sees them."""

import pytest

from sakimori_collector.domain.filters import BadFilter, parse_filter
from sakimori_common.contracts import Event, FieldValue

HEALTH = (
    'event.dataset=nginx.access url.path=/healthz|/ready* user_agent.original="kube-probe *"; log.level=debug|TRACE'
)


@pytest.mark.parametrize(
    ("dataset", "fields", "is_dropped"),
    [
        ("nginx.access", {"url.path": "/healthz", "user_agent.original": "kube-probe 1.29"}, True),
        ("nginx.access", {"url.path": "/ready/now", "user_agent.original": "KUBE-PROBE 1.29"}, True),
        ("nginx.access", {"url.path": "/healthz", "user_agent.original": "curl/8"}, False),
        ("nginx.access", {"url.path": "/healthzz", "user_agent.original": "kube-probe 1"}, False),
        ("apache.access", {"url.path": "/healthz", "user_agent.original": "kube-probe 1"}, False),
        ("nginx.access", {}, False),
        ("app", {"log.level": "DEBUG"}, True),
        ("app", {"log.level": "trace"}, True),
        ("app", {"log.level": "info"}, False),
    ],
)
def test_an_event_is_dropped_that_meets_all_conditions_of_a_rule(
    dataset: str, fields: dict[str, FieldValue], is_dropped: bool
) -> None:
    assert parse_filter(HEALTH).drops(Event("x", 0, dataset, fields)) is is_dropped


@pytest.mark.parametrize(
    ("rule", "value", "is_dropped"),
    [
        ("f=200", 200, True),
        ("f=true", True, True),
        ("f=b", ["a", "b"], True),
        ("f=c", ["a", "b"], False),
        ("f!=b", ["a", "b"], False),
        ("f!=200", 404, True),
        ("f!=*", None, True),
        ("f=*", None, False),
        ("f=*", "", True),
        ("f=a*b*c", "a-b-c", True),
        ("f=/a?b[0]*", "/a?b[0]=1", True),
        ("f=/a?b", "/axb", False),
        ("f=a=b", "a=b", True),
        ("f='a;b | c'", "a;b ", True),
    ],
)
def test_values_of_every_type_are_compared_as_texts(rule: str, value: FieldValue, is_dropped: bool) -> None:
    assert parse_filter(rule).drops(Event("x", 0, "test", {"f": value})) is is_dropped


@pytest.mark.parametrize(
    ("text", "why"),
    [
        ("log.level", "rule 1: 'log.level' is no condition such as log.level=debug"),
        ("a=b; log.level=", "rule 2: 'log.level=' compares with nothing"),
        ('a="b', "rule 1: No closing quotation"),
        ("=b", "rule 1: '=b' is no condition"),
    ],
)
def test_a_rule_that_cannot_be_read_is_named(text: str, why: str) -> None:
    with pytest.raises(BadFilter) as raised:
        parse_filter(text)
    assert str(raised.value).startswith(why)


def test_no_rule_drops_nothing() -> None:
    assert parse_filter(" ; ;\n").rules == ()


def test_a_pattern_with_many_stars_takes_no_longer_on_a_long_value() -> None:
    rule = parse_filter("f=" + "*a" * 30 + "*b")
    assert not rule.drops(Event("x", 0, "test", {"f": "a" * 65_536}))
