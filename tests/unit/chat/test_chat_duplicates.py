from pathlib import Path
from typing import Any

import pytest
import yaml
from hypothesis import given
from hypothesis import strategies as st

from sakimori_chat.domain.checking.duplicate import Duplicate, repetition
from sakimori_chat.domain.checking.similarity import SIGNATURE_BYTES, resemblances, signature
from sakimori_chat.domain.checks import Objection, Recent, Said, judge
from sakimori_chat.domain.rooms import CheckName, CheckPolicy, Reaction, RoomPolicy

CASES: list[dict[str, Any]] = yaml.safe_load((Path(__file__).parent / "cases" / "duplicates.yml").read_text("utf-8"))


def objection_to(lines: list[tuple[str, float, str]], policy: RoomPolicy | None = None) -> Objection | None:
    *before, (author, at, text) = lines
    recent = [Recent(who, when, signature(what)) for who, when, what in before]
    return Duplicate().objection(Said(text, "", author, at, recent), policy or RoomPolicy())


@pytest.mark.parametrize("case", CASES, ids=lambda case: str(case["why"]))
def test_what_is_the_same_again_is_told_from_what_many_say(case: dict[str, Any]) -> None:
    objection = objection_to(case["said"])
    if not case["copies"]:
        assert objection is None
    else:
        assert objection is not None
        assert objection.reasons[0].startswith(f"{case['copies']} copies")
        assert objection.at_most is Reaction.REFUSE


def test_a_room_may_let_more_copies_pass() -> None:
    line = "Come and see my new channel, it has everything about fishing"
    policy = RoomPolicy(checks={CheckName.DUPLICATE: CheckPolicy(reaction=Reaction.REFUSE, threshold=2)})
    assert objection_to([("ann", 0, line)] * 4, policy) is None
    assert objection_to([("ann", 0, line)] * 5, policy) is not None


@pytest.mark.parametrize("text", ["w" * 120, "spam " * 40, "あ" * 80, "go away go away " * 12])
def test_one_part_over_and_over_is_noted_and_never_more(text: str) -> None:
    said = Said(text, "", "ann", 0.0)
    objection = Duplicate().objection(said, RoomPolicy())
    assert objection is not None and objection.at_most is Reaction.NOTE
    assert judge(said, RoomPolicy(), [Duplicate()]).reaction is Reaction.NOTE


@pytest.mark.parametrize(
    "text",
    [
        "ㅋㅋㅋㅋㅋㅋㅋㅋㅋㅋㅋㅋㅋㅋ",
        "noooooooooooooooooo",
        "We had a long talk about the harbour, the boats in it, and why the old one never left the pier again.",
        "今日は朝から雨が降っていて、散歩に行けなかったけど、家でゆっくり本を読めたのでそれはそれで良かったです。午後は晴れるかな。",
    ],
)
def test_laughter_and_sentences_are_no_flood(text: str) -> None:
    assert Duplicate().objection(Said(text, "", "ann", 0.0), RoomPolicy()) is None


def test_a_signature_of_another_version_is_passed_over() -> None:
    line = "Come and see my new channel, it has everything about fishing"
    strange = [
        Recent("ann", 0, signature(line)[:6] + b"\xff\xff" + bytes(64)),
        Recent("ann", 0, b""),
        Recent("ann", 0, b"x" * 72),
    ]
    assert Duplicate().objection(Said(line, "", "ann", 1.0, strange), RoomPolicy()) is None


def test_resemblance_is_near_the_share_of_common_trigrams() -> None:
    one, other = signature("the quick brown fox jumps over it"), signature("the quick brown fox sleeps on it")
    assert resemblances(one, [other, one, b"", b"x" * 72]) == [pytest.approx(15 / 34, abs=0.15), 1.0, 0.0, 0.0]


def test_signatures_are_the_same_in_every_process() -> None:
    assert signature("Hello, world").hex() == (
        "f967117f72400a016fe8ae8c2ba41e1e049efd1d75d4e02b66a72597fda4210b0252d398"
        "f035e8a52a877f36261db936d3d9da7f8990cf53921f07b5a4b11c6564fea76b395975f4"
    )


@given(st.text(max_size=300))
def test_every_text_has_a_signature_of_one_length(text: str) -> None:
    assert len(signature(text)) == SIGNATURE_BYTES
    assert repetition(text) >= 1.0
