"""Numbers, nothing, times, other fields, networks, placeholders, and the grammar of conditions."""

from typing import Any

import pytest

from sigma_detection import is_met, item, loaded, why_refused


@pytest.mark.parametrize(
    ("detection", "value", "expected"),
    [
        ("f: 401", "401", True),
        ("f: '401'", 401, True),
        ("f: 401", "0401", False),
        ("f: 010", 10, True),  # YAML 1.2: no octal number
        ("f: 010", 8, False),
        ("f: 1.5", 1.5, True),
        ("f: 1.5", "1.5", True),
        ("f: 1.0", 1, True),
        ("f: -3", -3, True),
        ("f: 0x17", "0x17", True),  # as logs of Windows write it
        ("f: 1e5", "1e5", True),
        ("f: 12:30", "12:30", True),  # YAML 1.1 would read 750
        ("f: 2024-01-02", "2024-01-02", True),
        ("f: yes", "yes", True),
        ("f: yes", True, False),
        ("f: off", "OFF", True),
        ("f: true", "true", True),
        ("f: true", 1, False),
        ("f: false", False, True),
        ("f: 99999999999999999999", 99999999999999999999, True),
        ("f|gt: 5", 6, True),
        ("f|gt: 5", 5, False),
        ("f|gte: 5", 5.0, True),
        ("f|lt: -1", "-1.5", True),
        ("f|lt: -1", "-0.5", False),
        ("f|lte: 0.1", 0.1, True),
        ("f|gte: 5", "five", False),
        ("f|gte: 5", True, False),
        ("f|gte: 5", "nan", False),
        ("f|neq: 5", 6, True),
        ("f|neq: 5", 5, False),
        ("f|neq: 5", "5", False),
        ("f|neq: abc", "ABC", False),
        ("f|neq: [a, b]", "b", False),
        ("f|neq: [a, b]", "c", True),
        ("f|contains|neq: x", "axb", False),
        ("f|neq: 5", None, True),  # it is not there, so it is not 5
    ],
)
def test_numbers_and_plain_values(detection: str, value: Any, expected: bool) -> None:
    assert is_met(item(detection), {} if value is None else {"f": value}) is expected


@pytest.mark.parametrize(
    ("detection", "fields", "expected"),
    [
        ("f: null", {}, True),
        ("f: null", {"f": None}, True),
        ("f: null", {"f": ""}, False),
        ("f: null", {"f": "null"}, False),
        ("f:", {}, True),
        ("f: ''", {"f": ""}, True),
        ("f: ''", {}, False),
        ("f: ['', null]", {}, True),
        ("f: ['', null]", {"f": ""}, True),
        ("f: ['', null]", {"f": "x"}, False),
        ("f: [null, x]", {"f": "x"}, True),
        ("f: 'null'", {"f": "NULL"}, True),
        ("f|exists: true", {"f": ""}, True),
        ("f|exists: true", {"g": "x"}, False),
        ("f|exists: false", {"f": 0}, False),
        ("f: x", {"f": []}, False),
    ],
)
def test_nothing(detection: str, fields: dict[str, Any], expected: bool) -> None:
    assert is_met(item(detection), fields) is expected


def test_a_null_that_is_denied_asks_for_the_field() -> None:
    detection = "sel: {f: x}\nfilter: {g: null}\ncondition: sel and not filter"
    assert is_met(detection, {"f": "x", "g": ""})
    assert not is_met(detection, {"f": "x"})


@pytest.mark.parametrize(
    ("detection", "value", "expected"),
    [
        ("f|minute: 59", "2026-01-16T02:59:00Z", True),
        ("f|hour: 2", "2026-01-16T02:59:00Z", True),
        ("f|hour: 2", "2026-01-16T02:59:00+09:00", True),  # as written: no zone is converted
        ("f|hour: 17", "2026-01-16T02:59:00+09:00", False),
        ("f|hour: [2, 3]", "2026-01-16 03:00:00", True),
        ("f|day: 16", "2026-01-16", True),
        ("f|day: 15", "2026-01-16", False),
        ("f|week: 53", "2026-12-31T00:00:00Z", True),
        ("f|week: 1", "2026-01-01T00:00:00Z", True),
        ("f|month: 12", "2026-12-31T00:00:00Z", True),
        ("f|year: 2026", 1_768_528_800, True),
        ("f|year: 2026", 1_768_528_800_000, True),
        ("f|year: 2026", 1_768_528_800_000_000, True),
        ("f|hour|gte: 22", "2026-01-16T22:00:00Z", True),
        ("f|hour|gte: 22", "2026-01-16T21:59:59Z", False),
        ("f|hour|lt: 6", "2026-01-16T05:59:59Z", True),
        ("f|hour: 2", "around two", False),
        ("f|hour: 2", None, False),
        ("f|hour: 0", True, False),
        ("f|year: 1970", float("inf"), False),
    ],
)
def test_parts_of_times(detection: str, value: Any, expected: bool) -> None:
    assert is_met(item(detection), {} if value is None else {"f": value}) is expected


def test_the_time_of_the_event_has_parts() -> None:
    assert is_met(item("'@timestamp|hour': 2"), {"x": "1"})
    assert not is_met(item("'@timestamp|hour': 3"), {"x": "1"})


@pytest.mark.parametrize(
    ("modifiers", "value", "other", "expected"),
    [
        ("fieldref", "Same", "sAME", True),
        ("fieldref", "same", "other", False),
        ("fieldref", 5, "5", True),
        ("fieldref|startswith", "prefix", "PRE", True),
        ("fieldref|startswith", "aprefix", "pre", False),
        ("fieldref|endswith", "suffix", "fix", True),
        ("fieldref|endswith", "fixed", "fix", False),
        ("fieldref|contains", "a mid b", "MID", True),
        ("fieldref|contains", "a md b", "mid", False),
        ("fieldref|neq", "a", "b", True),
        ("fieldref|neq", "a", "A", False),
        ("fieldref", ["a", "b"], ["B", "c"], True),
        ("fieldref", "a", None, False),
    ],
)
def test_another_field_may_be_the_value(modifiers: str, value: Any, other: Any, expected: bool) -> None:
    fields = {"f": value, **({} if other is None else {"g": other})}
    assert is_met(item(f"f|{modifiers}: g"), fields) is expected


def test_the_field_that_is_referred_to_has_the_name_of_ecs_too() -> None:
    detection = item("Image|fieldref: ParentImage")
    windows = {"logsource": "category: process_creation, product: windows", "dataset": "endpoint.process"}
    same = {"process.executable": "C:\\x.exe", "process.parent.executable": "c:\\X.EXE"}
    assert is_met(detection, same, **windows)
    assert is_met(detection, {"Image": "x", "ParentImage": "X"}, **windows)
    assert not is_met(detection, {"Image": "x", "ParentImage": "y"}, **windows)


@pytest.mark.parametrize(
    ("network", "address", "expected"),
    [
        ("192.0.2.0/24", "192.0.2.0", True),
        ("192.0.2.0/24", "192.0.2.255", True),
        ("192.0.2.0/24", "192.0.3.0", False),
        ("192.0.2.128/25", "192.0.2.127", False),
        ("192.0.2.7", "192.0.2.7", True),
        ("0.0.0.0/0", "203.0.113.9", True),
        ("0.0.0.0/0", "2001:db8::1", False),
        ("2001:db8::/32", "2001:0DB8:0::1", True),
        ("2001:db8::/32", "2001:db9::1", False),
        ("192.0.2.0/24", 3_221_225_985, False),
    ],
)
def test_networks(network: str, address: Any, expected: bool) -> None:
    assert is_met(item(f"f|cidr: '{network}'"), {"f": address}) is expected


PLACEHOLDERS = "admins: [root, 'adm*']\nservers: srv1\nn: [1, 2]\n"


@pytest.mark.parametrize(
    ("detection", "value", "expected"),
    [
        ("f|expand: '%admins%'", "ROOT", True),
        ("f|expand: '%admins%'", "admin7", True),
        ("f|expand: '%admins%'", "user", False),
        ("f|expand: '%servers%/%admins%'", "srv1/root", True),
        ("f|expand: '%servers%/%admins%'", "srv2/root", False),
        ("f|expand|contains: '%servers%'", "on srv1 now", True),
        ("f|contains|expand: '%servers%'", "on srv1 now", True),
        ("f|expand|cased: '%servers%'", "SRV1", False),
        ("f|re|expand: '^%servers%$'", "srv1", True),
        ("f|expand: '%n%'", 2, True),
        ("f|expand: '%jump_hosts%'", "192.0.2.7", True),
        ("f|expand: '%jump_hosts%'", "192.0.2.8", False),
        ("f: '%servers%'", "srv1", False),
        ("f: '%servers%'", "%servers%", True),
        ("f|expand: '100% sure'", "100% sure", True),
        (r"f|expand: '\%plain%servers%'", "%plainsrv1", True),
        (r"f|expand: '\%plain%servers%'", "srv1", False),
        (r"f|expand: 'a*\%%servers%\%'", "abc%srv1%", True),
    ],
)
def test_placeholders_have_the_values_of_their_file_or_of_a_list(detection: str, value: Any, expected: bool) -> None:
    jump_hosts = "# where admins come from\n192.0.2.7\n192.0.2.9 # the new one\n"
    assert is_met(item(detection), {"f": value}, placeholders=PLACEHOLDERS, jump_hosts=jump_hosts) is expected


def test_a_placeholder_without_a_value_is_refused_with_its_place() -> None:
    why, line = why_refused(item("f|expand: '%nobody%'"), placeholders=PLACEHOLDERS)
    assert "'%nobody%' has no value" in why
    assert line == 10


def test_a_bad_placeholder_is_told_and_the_others_are_used() -> None:
    rules = loaded(item("f|expand: '%good%'"), placeholders="bad: {a: 1}\ngood: x\nempty: []\n")
    assert [rule.id for rule in rules.rules] == ["t"]
    assert [(problem.path, problem.line) for problem in rules.problems] == [
        ("placeholders.yml", 1),
        ("placeholders.yml", 3),
    ]


SELECTIONS = "a: {x: 1}\nb: {y: 2}\nsel_1: {z: 4}\nsel_2: {w: 5}\n_hidden: {v: 6}\nnotsel: {u: 7}\n"


@pytest.mark.parametrize(
    ("condition", "fields", "expected"),
    [
        ("a or b and sel_1", {"x": 1}, True),  # and binds closer
        ("(a or b) and sel_1", {"x": 1}, False),
        ("not a and b", {"y": 2}, True),  # not binds closest
        ("not (a and b)", {"x": 1}, True),
        ("not a or b", {"x": 1, "y": 3}, False),
        ("not not a", {"x": 1}, True),
        ("a and (b or (sel_1 and not sel_2))", {"x": 1, "z": 4}, True),
        ("a and (b or (sel_1 and not sel_2))", {"x": 1, "z": 4, "w": 5}, False),
        ("1 of sel*", {"w": 5}, True),
        ("any of sel*", {"w": 5}, True),
        ("1 of s*_2", {"w": 5}, True),
        ("1 of s*_2", {"z": 4}, False),
        ("1 of *", {"x": 1}, True),
        ("all of sel*", {"w": 5, "z": 4}, True),
        ("1 of a", {"x": 1}, True),
        ("1 of them", {"v": 6}, False),  # _hidden is none of them
        ("1 of _*", {"v": 6}, True),
        ("all of them", {"x": 1, "y": 2, "z": 4, "w": 5, "u": 7}, True),
        ("all of them", {"x": 1, "y": 2, "z": 4, "w": 5}, False),
        ("not 1 of them", {"x": 2}, True),
        ("a and not all of sel_*", {"x": 1, "z": 4}, True),
        ("a and not all of sel_*", {"x": 1, "z": 4, "w": 5}, False),
        ("notsel", {"u": 7}, True),  # no `not sel`
        ("a AND NOT 1 OF sel_*", {"x": 1}, True),
        ("a AND NOT 1 OF sel_*", {"x": 1, "w": 5}, False),
        ("[a, b]", {"y": 2}, True),  # several conditions: any
    ],
)
def test_conditions(condition: str, fields: dict[str, Any], expected: bool) -> None:
    assert is_met(f"{SELECTIONS}condition: {condition}", fields) is expected


def test_a_list_of_maps_is_an_or_of_ands() -> None:
    detection = "sel:\n  - {x: 1, y: [2, 3]}\n  - {z: 4}\n  - {w|exists: true, v: null}\ncondition: sel"
    assert is_met(detection, {"x": 1, "y": 3})
    assert is_met(detection, {"z": 4, "x": 9})
    assert is_met(detection, {"w": 1})
    assert not is_met(detection, {"w": 1, "v": 1})
    assert not is_met(detection, {"x": 1, "y": 4})


def test_a_timeframe_of_old_rules_is_no_selection() -> None:
    assert is_met("sel: {f: x}\ntimeframe: 5m\ncondition: all of them", {"f": "x"})


@pytest.mark.parametrize(
    ("condition", "why"),
    [
        ("2 of sel_*", "Expected"),
        ("a | count() > 5", "pipe syntax"),
        ("a and", "Expected"),
        ("(a", "parentheses"),
        ("a b", "Expected"),
        ("missing", "'missing' not defined"),
        ("1 of missing*", "doesn't match any detection"),
        ("not " * 500 + "a", "nested too deep"),
        ("a or " * 2500 + "a", "over 10000 characters"),
        ("5", "a condition is text, not '5'"),
        ("[a, 5]", "a condition is text"),
        ("null", "a condition is text, not 'None'"),
    ],
)
def test_a_condition_that_is_none_is_refused_in_its_line(condition: str, why: str) -> None:
    refused, line = why_refused(f"{SELECTIONS}condition: {condition}")
    assert why in refused
    assert line in {9, 15}


def test_a_condition_nested_a_thousand_deep_is_only_long() -> None:
    assert is_met(f"a: {{x: 1}}\ncondition: {'(' * 1000}a{')' * 1000}", {"x": 1})
