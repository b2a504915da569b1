"""The page's words are whole in every language, and there are words for every refusal."""

import ast
import re
from collections.abc import Iterator
from importlib.resources import files
from pathlib import Path

import pytest

from sakimori_chat.api.phrases import LANGUAGES, PHRASES, duration, preferred_language, refusal_phrase
from sakimori_chat.domain.rooms import CheckName

SOURCE = Path(str(files("sakimori_chat")))


def test_every_language_has_every_phrase_and_none_is_empty() -> None:
    assert set(PHRASES) == set(LANGUAGES) == {"en", "ja", "ko"}
    for language in ("ja", "ko"):
        assert set(PHRASES[language]) == set(PHRASES["en"])
        assert all(PHRASES[language].values())


@pytest.mark.parametrize("language", ["ja", "ko"])
def test_every_phrase_has_the_blanks_of_the_english_one(language: str) -> None:
    for key, words in PHRASES[language].items():
        assert re.findall(r"\{\w+\}", words) == re.findall(r"\{\w+\}", PHRASES["en"][key]), key


def test_no_phrase_was_left_in_english() -> None:
    assert [key for key in PHRASES["en"] if PHRASES["en"][key] in {PHRASES["ja"][key], PHRASES["ko"][key]}] == []


def _codes_of_refusals() -> Iterator[str]:
    """Every literal code in `Refusal(status, code, ...)` and `Problem(status, code, ...)` of the page's side."""
    for path in SOURCE.rglob("*.py"):
        if "bot" in path.as_posix() or "moderation" in path.name or path.name in {"inner.py", "debug.py"}:
            continue  # programs and operators read codes and details, not the page
        for node in ast.walk(ast.parse(path.read_text())):
            if (
                isinstance(node, ast.Call)
                and isinstance(node.func, ast.Name)
                and node.func.id in {"Refusal", "Problem"}
            ):
                code = node.args[1]
                if isinstance(code, ast.Constant) and isinstance(code.value, str):
                    yield code.value


def test_there_are_words_for_every_refusal() -> None:
    codes = set(_codes_of_refusals()) | {check.value for check in CheckName} | {"csrf_failed", "origin_refused"}
    assert {"empty", "too_long", "locked", "slow", "rate_limited", "blocked", "high_risk_block"} <= codes
    assert {code for code in codes if f"refused_{code}" not in PHRASES["en"]} == set()


def test_a_refusal_is_told_with_its_figures() -> None:
    assert refusal_phrase("too_long", "en", limit=300) == "Too long: at most 300 characters."
    assert refusal_phrase("slow", "ko", limit=300, seconds=90) == "저속 모드입니다. 1:30 후에 다시 쓸 수 있습니다."
    assert refusal_phrase("of_a_later_release", "en", limit=300) == "That did not work. Please try again."


@pytest.mark.parametrize(
    ("seconds", "language", "shown"),
    [(0, "en", "0 s"), (59, "ja", "59 秒"), (60, "en", "1:00"), (3599, "ko", "59:59"), (86_400, "en", "24:00:00")],
)
def test_a_time_to_wait_is_written_short(seconds: int, language: str, shown: str) -> None:
    assert duration(seconds, language) == shown


@pytest.mark.parametrize(
    ("header", "language"),
    [
        ("", "en"),
        ("ja", "ja"),
        ("ja-JP,ja;q=0.9,en;q=0.8", "ja"),
        ("en-GB,en;q=0.9,ja;q=0.8", "en"),
        ("ko-KR,ko;q=0.9,ja;q=0.8", "ko"),
        ("fr, ja;q=0.5, en;q=0.4", "ja"),
        ("ja;q=0, de", "en"),
        ("ja;q=abc;;,", "en"),
    ],
)
def test_the_language_is_the_readers_first_that_the_page_has(header: str, language: str) -> None:
    assert preferred_language(header) == language
