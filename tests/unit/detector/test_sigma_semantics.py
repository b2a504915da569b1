"""What each Sigma construct means for one event, by the whole way from YAML to the matcher."""

from typing import Any

import pytest

from sigma_detection import is_met, item, loaded


@pytest.mark.parametrize(
    ("detection", "value", "expected"),
    [
        ("f: admin", "admin", True),
        ("f: admin", "ADMIN", True),
        ("f: admin", "admin2", False),
        ("f: STRASSE", "straße", True),
        ("f|cased: Admin", "Admin", True),
        ("f|cased: Admin", "admin", False),
        ("f: a*z", "aBCz", True),
        ("f: a*z", "a\nz", True),
        ("f: a*z", "abcz!", False),
        ("f: a?z", "abz", True),
        ("f: a?z", "az", False),
        (r"f: a\*z", "a*z", True),
        (r"f: a\*z", "abz", False),
        ("f: 'a.z'", "abz", False),
        ("f: '*'", "anything", True),
        ("f: '*'", None, False),
        ("f|contains: MID", "a mid b", True),
        ("f|contains: MID", "a md b", False),
        ("f|startswith: pre", "PREfix", True),
        ("f|startswith: pre", "a prefix", False),
        ("f|endswith: .php", "/x.PHP", True),
        ("f|endswith: .php", "/x.php?", False),
        ("f|contains|all: [a, b]", "b-a", True),
        ("f|contains|all: [a, b]", "a", False),
        ("f|contains|cased: Mid", "a mid", False),
        ("f: [one, two]", "two", True),
        ("f: [one, two]", "three", False),
        ("f|re: 'a+b'", "xaabx", True),
        ("f|re: 'a+b'", "xAABx", False),
        ("f|re|i: 'a+b'", "xAABx", True),
        ("f|re: '^b'", "a\nb", False),
        ("f|re|m: '^b'", "a\nb", True),
        ("f|re: 'a.b'", "a\nb", False),
        ("f|re|s: 'a.b'", "a\nb", True),
        ("f|re: '^a$'", "a\n", False),
        ("f|cidr: 192.0.2.0/24", "192.0.2.200", True),
        ("f|cidr: 192.0.2.0/24", "192.0.3.1", False),
        ("f|cidr: 192.0.2.0/24", "::ffff:192.0.2.1", True),
        ("f|cidr: '2001:db8::/32'", "2001:db8::1", True),
        ("f|cidr: 192.0.2.0/24", "no address", False),
        ("f|gte: 500", 500, True),
        ("f|gte: 500", "503", True),
        ("f|gt: 500", 500, False),
        ("f|lt: 10", 9.5, True),
        ("f|lte: 10", 11, False),
        ("f|lt: 10", None, False),
        ("f|lt: 10", "many", False),
        ("f: 401", 401, True),
        ("f: 401", "401", True),
        ("f: 401", 401.0, True),
        ("f: 401", 4010, False),
        ("f: 1", True, False),
        ("f: true", True, True),
        ("f: true", False, False),
        ("f: null", None, True),
        ("f: null", "x", False),
        ("f|exists: true", "x", True),
        ("f|exists: true", None, False),
        ("f|exists: false", None, True),
        ("f|fieldref: g", "Same", True),
        ("f|fieldref: h", "same", False),
        ("f|base64: foo", "Zm9v", True),
        ("f|base64offset|contains: foobar", "xxZm9vYmFyyy", True),
        ("f|windash|contains: ' -x '", "cmd /x y", True),
        ("f: ''", "", True),
        ("f: ''", "a", False),
    ],
)
def test_value(detection: str, value: Any, expected: bool) -> None:
    fields = {"g": "sAME", **({} if value is None else {"f": value})}
    assert is_met(item(detection), fields) is expected


@pytest.mark.parametrize(
    ("detection", "value", "expected"),
    [
        ("f: b", ["a", "B"], True),
        ("f: c", ["a", "B"], False),
        ("f|contains: bb", ["a", "xbbx"], True),
        ("f|cidr: 192.0.2.0/24", ["198.51.100.1", "192.0.2.1"], True),
        ("f|gte: 5", [1, 7], True),
        ("f: 7", [1, 7], True),
        ("f|exists: true", [], True),
    ],
)
def test_a_list_matches_if_one_element_does(detection: str, value: Any, expected: bool) -> None:
    assert is_met(item(detection), {"f": value}) is expected


@pytest.mark.parametrize(
    ("condition", "fields", "expected"),
    [
        ("a and b", {"x": "1", "y": "2"}, True),
        ("a and b", {"x": "1"}, False),
        ("a or b", {"y": "2"}, True),
        ("a and not b", {"x": "1", "y": "3"}, True),
        ("a and not b", {"x": "1", "y": "2"}, False),
        ("not a", {"x": "2"}, True),
        ("not a", {"x": "1"}, False),
        ("not (a or b)", {}, True),
        ("not (a or b)", {"y": "2"}, False),
        ("1 of sel_*", {"z": "4"}, True),
        ("1 of sel_*", {"z": "5"}, False),
        ("all of sel_*", {"z": "4", "w": "5"}, True),
        ("all of sel_*", {"z": "4"}, False),
        ("1 of them", {"y": "2"}, True),
        ("all of them", {"x": "1", "y": "2", "z": "4"}, False),
        ("(a or b) and not 1 of sel_*", {"x": "1"}, True),
        ("(a or b) and not 1 of sel_*", {"x": "1", "w": "5"}, False),
    ],
)
def test_condition(condition: str, fields: dict[str, Any], expected: bool) -> None:
    detection = f"a: {{x: 1}}\nb: {{y: 2}}\nsel_1: {{z: 4}}\nsel_2: {{w: 5}}\ncondition: {condition}"
    assert is_met(detection, fields) is expected


def test_several_fields_of_one_selection_must_all_match_and_a_list_of_maps_is_an_or() -> None:
    detection = "sel:\n  - {x: 1, y: 2}\n  - {z: 3}\ncondition: sel"
    assert is_met(detection, {"x": "1", "y": "2"})
    assert is_met(detection, {"z": 3})
    assert not is_met(detection, {"x": "1"})


def test_keywords_are_looked_for_in_every_value() -> None:
    detection = "words: [etc/passwd, 'a*b']\ncondition: words"
    assert is_met(detection, {"url.query": "f=/ETC/passwd"})
    assert is_met(detection, {"n": 7, "l": ["x", "a--b"]})
    assert not is_met(detection, {"url.path": "/etc", "url.query": "passwd"})


def test_envelope_fields_can_be_matched() -> None:
    assert is_met(item("event.dataset: nginx.access"), {"x": "1"})
    assert is_met(item("'@timestamp|startswith': '2026-01-16'"), {"x": "1"})


def test_the_decoded_request_is_there_for_rules_that_ask() -> None:
    detection = item("sakimori.request.decoded|contains: union select")
    assert is_met(detection, {"url.original": "/?id=1%20UNION%20SELECT%201"})
    assert not is_met(detection, {"url.original": "/?id=student+union"})


@pytest.mark.parametrize("value", ["\0", "a\0b", "\ud800", "ü" * 100_000, "-" * 65_536])
def test_strange_text_is_only_text(value: str) -> None:
    assert not is_met(item("f|re|i: 'x+y'"), {"f": value})
    assert is_met(item("f|re: '[^x]'"), {"f": value})


def test_an_expression_that_backtracking_chokes_on_is_linear_here() -> None:
    assert not is_met(item("f|re: '^(a+)+$'"), {"f": "a" * 60_000 + "!"})


@pytest.mark.parametrize(
    ("detection", "why", "line"),
    [
        (item("f|re: '^(?!x)(a+)+$'"), "takes too long on 'a' repeated", 10),
        (item("f|re: '(?<=a'"), "missing", 10),
        (item("f|re: 'a('"), "invalid", 10),
        (item("f|nomodifier: a"), "nomodifier", 10),
        (item("f|expand: '%users%'"), "users", 10),
        ("sel: {f: a}\ncondition: other", "other", 10),
        ("sel: {f: a}\ncondition: sel and", "Expected", 10),
        ("sel: {f: a}\ncondition: 1 of nothing*", "nothing", 10),
        ("condition: sel", "No detections", 9),
        ("sel: {f: a}", "condition", 9),
        ("sel: []\ncondition: sel", "null value", 10),
    ],
)
def test_what_is_not_possible_is_refused_with_place_and_reason(detection: str, why: str, line: int) -> None:
    rules = loaded(detection)
    assert rules.rules == ()
    (problem,) = rules.problems
    assert why.lower() in problem.why.lower()
    assert problem.path == "t.yml"
    assert problem.line == line
