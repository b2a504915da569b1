"""Rule files and events that nobody would write in earnest: each is refused with its place, or read as it is."""

from pathlib import Path
from typing import Any

import pytest

from sakimori_detector.adapters.files import MAX_FILE_BYTES, read_files
from sakimori_detector.domain.loading import load
from sakimori_detector.offline import load_folder
from sigma_detection import is_met, item

RULE = """title: T
id: 5f0c2f0e-5ad5-4a4e-8e62-0b8f0a1d0001
status: test
level: low
logsource: {category: webserver}
detection:
  sel: {f: x}
  condition: sel
"""
BOMB = "a0: &a0 [x, x, x, x, x, x, x, x]\n" + "".join(
    f"a{level}: &a{level} [{', '.join([f'*a{level - 1}'] * 8)}]\n" for level in range(1, 12)
)


@pytest.mark.parametrize(
    ("text", "why", "line"),
    [
        ("", "the file is empty", 1),
        ("\n# only words\n---\n", "the file is empty", 1),
        ("title: T\n\tlevel: low", "found a tab character", 2),
        ("title: a\0b", "zero byte", 1),
        ("title: T\nlevel: \x07", "control characters are not allowed: character 0x7", 2),
        ("title: \ud800", "not readable", 1),
        ("a: " + "[" * 500_000, "nested too deep", 1),
        ("- " * 400_000, "nested too deep", 1),
        ("{a: " * 200_000, "nested too deep", 1),
        ("\n".join(" " * level + "a:" for level in range(1_000)), "nested too deep", 61),
        (RULE + BOMB, "over 100000 keys and values", 14),
        ("a: &a [*a]", "over 100000 keys and values", 1),
        ("a: [" + "x, " * 300_000 + "]", "over 100000 keys and values", 1),
        ("".join(f"k{number}: v\n" for number in range(60_000)), "over 100000 keys and values", 1),
        ("---\na: 1\n" * 101, "over 100 documents", 202),
        ("a: 1\nb: 2\na: 3", "'a' stands here twice", 3),
        ("? [a, b]\n: c", "unhashable key", 1),
        ("a: !!python/object/apply:os.system [ls]", "could not determine a constructor", 1),
        ("a: " + "9" * 5_000, "not readable", 1),
        ("text", "a rule is a map", 1),
        (RULE.replace("f: x", "1: x").replace("sel: {", "sel: {f|nothing: y, "), "Unknown modifier 'nothing'", 7),
        (RULE.replace("{f: x}", "{f: {g: x}}"), "Unsupported type", 7),
        (RULE.replace("sel: {f: x}", "sel: {}"), "Detection is empty", 7),
        (RULE.replace("detection:", "detection: nothing\nx:"), "must be a valid YAML map", 6),
        (RULE.replace("title: T", "title: [a]"), "title must be a string", 1),
        (RULE.replace("title: T", "title: " + "T" * 300), "must not exceed 256 characters", 1),
        (RULE.replace("level: low", "level: 5"), "level must be a string", 4),
        (RULE.replace("{category: webserver}", "webserver"), "valid YAML map", 5),
        (RULE.replace("{category: webserver}", "{category: [a]}"), "must be string", 5),
        (RULE + "tags: [12]\n", "must be a list of strings", 9),
        (RULE + "falsepositives: none\n", "must be a list", 9),
        (RULE + "---\n" + RULE, "is that of the rule in line 1", 11),
    ],
)
def test_a_strange_file_is_refused_with_its_place(text: str, why: str, line: int) -> None:
    loaded = load({"strange.yml": text, "zz_fine.yml": RULE.replace("0001", "0099")})
    assert [rule.id for rule in loaded.rules] == ["zz_fine"]
    (problem,) = loaded.problems
    assert problem.path == "strange.yml"
    assert why in problem.why
    assert problem.line == line


def test_unknown_parts_of_a_rule_are_taken_for_notes() -> None:
    (rule,) = load({"a.yml": RULE + "our_ticket: 4711\nnotes: {by: [us]}\n"}).rules
    assert rule.id == "a"


def test_a_value_of_a_megabyte_is_only_long() -> None:
    text = RULE.replace("f: x", f"f|contains: {'x' * 900_000}")
    (rule,) = load({"a.yml": text}).rules
    assert rule.id == "a"


def test_ten_thousand_values_load() -> None:
    values = ", ".join(f"value{number}" for number in range(10_000))
    (rule,) = load({"a.yml": RULE.replace("f: x", f"f|contains: [{values}]")}).rules
    assert rule.id == "a"


def test_what_cannot_be_read_as_a_file_is_told_and_the_rest_loads(tmp_path: Path) -> None:
    (tmp_path / "fine.yml").write_text("\ufeff" + RULE, encoding="utf-8")  # with a byte order mark
    (tmp_path / "latin.yml").write_bytes(b"title: caf\xe9\n")
    (tmp_path / "big.yml").write_bytes(b"#" * (MAX_FILE_BYTES + 1))
    (tmp_path / "gone.yml").symlink_to(tmp_path / "nowhere.yml")
    (tmp_path / "folder.yml").mkdir()
    (tmp_path / ".git").mkdir()
    (tmp_path / ".git" / "hidden.yml").write_text("not: a rule", encoding="utf-8")
    loaded = load_folder(tmp_path, "UTC")
    assert [rule.id for rule in loaded.rules] == ["fine"]
    assert [str(problem) for problem in loaded.problems] == [
        f"big.yml:1:1: over {MAX_FILE_BYTES} bytes",
        "latin.yml:1:1: not UTF-8: byte 10",
    ]


def test_a_file_of_just_a_megabyte_is_read(tmp_path: Path) -> None:
    text = RULE + "#" * (MAX_FILE_BYTES - len(RULE))
    (tmp_path / "a.yml").write_text(text, encoding="utf-8")
    assert read_files(tmp_path).problems == []
    assert [rule.id for rule in load_folder(tmp_path, "UTC").rules] == ["a"]


STRANGE: list[Any] = ["\0", "a\0b", "\ud800", "x\udfff\0", "ü" * 500_000, "-" * 1_000_000, "\n" * 10_000, "\x1b[31m"]


@pytest.mark.parametrize("value", STRANGE, ids=range(len(STRANGE)))
@pytest.mark.parametrize(
    "test",
    [
        "f|contains: needle",
        "f|endswith: needle",
        "f: 'n*e?d*'",
        "f|re|i: 'need.?le'",
        "f|re: 'needle(?!s)'",
        "f|cased: n",
    ],
)
def test_strange_values_are_only_text(value: str, test: str) -> None:
    assert not is_met(item(test), {"f": value})
    assert not is_met(item(test), {"f": [value, None, 5, True]})
    if "cased" not in test and "*" not in test and len(value) < 65_000:
        assert is_met(item(test), {"f": value + "needle"})


@pytest.mark.parametrize("value", STRANGE, ids=range(len(STRANGE)))
def test_strange_values_are_looked_through_for_keywords(value: str) -> None:
    assert not is_met("words: [needle]\ncondition: words", {"f": value})
    assert is_met("words: [needle]\ncondition: words", {"f": value, "g": "a needle"})
    assert is_met(item("f|re: '[^y]'"), {"f": value})


def test_numbers_beyond_all_bounds_match_nothing() -> None:
    for value in (10**400, float("inf"), float("nan"), "1e999", "9" * 5_000):
        assert not is_met(item("f: 5"), {"f": value})
        assert not is_met(item("f|lt: 5"), {"f": value})
