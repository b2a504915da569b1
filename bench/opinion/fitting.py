"""From labelled texts to a model: one logistic regression a class against everything benign, validated by source.

What is validated is always predicted by a fit that has not seen its source; calibration and threshold are made of these
predictions, the model itself of everything.
"""

from collections import Counter
from collections.abc import Sequence
from typing import Any, Final, NamedTuple

import numpy as np
from numpy.typing import NDArray
from scipy.sparse import csr_matrix
from sklearn.linear_model import LogisticRegression

from bench.opinion.corpus import BENIGN, CLASSES, Sample
from sakimori_detector.domain.opinion.model import Model, length
from sakimori_detector.domain.opinion.ngrams import buckets, normalised

BITS: Final = 16
PENALTY: Final = 50.0
"""Inverse strength of the L2 penalty; with 10, a little less was found of sources left out at the same alarms."""
ALARMS: Final = 0.001
"""Of each benign source left out, at most so many may lie above the thresholds; each class may have a fourth."""
CUSHION: Final = 0.5
"""Added to the margin of a threshold, for the next source is none of these."""
LEAST: Final = 0.9
"""No threshold lies below this probability."""

Margins = NDArray[np.float64]


class Fit(NamedTuple):
    """Weights, shape (classes, buckets), and biases of the classes, before they are made whole numbers."""

    weights: NDArray[np.float64]
    biases: NDArray[np.float64]


class Settled(NamedTuple):
    """What the predictions for sources left out decide: log-odds = slope * margin + shift; thresholds by class."""

    slope: float
    shift: float
    thresholds: tuple[float, ...]


def features(samples: Sequence[Sample], bits: int = BITS) -> csr_matrix:
    """Make the rows that the model's margin is a product with: 1 / length for each n-gram that a text has."""
    columns, lengths = [], []
    for sample in samples:
        _, hashed = buckets([normalised(sample.text)], bits)
        columns.append(hashed.astype(np.int32))
        lengths.append(len(hashed))
    ends = np.concatenate(([0], np.cumsum(lengths)))
    values = np.concatenate([np.full(size, 1 / length(size)) for size in lengths])
    return csr_matrix((values, np.concatenate(columns), ends), shape=(len(samples), 1 << bits))


def fit(rows: csr_matrix, samples: Sequence[Sample], seed: int) -> Fit:
    """Fit each class against everything benign. The same for the same input and seed, one thread."""
    labels = np.array([sample.label for sample in samples])
    weights, biases = [], []
    for name in CLASSES:
        chosen = np.flatnonzero((labels == name) | (labels == BENIGN))
        machine = LogisticRegression(C=PENALTY, solver="liblinear", random_state=seed, max_iter=1000)
        machine.fit(
            rows[chosen],
            labels[chosen] == name,
            sample_weight=_importance([samples[place] for place in chosen.tolist()]),
        )
        weights.append(machine.coef_[0])
        biases.append(float(machine.intercept_[0]))
    return Fit(np.array(weights), np.array(biases))


def left_out(rows: csr_matrix, samples: Sequence[Sample], seed: int) -> Margins:
    """Predict every sample by a fit without its source; shape (samples, classes)."""
    margins = np.zeros((len(samples), len(CLASSES)))
    held = np.array([sample.held for sample in samples])
    for name in sorted(set(held)):
        kept, out = np.flatnonzero(held != name), np.flatnonzero(held == name)
        found = fit(rows[kept], [samples[place] for place in kept.tolist()], seed)
        margins[out] = predicted(rows[out], found)
    return margins


def predicted(rows: csr_matrix, found: Fit) -> Margins:
    """Give the margins, shape (rows, classes)."""
    product: Any = rows @ found.weights.T
    return np.asarray(product + found.biases, dtype=np.float64)


def settle(margins: Margins, samples: Sequence[Sample], seed: int) -> Settled:
    """Calibrate (Platt's sigmoid, attacks and benign texts at even odds) and set the thresholds."""
    best = margins.max(axis=1)
    is_attack = np.array([sample.label != BENIGN for sample in samples])
    machine = LogisticRegression(C=1e6, solver="liblinear", random_state=seed)
    machine.fit(best[:, None], is_attack, sample_weight=_importance(samples))
    slope, shift = float(machine.coef_[0][0]), float(machine.intercept_[0])
    above = [margin + CUSHION for margin in _highest(margins, samples)]
    return Settled(slope, shift, tuple(max(float(1 / (1 + np.exp(-slope * m - shift))), LEAST) for m in above))


def model_of(found: Fit, settled: Settled, version: str) -> Model:
    """Round to whole numbers: the largest weight is 32767 steps."""
    step = float(np.abs(found.weights).max()) / 32767
    return Model(
        version=version,
        classes=CLASSES,
        weights=np.round(found.weights / step).astype(np.int16),
        step=step,
        biases=tuple(round(bias, 9) for bias in found.biases.tolist()),
        slope=settled.slope,
        shift=settled.shift,
        thresholds=tuple(round(threshold, 9) for threshold in settled.thresholds),
    )


def _highest(margins: Margins, samples: Sequence[Sample]) -> list[float]:
    """Find for each class the margin above which no benign source has too many texts that are likeliest of it."""
    sources = np.array([sample.source if sample.label == BENIGN else "" for sample in samples])
    named = margins.argmax(axis=1)
    highest = []
    for place in range(margins.shape[1]):
        mine = np.where(named == place, margins[:, place], -np.inf)
        each = [np.sort(mine[sources == source])[::-1] for source in sorted(set(sources.tolist()) - {""})]
        highest.append(max(float(some[int(len(some) * ALARMS / margins.shape[1])]) for some in each))
    return highest


def _importance(samples: Sequence[Sample]) -> NDArray[np.float64]:
    """Weigh samples: a source counts as the root of its size, attacks as much as benign texts."""
    sizes = Counter((sample.source, sample.label) for sample in samples)
    weights = np.array([1 / np.sqrt(sizes[sample.source, sample.label]) for sample in samples])
    is_benign = np.array([sample.label == BENIGN for sample in samples])
    for side in (is_benign, ~is_benign):
        weights[side] *= len(samples) / 2 / weights[side].sum()
    return weights
