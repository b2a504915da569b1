"""Texts: wildcards, escapes, case and encodings, each with a near miss."""

from typing import Any

import pytest

from sigma_detection import is_met, item, why_refused


@pytest.mark.parametrize(
    ("detection", "value", "expected"),
    [
        # The backslash, as the specification lists it.
        (r"f: C:\Windows", r"C:\Windows", True),
        (r"f: C:\\Windows", r"C:\Windows", True),
        (r"f: C:\Windows", r"C:\\Windows", False),
        (r"f: a\*", "a*", True),
        (r"f: a\*", r"a\anything", False),
        (r"f: a\\*", r"a\anything", True),
        (r"f: a\\*", "a*", False),
        (r"f: a\\\*", r"a\*", True),
        (r"f: a\\\*", r"a\b", False),
        (r"f: a\\\\b", r"a\\b", True),
        (r"f: a\?b", "a?b", True),
        (r"f: a\?b", "axb", False),
        (r"f: \\server\share", r"\\server\share", False),  # two of four: the first two are one
        (r"f: \\\\server\share", r"\\server\share", True),
        ("f: 'ends with \\'", "ends with \\", True),
        (r"f|endswith: \cmd.exe", r"C:\x\CMD.EXE", True),
        (r"f|endswith: \cmd.exe", "xcmd.exe", False),
        (r"f|contains: '\*x'", "a*xb", True),
        (r"f|contains: '\*x'", "aaxb", False),
        # Wildcards.
        ("f: '*a*b*'", "xxaxxbxx", True),
        ("f: '*a*b*'", "xxbxxaxx", False),
        ("f: 'a*b*c'", "a-b-b-c", True),
        ("f: 'a*b*c'", "a-b-b-cx", False),
        ("f: 'ab*ba'", "aba", False),
        ("f: 'ab*ba'", "abba", True),
        ("f: '*ab'", "abab", True),
        ("f: 'aa*a'", "aa", False),
        ("f: '*'", "", True),
        ("f: '?'", "x", True),
        ("f: '?'", "", False),
        ("f: '?'", "xy", False),
        ("f: '??*'", "x", False),
        ("f: '??*'", "xyz", True),
        ("f: '*?a'", "ba", True),
        ("f: '*?a'", "a", False),
        ("f: 'a?c*e?g'", "abcdefg", True),
        ("f: 'a?c*e?g'", "abcdeg", False),
        ("f: '*a?c*'", "xxabac", False),
        ("f: '*a?c*'", "xxabcx", True),
        ("f: 'a**b'", "ab", True),
        ("f: 'a.c'", "abc", False),
        ("f: '[ab]'", "a", False),
        ("f|contains: 'a?c'", "xxa\ncxx", True),
        ("f|startswith: 'a*c'", "abbcd", True),
        ("f|startswith: 'a*c'", "xabbc", False),
        ("f|endswith: 'a?'", "xab", True),
        ("f|endswith: 'a?'", "abx", False),
        # The first place is not always the right one.
        ("f: '*ab?d'", "abxabcd", True),
        ("f: 'a*bc'", "abxbc", True),
        ("f: '*aab'", "aaab", True),
    ],
)
def test_wildcards_and_escapes(detection: str, value: str, expected: bool) -> None:
    assert is_met(item(detection), {"f": value}) is expected


@pytest.mark.parametrize(
    ("value", "text"),
    [("STRASSE", "straße"), ("straße", "STRASSE"), ("ÄÖÜ", "äöü"), ("σίσυφος", "ΣΊΣΥΦΟΣ"), ("ﬁle", "FILE"), ("K", "k")],
)
def test_case_is_folded_the_same_whole_and_in_part(value: str, text: str) -> None:
    for modifier in ("", "|contains", "|startswith", "|endswith"):
        assert is_met(item(f"f{modifier}: '{value}'"), {"f": text})
        assert not is_met(item(f"f{modifier}|cased: '{value}'"), {"f": text})
    assert is_met(item(f"f: '{value}*'"), {"f": text})
    assert is_met(f"words: ['{value}']\ncondition: words", {"f": f"a {text} b"})
    assert is_met(item(f"f: '{value}X'"), {"f": f"{text}x"})
    assert not is_met(item(f"f: '{value}X'"), {"f": f"{text}y"})


@pytest.mark.parametrize(
    ("detection", "value", "expected"),
    [
        ("f|cased: 'Ab*'", "Abc", True),
        ("f|cased: 'Ab*'", "abc", False),
        ("f|contains|cased: 'Ä'", "xÄx", True),
        ("f|contains|cased: 'Ä'", "xäx", False),
        ("f|cased|contains: Ab", "xAbx", True),
        ("f|cased|contains: Ab", "xABx", False),
        ("f|cased: [Ab, cD]", "cD", True),
        ("f|cased: [Ab, cD]", "cd", False),
    ],
)
def test_cased(detection: str, value: str, expected: bool) -> None:
    assert is_met(item(detection), {"f": value}) is expected


@pytest.mark.parametrize(
    ("detection", "value", "expected"),
    [
        ("f|contains|all: [a, b, c]", "c-b-a", True),
        ("f|contains|all: [a, b, c]", "c-b", False),
        ("f|all|contains: [a, b]", "b-a", True),
        ("f|startswith|all: [ab, a]", "abc", True),
        ("f|startswith|all: [ab, b]", "abc", False),
        ("f|re|all: ['a.', '.b']", "ab", True),
        ("f|re|all: ['a.', '.c']", "ab", False),
        ("f|all: ['*a*', '*b*']", "ba", True),
        ("f|contains|all: [a]", "xa", True),
        ("f|windash|contains|all: [' -a', ' -b']", "x /a -b", True),
        ("f|windash|contains|all: [' -a', ' -b']", "x /a", False),
        ("f|contains: []", None, True),  # an empty list is null
    ],
)
def test_all(detection: str, value: str | None, expected: bool) -> None:
    assert is_met(item(detection), {} if value is None else {"f": value}) is expected


@pytest.mark.parametrize(
    ("detection", "value", "expected"),
    [
        ("f|base64: 'http://'", "aHR0cDovLw==", True),
        ("f|base64: 'http://'", "aHR0cDovLx==", False),
        ("f|base64|contains: foo", "xxZm9vxx", True),
        ("f|base64offset|contains: /bin/bash", "L2Jpbi9iYXNo", True),  # at 0
        ("f|base64offset|contains: /bin/bash", "IC9iaW4vYmFzaA==", True),  # at 1
        ("f|base64offset|contains: /bin/bash", "ICAvYmluL2Jhc2g=", True),  # at 2
        ("f|base64offset|contains: /bin/bash", "L2Jpbi9zaA==", False),
        ("f|wide|base64offset|contains: ping", "cABpAG4AZwA=", True),
        ("f|utf16le|base64offset|contains: ping", "cABpAG4AZwA=", True),
        ("f|utf16le|base64offset|contains: ping", "cGluZw==", False),
        ("f|utf16|base64offset|contains: ping", "//5wAGkAbgBnAA==", True),
        ("f|utf16be|base64offset|contains: ping", "AHAAaQBuAGc=", True),
        ("f|wide: ab", "a\0b\0", True),
        ("f|utf16be: ab", "\0a\0b", True),
        ("f|wide: ab", "ab", False),
    ],
)
def test_encodings(detection: str, value: str, expected: bool) -> None:
    assert is_met(item(detection), {"f": value}) is expected


@pytest.mark.parametrize("dash", ["-", "/", "\u2013", "\u2014", "\u2015"])
def test_windash_takes_every_dash_before_a_word(dash: str) -> None:
    assert is_met(item("f|windash|contains: ' -param-name'"), {"f": f"cmd {dash}param-name"})
    assert not is_met(item("f|windash|contains: ' -param-name'"), {"f": f"cmd {dash}param/name"})


def test_values_that_cannot_be_looked_for_are_refused() -> None:
    assert "incompatible" in why_refused(item("f|contains: 5"))[0]
    assert "over 64 ? in one value" in why_refused(item(f"f: '{'?' * 65}*'"))[0]
    assert "host bits" in why_refused(item("f|cidr: 192.0.2.1/24"))[0]


@pytest.mark.parametrize(
    ("detection", "value", "expected"),
    [
        (r"f|re: 'C:\\Windows\\[a-z]+'", r"C:\Windows\temp", True),
        (r"f|re: 'C:\\Windows\\[a-z]+'", r"C:\\Windows", False),
        (r"f|re: '\d{3}\.\d'", "404.5", True),
        (r"f|re: '\d{3}\.\d'", "40405", False),
        (r"f|re: 'a\*b'", "a*b", True),
        (r"f|re: 'a\*b'", "aab", False),
        (r"f|re: '\\*x'", r"\\\x", True),
        (r"f|re: 'a\?'", "a", False),
        ("f|re|i: 'ä+'", "ÄÄ", True),
        ("f|re|i|m|s: '^b.c'", "a\nB\nc", True),
        ("f|re|m: '^b.c'", "a\nb\nc", False),
        ("f|re: '(?i)ab'", "AB", True),
        ("f|re: ['x', 'y']", "y", True),
        ("f|re: 'a|b$'", "xb", True),
        ("f|re: 'a|b$'", "xbx", False),
        ("f|re: ''", "anything", True),
        # Look-around and back-references, which RE2 does not know.
        ("f|re: '^(?!.*internal).*admin'", "/admin", True),
        ("f|re: '^(?!.*internal).*admin'", "/internal/admin", False),
        ("f|re: '(?<=id=)\\d+'", "?id=5", True),
        ("f|re: '(?<=id=)\\d+'", "?no=5", False),
        (r"f|re: '(\w)\1\1'", "xaaay", True),
        (r"f|re: '(\w)\1\1'", "xaay", False),
        ("f|re|i: 'A(?=B)'", "ab", True),
    ],
)
def test_expressions(detection: str, value: str, expected: bool) -> None:
    assert is_met(item(detection), {"f": value}) is expected


@pytest.mark.parametrize(
    ("detection", "fields", "expected"),
    [
        ("words: [alpha, beta]", {"x": "the BETA one"}, True),
        ("words: [alpha, beta]", {"x": "gamma"}, False),
        ("words: ['a*z']", {"x": "a..z"}, True),
        ("words: ['a*z']", {"x": "a", "y": "z"}, False),  # within one value
        ("words: ['al?ha']", {"x": ["no", "ALPHA!"]}, True),
        ("words: [4711]", {"x": 4711}, True),
        ("words: ['4711']", {"x": "number 4711."}, True),
        ("words: {'|all': [alpha, beta]}", {"x": "beta", "y": "alpha"}, True),
        ("words: {'|all': [alpha, beta]}", {"x": "alpha"}, False),
        ("words: {'|re': ['al+']}", {"x": "x-alll"}, True),
        ("words: {'|re': ['al+']}", {"x": "AL"}, False),
        ("words: {'|contains|all': [alpha, beta]}", {"x": "alphabeta"}, True),
        ("words: {'|cased': [Alpha]}", {"x": "an Alpha"}, True),
        ("words: {'|cased': [Alpha]}", {"x": "an alpha"}, False),
        ("words: plain", {"x": "it is PLAIN"}, True),
        ("words: [x, {f: 1}]", {"f": 1}, True),
        ("words: [x, {f: 1}]", {"y": "x"}, True),
        ("words: [x, {f: 1}]", {"y": "z"}, False),
    ],
)
def test_keywords(detection: str, fields: dict[str, Any], expected: bool) -> None:
    assert is_met(f"{detection}\ncondition: words", fields) is expected
