"""Training of the second opinion, on a few texts of its templates."""

from pathlib import Path

import numpy as np

from bench.opinion import texts
from bench.opinion.corpus import BENIGN, CLASSES, Sample
from bench.opinion.fitting import Settled, features, fit, left_out, model_of, predicted, settle
from sakimori_detector.adapters.models import OPINION_MODEL
from sakimori_detector.domain.opinion.model import Model
from sakimori_detector.domain.opinion.parts import values

BITS = 12
SEED = 3


def few_samples() -> list[Sample]:
    """Take some of each class and of benign texts, in two sources each."""
    found = []
    for place, (label, text) in enumerate(texts.filled(texts.ATTACKS, SEED, 30)):
        source = f"attacks {place % 2}"
        found += [Sample(value, label, source, source) for value in values(text.split("\n"))]
    for family, text in texts.filled(texts.BENIGN, SEED, 10):
        source = "first" if family < "m" else "second"
        found += [Sample(value, BENIGN, source, source) for value in values(text.split("\n"))]
    return found


SAMPLES = few_samples()


def small_model() -> Model:
    rows = features(SAMPLES, BITS)
    settled = settle(left_out(rows, SAMPLES, SEED), SAMPLES, SEED)
    return model_of(fit(rows, SAMPLES, SEED), settled, "small")


def test_training_twice_gives_the_same_bytes_and_a_model_that_knows_an_attack_from_a_sentence(tmp_path: Path) -> None:
    for name in ("one", "two"):
        OPINION_MODEL.write(tmp_path / name, small_model(), {"seed": SEED})
    assert (tmp_path / "one").read_bytes() == (tmp_path / "two").read_bytes()
    attack, sentence = OPINION_MODEL.read(tmp_path / "one").opinions(
        ["x' or 'a'='a' -- ", "we can't come, it's raining (again)"]
    )
    assert attack.probability > sentence.probability + 0.3


def test_the_model_says_what_was_fitted() -> None:
    rows = features(SAMPLES, BITS)
    found = fit(rows, SAMPLES, SEED)
    model = model_of(found, Settled(1.0, 0.0, (0.9,) * 4), "small")
    margins = predicted(rows, found).max(axis=1).tolist()
    said = [opinion.probability for opinion in model.opinions([sample.text for sample in SAMPLES])]
    assert np.allclose(said, [model.probability(margin) for margin in margins], atol=0.001)


def test_each_class_has_its_threshold_above_every_benign_source_left_out() -> None:
    samples = [Sample("", BENIGN, "one", "one")] * 3 + [Sample("", "sqli", "two", "two")] * 3
    margins = np.array([[2.25, 0.0], [0.0, 3.0], [-1.0, -9.0], [6.0, 0.0], [4.0, 0.0], [2.0, 0.0]])
    settled = settle(margins, samples, SEED)
    expected = [1 / (1 + np.exp(-settled.slope * margin - settled.shift)) for margin in (2.75, 3.5)]
    assert np.allclose(settled.thresholds, np.maximum(expected, 0.9))
    assert settled.slope > 0


def test_templates_are_filled_alike_for_a_seed_and_otherwise_for_another() -> None:
    first, again, other = (list(texts.filled(texts.BENIGN, seed, 30)) for seed in (1, 1, 2))
    assert first == again
    assert first != other


def test_attack_templates_are_of_the_classes_and_leave_no_slot_unfilled() -> None:
    filled = list(texts.filled(texts.ATTACKS, 1, 200))
    assert {label for label, _ in filled} == set(CLASSES)
    assert not [text for _, text in filled if "<dbinfo>" in text or "<cmd>" in text or "<host>" in text]
