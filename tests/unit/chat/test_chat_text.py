import unicodedata

import pytest
from hypothesis import given
from hypothesis import strategies as st

from sakimori_chat.domain.text import MAX_RAW_CHARACTERS, clean_name, clean_text, is_oversized

HOSTILE = "".join(
    [
        "a1#\u00e9 \t\n\u2028\u2800\u3164",
        "\u0301\u0308\u0323\u0344\u0958\u20e3\u0489",  # marks; two that NFC takes apart
        "\u200b\u200c\u200d\ufe00\ufe0f\U000e0100\u2060\ufeff\u00ad\u034f",
        "\u202e\u2067\u061c\u0600\ufdd0\ue000\ud800\ufffc",
        "👩🏽🏴❤\U0001fae8\U000e0067\U000e0062\U000e007f",
        "\u0645\u06cc\u0915\u094d\u0937\u093f\u0e01\u0e47\u0f40\u0f90\u05d0\u05bc\u1112\u1161\u11ab葛가",
    ]
)


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


@pytest.mark.parametrize(
    "honest",
    [
        "می\u200cخواهم",  # Persian: without the non-joiner it is spelled wrongly
        "ه\u200d.ق",  # an Arabic letter in its initial form
        "क्\u200dष और क्\u200cष",  # Hindi: which form a conjunct takes
        "ශ්\u200dරී ලංකා",  # Sinhala
        "র\u200d্যাব",  # Bengali: the joiner comes before the virama
        "Việt Nam đẹp lắm",
        "ที่นี่น้ำมีปู่",
        "בְּרֵאשִׁית",
        "הָאָ֑רֶץ",
        "བསྒྲུབས་ ཧཱུྂ",
        "مُحَمَّدٌ",
        "👩\u200d👩\u200d👧\u200d👦 👍🏽 🏳\ufe0f\u200d🌈 ❤\ufe0f\u200d🔥 1\ufe0f\u20e3 🇯🇵",
        "🏴\U000e0067\U000e0062\U000e0073\U000e0063\U000e0074\U000e007f",  # the flag of Scotland
        "🧑🏻\u200d❤\ufe0f\u200d💋\u200d🧑🏿",
        "\U0001fae8 \U0001fadc",  # emoji that are newer than Python's tables
        "葛\U000e0100城市",  # how the city writes its name
        "ᠮᠣᠩᠭᠣᠯ\u180b",
        "草 ㅋㅋㅋ ¯\\_(ツ)_/¯ (╯°□°)╯︵ ┻━┻",
    ],
)
def test_honest_writing_stays_whole(honest: str) -> None:
    assert clean_text(honest) == honest


@pytest.mark.parametrize(
    ("raw", "clean"),
    [
        ("Z" + "\u0300\u0301\u0302\u0303\u0304\u0305\u0306\u0307" * 20, "Z\u0300\u0301\u0302\u0303"),
        ("ก" + "\u0e47" * 50, "ก\u0e47"),
        ("\u0301\u0301 hm", "hm"),
        ("sp\u200bam sp\u2060am sp\u00adam sp\u200dam", "spam spam spam spam"),
        ("hidden\U000e0068\U000e0069\U000e007f", "hidden"),
        ("🏴\U000e0067", "🏴"),
        ("a\ufe0fb\ufe00c", "abc"),
        ("👩\u200d\u200d\u200d", "👩"),
        ("one\u3164two\uffa0", "onetwo"),
        ("one\u2800\u2028\u2029two", "one two"),
        ("\ue000private\U000f0000", "private"),
        ("non\ufdd0character\ufffe", "noncharacter"),
    ],
)
def test_what_is_unseen_or_floods_is_dropped(raw: str, clean: str) -> None:
    assert clean_text(raw) == clean


@pytest.mark.parametrize(
    "raw", ["\u2800\u2800", "\u3164", "\u115f\u1160", "\ufe0f\u200d", "\u0301", "\U000e0041", "\ufffc"]
)
def test_what_looks_empty_is_empty(raw: str) -> None:
    assert clean_text(raw) == ""


def test_a_name_is_not_cut_within_an_emoji() -> None:
    assert clean_name("n" * 18 + "👩\u200d👧") == "n" * 18 + "👩"


def test_only_so_much_is_looked_at() -> None:
    assert not is_oversized("a" * MAX_RAW_CHARACTERS)
    assert is_oversized("\u200b" * MAX_RAW_CHARACTERS + "a")
    assert len(clean_text("\u0344" * 1_000_000)) <= 3 * MAX_RAW_CHARACTERS


@given(st.text(alphabet=HOSTILE, max_size=40))
def test_cleaning_hostile_text_twice_is_once_and_it_never_grows_beyond_three_times(raw: str) -> None:
    clean = clean_text(raw)
    assert clean_text(clean) == clean
    assert unicodedata.is_normalized("NFC", clean)
    assert len(clean) <= 3 * len(raw)


@given(st.text(alphabet=HOSTILE, max_size=40))
def test_a_cleaned_name_is_clean_and_short(raw: str) -> None:
    name = clean_name(raw)
    assert clean_name(name) == name
    assert len(name) <= 20
