import unicodedata

import pytest
from hypothesis import given
from hypothesis import strategies as st

from sakimori_chat.domain.text import clean_name, clean_text


@pytest.mark.parametrize(
    ("raw", "clean"),
    [
        ("  hello  ", "hello"),
        ("one\r\ntwo\tthree", "one two three"),
        ("null\x00and\x1b[31mescape\x7f", "nulland[31mescape"),
        ("safe\u202eexe.txt", "safeexe.txt"),
        ("\u2066isolated\u2069", "isolated"),
        ("e\u0301", "\u00e9"),
        ("lone\ud800surrogate", "lonesurrogate"),
        ("👩\u200d👩\u200d👧", "👩\u200d👩\u200d👧"),
        ("<b>&amp;</b>", "<b>&amp;</b>"),
        ("全角\u3000空白", "全角 空白"),
    ],
)
def test_text_is_cleaned(raw: str, clean: str) -> None:
    assert clean_text(raw) == clean


@pytest.mark.parametrize("raw", ["", "   ", "\n\t", "\u200b\u200d", "\u00ad", "\x00"])
def test_what_nobody_can_see_is_empty(raw: str) -> None:
    assert clean_text(raw) == ""


def test_a_name_has_at_most_twenty_characters() -> None:
    assert clean_name("n" * 21) == "n" * 20
    assert clean_name("  防人 ") == "防人"


@given(st.text())
def test_cleaning_leaves_no_control_character_and_twice_is_once(raw: str) -> None:
    clean = clean_text(raw)
    assert not any(unicodedata.category(character) in {"Cc", "Cs"} for character in clean)
    assert clean == clean.strip()
    assert clean_text(clean) == clean
