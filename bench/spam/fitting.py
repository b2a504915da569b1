"""From labelled messages to a model, validated by videos and by messages that differ in more than their numbers.

What is validated is always predicted by a fit that has not seen it; calibration and threshold are made of these
predictions, the model itself of everything.
"""

import math
from collections import Counter
from collections.abc import Sequence
from typing import Any, Final, NamedTuple

import numpy as np
from numpy.typing import NDArray
from scipy.sparse import csr_matrix, hstack
from sklearn.linear_model import LogisticRegression
from sklearn.model_selection import StratifiedGroupKFold, StratifiedKFold

from bench.spam.corpus import Sample
from sakimori_chat.domain.checking.spam_model import PRIOR, SIGN_STEP, SpamModel, buckets, normalised, signs_of

BITS: Final = 16
PENALTY: Final = 10.0
"""Inverse strength of the L2 penalty; 50 was no better where a source is left out."""
FOLDS: Final = 5
ALARMS: Final = 0.005
"""Of each source's ham left out, at most so many may reach the threshold."""
LEAST: Final = 0.9
"""The threshold lies no lower."""

Margins = NDArray[np.float64]


class Fit(NamedTuple):
    """Weights of buckets and signs, and the bias, before they are made whole numbers."""

    weights: NDArray[np.float64]
    bias: float


class Settled(NamedTuple):
    """What the predictions decide: log-odds = slope * margin + shift, and the threshold."""

    slope: float
    shift: float
    threshold: float


def features(texts: Sequence[str]) -> csr_matrix:
    """Make the rows that the model's margin is a product with; a text that is not Latin has none."""
    columns: list[NDArray[Any]] = []
    values: list[NDArray[np.float64]] = []
    signs: list[NDArray[np.float64]] = []
    for text in texts:
        plain = normalised(text)
        found = buckets(plain, 1 << BITS) if plain is not None else np.empty(0, np.uint32)
        columns.append(found.astype(np.int32))
        values.append(np.full(len(found), 1 / math.sqrt(len(found) + PRIOR), np.float64))
        signs.append(SIGN_STEP * signs_of(text, plain or "").astype(np.float64))
    ends = np.concatenate(([0], np.cumsum([len(each) for each in columns])))
    sequences = csr_matrix((np.concatenate(values), np.concatenate(columns), ends), shape=(len(texts), 1 << BITS))
    return csr_matrix(hstack([sequences, csr_matrix(np.array(signs))]))


def fit(rows: csr_matrix, samples: Sequence[Sample], seed: int) -> Fit:
    """Fit spam against ham. The same for the same input and seed, one thread."""
    machine = LogisticRegression(C=PENALTY, solver="liblinear", random_state=seed, max_iter=1000)
    machine.fit(rows, _labels(samples), sample_weight=importance(samples))
    return Fit(machine.coef_[0], float(machine.intercept_[0]))


def left_out(rows: csr_matrix, samples: Sequence[Sample], seed: int) -> Margins:
    """Predict every sample by a fit without it: comments without their video, the rest without what is like them."""
    margins = np.zeros(len(samples))
    for places in folds(samples, seed):
        is_out = np.zeros(len(samples), np.bool_)
        is_out[places] = True
        kept = np.flatnonzero(~is_out)
        margins[places] = predicted(rows[places], fit(rows[kept], [samples[place] for place in kept.tolist()], seed))
    return margins


def folds(samples: Sequence[Sample], seed: int) -> list[NDArray[np.int64]]:
    """Share the samples out: a video with one fifth of the others."""
    comments = np.array([sample.source == "youtube-spam" for sample in samples])
    held = np.array([sample.held for sample in samples])
    others, labels = np.flatnonzero(~comments), _labels(samples)
    machine = StratifiedGroupKFold(FOLDS, shuffle=True, random_state=seed)
    parts = [others[out] for _, out in machine.split(others, labels[others], held[others])]
    videos = [np.flatnonzero(comments & (held == video)) for video in sorted(set(held[comments].tolist()))]
    return [np.concatenate(pair) for pair in zip(parts, videos, strict=True)]


def alone(rows: csr_matrix, samples: Sequence[Sample], source: str, seed: int) -> tuple[NDArray[np.bool_], ...]:
    """Judge one source from itself by random fifths, as references do: what is called spam, and what is.

    Where the line is drawn follows from the other four fifths alone, by fits on parts of them.
    """
    mine = np.array([place for place, sample in enumerate(samples) if sample.source == source])
    chosen, mine_rows = [samples[place] for place in mine.tolist()], rows[mine]
    labels, called = _labels(chosen), np.zeros(len(chosen), np.bool_)
    for kept, out in StratifiedKFold(FOLDS, shuffle=True, random_state=seed).split(mine, labels):
        inner = _in_fifths(mine_rows[kept], [chosen[place] for place in kept.tolist()], seed)
        found = fit(mine_rows[kept], [chosen[place] for place in kept.tolist()], seed)
        called[out] = predicted(mine_rows[out], found) >= _best_line(inner, labels[kept])
    return called, labels


def _in_fifths(rows: csr_matrix, samples: Sequence[Sample], seed: int) -> Margins:
    margins, labels = np.zeros(len(samples)), _labels(samples)
    for kept, out in StratifiedKFold(FOLDS, shuffle=True, random_state=seed).split(labels, labels):
        margins[out] = predicted(rows[out], fit(rows[kept], [samples[place] for place in kept.tolist()], seed))
    return margins


def _best_line(margins: Margins, labels: NDArray[np.bool_]) -> float:
    """Find the margin from which on calling messages spam makes the best F1."""
    order = np.argsort(-margins)
    hits = np.cumsum(labels[order])
    quality = 2 * hits / (np.arange(1, len(order) + 1) + labels.sum())
    best = int(quality.argmax())
    return float(margins[order[best : best + 2]].mean())


def predicted(rows: csr_matrix, found: Fit) -> Margins:
    """Give the margins, shape (rows,)."""
    product: Any = rows @ found.weights
    return np.asarray(product + found.bias, dtype=np.float64)


def settle(margins: Margins, samples: Sequence[Sample], seed: int) -> Settled:
    """Calibrate (Platt's sigmoid, spam and ham at even odds) and set the threshold."""
    machine = LogisticRegression(C=1e6, solver="liblinear", random_state=seed)
    machine.fit(margins[:, None], _labels(samples), sample_weight=importance(samples))
    slope, shift = float(machine.coef_[0][0]), float(machine.intercept_[0])
    highest = -math.inf
    for source in sorted({sample.source for sample in samples}):
        ham = np.array([not sample.is_spam and sample.source == source for sample in samples])
        ordered = np.sort(margins[ham])[::-1]
        highest = max(highest, float(ordered[int(len(ordered) * ALARMS)]))
    threshold = max(float(probabilities(np.array([highest]), slope, shift)[0]), LEAST)
    return Settled(slope, shift, round(min(threshold, 0.999), 3))


def probabilities(margins: Margins, slope: float, shift: float) -> Margins:
    """Turn margins into calibrated probabilities."""
    return np.asarray(1 / (1 + np.exp(-(slope * margins + shift))), dtype=np.float64)


def model_of(found: Fit, settled: Settled, version: str) -> SpamModel:
    """Round to whole numbers: the largest weight is 32767 steps."""
    step = float(np.abs(found.weights).max()) / 32767
    whole = np.round(found.weights / step).astype(np.int16)
    return SpamModel(
        version=version,
        weights=whole[: 1 << BITS],
        signs=whole[1 << BITS :],
        step=step,
        bias=round(found.bias, 9),
        slope=settled.slope,
        shift=settled.shift,
        threshold=settled.threshold,
    )


def importance(samples: Sequence[Sample]) -> NDArray[np.float64]:
    """Weigh samples: a source counts as the root of its size, and in each source of both kinds spam as much as ham."""
    sizes = Counter((sample.source, sample.is_spam) for sample in samples)
    weights = np.array([1 / np.sqrt(sizes[sample.source, sample.is_spam]) for sample in samples])
    for source in {sample.source for sample in samples if sample.is_spam}:
        mine = np.array([sample.source == source for sample in samples])
        spam = np.array([sample.is_spam for sample in samples])
        weights[mine & spam] *= weights[mine & ~spam].sum() / weights[mine & spam].sum()
    return np.asarray(weights * len(samples) / weights.sum(), dtype=np.float64)


def _labels(samples: Sequence[Sample]) -> NDArray[np.bool_]:
    return np.array([sample.is_spam for sample in samples], np.bool_)
