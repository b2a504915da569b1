"""From samples to a model: one multinomial logistic regression over the presence of signs."""

import hashlib
import random
from collections import Counter
from collections.abc import Sequence
from dataclasses import replace
from typing import Final

import numpy as np
from numpy.typing import NDArray
from scipy.optimize import minimize_scalar
from sklearn.linear_model import LogisticRegression
from threadpoolctl import threadpool_limits

from bench.devices.corpus import Sample, products, units, vocabulary
from sakimori_packet_sensor.domain.devices.model import OTHER, Model

PENALTY: Final = 1.0
"""Inverse strength of the L2 penalty."""
SPOKEN: Final = 2.0
"""What a device says of itself by name counts for so much more than what it merely does."""
_SPOKEN_KINDS: Final = frozenset({"dhcp.hostname", "mdns.instance", "mdns.host", "edimax.model", "ssdp.server"})
FEWEST: Final = 2
"""A sign must be in so many captures of one product."""
KEPT: Final = (1.0, 0.8, 0.6, 0.4)
"""Each capture is learnt whole, and again with only a part of its signs: a sensor seldom sees a device being set up."""
OTHERS: Final = 8.0
"""The background weighs as much as so many products."""

Rows = NDArray[np.float64]


def model_of(samples: Sequence[Sample], seed: int, temperature: float = 1.0) -> Model:
    """Fit a model. The same for the same input and seed, one thread."""
    names = vocabulary(samples, FEWEST)
    learnt = [*thinned(samples, seed)]
    labels = np.array([sample.label for sample in learnt])
    machine = LogisticRegression(C=PENALTY, max_iter=1000)
    with threadpool_limits(1):  # with more, they wait for one another, and add up in another order
        machine.fit(rows(learnt, names) * _scale(names), labels, sample_weight=_importance(labels))
    weights, biases = np.asarray(machine.coef_) * _scale(names), np.asarray(machine.intercept_)
    step = float(np.abs(weights).max()) / 32767
    table = products()
    return named(
        Model(
            version="",
            products=tuple(table[str(label)] for label in machine.classes_),
            signs=names,
            weights=np.round(weights / step).astype(np.int16),
            step=step,
            biases=tuple(round(bias, 9) for bias in biases.tolist()),
            temperature=temperature,
        )
    )


def named(model: Model) -> Model:
    """Give a model a version that tells it from others: a digest of all that its guesses follow from."""
    rest = (model.products, model.signs, model.step, model.biases, model.temperature)
    digest = hashlib.sha256(model.weights.tobytes() + repr(rest).encode()).hexdigest()
    return replace(model, version=f"1-{digest[:8]}")


def rows(samples: Sequence[Sample], names: Sequence[str]) -> Rows:
    """Give the presence of signs, shape (samples, signs)."""
    places = {name: place for place, name in enumerate(names)}
    found = np.zeros((len(samples), len(names)))
    for row, sample in enumerate(samples):
        found[row, [places[sign] for sign in sample.signs if sign in places]] = 1.0
    return found


def _scale(names: Sequence[str]) -> Rows:
    """Give each sign's scale: the penalty weighs less on larger ones."""
    return np.array([SPOKEN if name.partition(":")[0] in _SPOKEN_KINDS else 1.0 for name in names])


def thinned(samples: Sequence[Sample], seed: int) -> list[Sample]:
    """Add captures with a part of their signs."""
    chance = random.Random(seed)
    return [
        sample if kept == 1.0 else sample._replace(signs=tuple(sign for sign in sample.signs if chance.random() < kept))
        for sample in samples
        for kept in (KEPT if sample.label != OTHER else (1.0,))
    ]


def margins_left_out(
    samples: Sequence[Sample], others: Sequence[Sample], seed: int, folds: int = 4
) -> tuple[Rows, list[str]]:
    """Give margins of samples left out, and their labels.

    Of captures left out (one of each unit at a time), whole and thinned, and of units left out where a product has
    another: a probability must be right for a device that was not in the laboratory, too.
    """
    owners = Counter({sample.unit: sample.label for sample in samples}.values())
    held = [{places[fold] for places in units(samples).values() if fold < len(places)} for fold in range(folds)]
    held += [set(places) for places in units(samples).values() if owners[samples[places[0]].label] > 1]
    margins, labels = [], []
    for out in held:
        kept = [sample for place, sample in enumerate(samples) if place not in out]
        model = model_of([*kept, *others], seed)
        told = thinned([samples[place] for place in sorted(out)], seed + 1)
        margins.append(rows(told, model.signs) @ (model.weights.T * model.step) + np.array(model.biases))
        labels += [sample.label for sample in told]
    return np.concatenate(margins), labels


def calibrated(model: Model, margins: Rows, labels: Sequence[str]) -> Model:
    """Choose the temperature that makes margins of samples left out likeliest; bounded, for few samples say little."""
    places = np.array([[product.name for product in model.products].index(label) for label in labels])

    def loss(temperature: float) -> float:
        scaled = margins / temperature
        scaled = scaled - scaled.max(axis=1, keepdims=True)
        return float(-(scaled[np.arange(len(places)), places] - np.log(np.exp(scaled).sum(axis=1))).mean())

    best = minimize_scalar(loss, bounds=(0.5, 4.0), method="bounded", options={"xatol": 1e-4})
    return named(replace(model, temperature=round(float(best.x), 3)))


def _importance(labels: NDArray[np.str_]) -> Rows:
    """Weigh samples so that each product counts alike, and the background as some of them."""
    weights = np.zeros(len(labels))
    mean = float(np.mean([np.sum(labels == name) for name in np.unique(labels) if name != OTHER]))
    for name in np.unique(labels):
        here = labels == name
        weights[here] = mean * (OTHERS if name == OTHER else 1.0) / here.sum()
    return weights
