import pytest
from hypothesis import given
from hypothesis import strategies as st

from sakimori_chat.domain.folding import folded
from sakimori_chat.domain.names import NameFault, fault_of


@pytest.mark.parametrize(
    "name",
    [
        "admin",
        "ADMIN",
        "Admin 2",
        "The Admin",
        "аdmin",  # Cyrillic a
        "ΑDΜΙΝ",  # Greek capitals
        "ａｄｍｉｎ",
        "𝔞𝔡𝔪𝔦𝔫",
        "ⓐⓓⓜⓘⓝ",
        "ꓮꓓꓟꓲꓠ",  # Lisu
        "adm1n",
        "adrnin",
        "@dm!n",
        "admın",
        "Admín",
        "a d m i n",
        "xX_admin_Xx",
        "admin123",
        "realadmin",
        "m0derator",
        "OPERATOR",
        "0perat0r",
        "bot-weather",
        "BOT weather",
        "bоt-weather",  # Cyrillic o
        "B0T",
        "System",
        "lobby",
        "anon-0a1b2c3d",
        "管理人",
        "운영자",
        "ｼｽﾃﾑ",
    ],
)
def test_names_that_look_like_a_role_are_reserved(name: str) -> None:
    assert fault_of(name) is NameFault.RESERVED


@pytest.mark.parametrize(
    "name",
    [
        "",
        "Anna",
        "Badminton Ben",
        "Robot",
        "Talbot",
        "bottle",
        "Modest Mouse",
        "Hostess",
        "Cooperator",
        "Supporter",
        "Rooted",
        "anonette",
        "Ямал",
        "Сергей Sergei",
        "Ελένη",
        "みかん",
        "サクラ sakura",
        "桜Sakura",
        "김민수",
        "José",
        "Nguyễn Văn",
        "علی‌رضا",
        "𝓐𝓷𝓷𝓪",
        "7",
        "👩\u200d👩\u200d👧",
    ],
)
def test_names_of_people_are_not(name: str) -> None:
    assert fault_of(name) is None


@pytest.mark.parametrize("name", ["Аnna", "pаypal", "Ωmega", "Ꭺnna"])
def test_a_word_may_not_mix_alphabets_that_look_alike(name: str) -> None:
    assert fault_of(name) is NameFault.MIXED_SCRIPTS


@given(st.text(max_size=20))
def test_every_name_gets_an_answer(name: str) -> None:
    fault_of(name)


@given(st.text(max_size=300))
def test_folding_is_bounded(text: str) -> None:
    assert len(folded(text)) <= 4096


def test_folding_makes_look_alikes_alike() -> None:
    assert {
        folded(text) for text in ("hello", "HELLO", "һеllо", "ｈｅｌｌｏ", "h\u200bello", "héllo", "𝐡𝐞𝐥𝐥𝐨", "ΗΕLLΟ")
    } == {"hello"}
    assert folded("が") == "が"
    assert folded("한국어") == folded("한국어")
    assert folded("ﷺ" * 3000) == folded("ﷺ" * 4000)
