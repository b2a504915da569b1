import math
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from bench.spam.corpus import honest
from sakimori_chat.adapters.models import SPAM_MODEL, shipped
from sakimori_chat.domain.checking.spam import Spam
from sakimori_chat.domain.checking.spam_model import SIGNS, SpamModel, SpamModelError, buckets, normalised
from sakimori_chat.domain.checks import Said
from sakimori_chat.domain.rooms import CheckName, CheckPolicy, Reaction, RoomPolicy

MODEL = shipped()

SPAM = [
    "URGENT! You have won a FREE prize of £2000, call 09061234567 now to claim your cash!",
    "Check out my channel and subscribe to my new video, please subscribe!!! http://example.com/watch",
    "Congratulations! Your mobile number has won a £1000 prize. To claim text WIN to 80082 now.",
]
ELSE = [line for lines in honest().values() for line in lines]


def said(text: str) -> Said:
    return Said(text, "", "one", 0.0)


def small(**changes: object) -> SpamModel:
    fields = {
        "version": "1-test",
        "weights": np.zeros(256, np.int16),
        "signs": np.zeros(len(SIGNS), np.int16),
        "step": 0.001,
        "bias": 0.0,
        "slope": 1.0,
        "shift": 0.0,
        "threshold": 0.9,
    }
    return SpamModel(**{**fields, **changes})  # type: ignore[arg-type]


@pytest.mark.parametrize("text", SPAM)
def test_advertising_is_objected_to_and_explained(text: str) -> None:
    objection = Spam(MODEL).objection(said(text), RoomPolicy())
    assert objection is not None
    assert objection.threshold == MODEL.threshold <= objection.score <= 0.999
    assert objection.reasons and all(reason.endswith("%") for reason in objection.reasons)


@pytest.mark.parametrize("text", SPAM)
def test_an_event_is_told_what_moved_it_without_the_words(text: str) -> None:
    objection = Spam(MODEL).objection(said(text), RoomPolicy())
    assert objection is not None
    assert [line.rpartition(" ")[2] for line in objection.outline] == [
        line.rpartition(" ")[2] for line in objection.reasons
    ]
    assert {line.rpartition(" ")[0] for line in objection.outline} <= {*SIGNS, "a word"}


@pytest.mark.parametrize("text", SPAM)
def test_look_alike_letters_hide_no_advertising(text: str) -> None:
    hidden = text.translate(str.maketrans("aeopc", "аеорс"))
    assert hidden != text
    assert Spam(MODEL).objection(said(hidden), RoomPolicy()) is not None


@pytest.mark.parametrize("text", ELSE)
def test_honest_lines_are_not_objected_to(text: str) -> None:
    assert Spam(MODEL).objection(said(text), RoomPolicy()) is None


@pytest.mark.parametrize(
    "text",
    [
        "無料でプレゼントが当たる！今すぐ登録！",
        "무료 상품 당첨! 지금 바로 전화하세요",
        "Бесплатный приз! Звоните сейчас!",
    ],
)
def test_of_other_scripts_it_says_nothing(text: str) -> None:
    assert MODEL.probability(text) == 0.0


def test_a_room_sets_its_own_threshold() -> None:
    text = "please subscribe to my new video"
    strict = CheckPolicy(reaction=Reaction.HOLD, threshold=0.2)
    probability = MODEL.probability(text)
    assert probability > 0.2
    assert Spam(MODEL).objection(said(text), RoomPolicy(checks={CheckName.SPAM: strict})) is not None


def test_the_margin_is_the_sum_of_what_is_there() -> None:
    weights = np.zeros(256, np.int16)
    found = buckets(" ok ", 256)
    weights[found] = 100
    model = small(weights=weights, bias=-0.5, slope=2.0, shift=0.25)
    margin = 0.001 * 100 * len(found) / math.sqrt(len(found) + 20) - 0.5
    assert model.probability("ok") == pytest.approx(1 / (1 + math.exp(-(2 * margin + 0.25))))


@pytest.mark.parametrize(
    ("text", "plain"),
    [
        ("Hello  World", " hello world "),
        ("call 09061234567", " call 000000 "),
        ("see https://example.com/a?b now", " see http: now "),
        ("soooooo", " sooo "),
        ("Неllо", " hello "),
        ("привет", None),
        ("草", None),
        ("👍", " 👍 "),
    ],
)
def test_texts_are_normalised(text: str, plain: str | None) -> None:
    assert normalised(text) == plain


@pytest.mark.parametrize(
    "changes",
    [
        {"weights": np.zeros(100, np.int16)},
        {"weights": np.zeros(256, np.int32)},
        {"signs": np.zeros(3, np.int16)},
        {"step": 0.0},
        {"slope": -1.0},
        {"bias": float("nan")},
        {"threshold": 1.0},
    ],
)
def test_parts_that_do_not_fit_are_no_model(changes: dict[str, object]) -> None:
    with pytest.raises(SpamModelError):
        small(**changes)


def test_a_model_is_read_as_it_was_written(tmp_path: Path) -> None:
    SPAM_MODEL.write(tmp_path / "model.npz", MODEL, {})
    again = SPAM_MODEL.read(tmp_path / "model.npz")
    assert (again.weights == MODEL.weights).all() and (again.signs == MODEL.signs).all()
    assert (again.version, again.threshold, again.slope) == (MODEL.version, MODEL.threshold, MODEL.slope)


@pytest.mark.parametrize("content", [b"", b"PK\x03\x04", b"no archive", bytes(17 << 20)])
def test_a_file_that_is_no_model_is_named(tmp_path: Path, content: bytes) -> None:
    (tmp_path / "model.npz").write_bytes(content)
    with pytest.raises(SpamModelError, match=r"model\.npz"):
        SPAM_MODEL.read(tmp_path / "model.npz")


@settings(deadline=None)
@given(st.text(max_size=400))
def test_every_text_gets_a_probability(text: str) -> None:
    assert 0.0 <= MODEL.probability(text) <= 1.0
    MODEL.explained(text)


@pytest.mark.data
@pytest.mark.timeout(600)
def test_the_shipped_model_comes_out_of_training_again(development_data: Path) -> None:
    command = [sys.executable, "-m", "bench.spam", "check", "--data", str(development_data)]
    done = subprocess.run(command, check=False, capture_output=True, text=True, timeout=590)
    assert done.returncode == 0, done.stdout + done.stderr
