from pathlib import Path
from typing import Any

import pytest
import yaml
from hypothesis import given
from hypothesis import strategies as st

from sakimori_chat.domain.checking.words import Words, word_list
from sakimori_chat.domain.checks import Said
from sakimori_chat.domain.rooms import CheckName, CheckPolicy, Reaction, RoomPolicy

CASES: list[dict[str, Any]] = yaml.safe_load((Path(__file__).parent / "cases" / "words.yml").read_text("utf-8"))


def said(text: str) -> Said:
    return Said(text, "", "one", 0.0)


@pytest.mark.parametrize("case", CASES, ids=lambda case: str(case["why"]))
def test_the_list_finds_what_it_should_and_nothing_else(case: dict[str, Any]) -> None:
    objection = Words().objection(said(case["text"]), RoomPolicy(words=tuple(case["words"])))
    assert list(objection.reasons if objection else ()) == case["entries"]


def test_a_room_may_let_one_word_pass() -> None:
    two = CheckPolicy(reaction=Reaction.HOLD, threshold=2)
    policy = RoomPolicy(words=("one", "two"), checks={CheckName.WORDS: two})
    assert Words().objection(said("one"), policy) is None
    objection = Words().objection(said("one two"), policy)
    assert objection is not None and (objection.score, objection.threshold) == (2.0, 2)
    assert objection.outline == objection.reasons == ("one", "two")


@given(st.text(max_size=300), st.lists(st.text(min_size=1, max_size=20), max_size=10))
def test_every_list_and_text_gets_an_answer(text: str, entries: list[str]) -> None:
    word_list(tuple(entries)).found(text)


@given(st.text(alphabet="abcdefghk", min_size=3, max_size=12))
def test_an_entry_finds_itself(entry: str) -> None:
    assert word_list((entry,)).found(f"so {entry} it is") == [entry]
