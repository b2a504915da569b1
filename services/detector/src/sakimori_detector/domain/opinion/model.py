"""A linear model over hashed n-grams: how much a text looks like an attack of each class, and why.

Weights are whole numbers, so sums come out the same in whatever order and batch they are added up. The margin of a
class is sum / length(number of n-grams) + bias.
"""

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final, NamedTuple

import numpy as np
from numpy.typing import NDArray

from sakimori_detector.domain.opinion.ngrams import SIZES, aligned, buckets, normalised, occurrences

BATCH: Final = 256
"""Texts hashed at once: bounds the memory to some 10 MB."""
_COMMON_MULTIPLE: Final = 12
"""Of SIZES: an n-gram's weight is split over its characters without a rest."""
_EXCERPTS: Final = 3
_EXCERPT_CHARACTERS: Final = 40
_MIN_SHARE: Final = 0.1
"""Of what spoke for the class; the strongest is shown whatever its share."""


PRIOR: Final = 60
"""N-grams that every text is taken to have besides its own and that say nothing. Without them, `{}` and `(1)` were
surer attacks than most of a hundred characters: at a threshold above them, 5 % of libinjection's SQL was found when
left out of training; with 60, 80 %."""


class ModelError(ValueError):
    """What was read is no model that this version can use; says why."""


class Opinion(NamedTuple):
    """`probability` that a text is an attack if it were as likely as not before looking; the likeliest class."""

    probability: float
    attack: str


class Excerpt(NamedTuple):
    """A part of the text and its share (0-1) of all that spoke for the class."""

    text: str
    share: float


@dataclass(frozen=True, slots=True, eq=False)
class Model:
    """Weights int16, shape (classes, 2**bits); `step` is the worth of 1 in them. `slope` and `shift` make log-odds.

    `thresholds`: by class, from which probability a text is suspicious with no rule's word for it. Models are
    compared by identity, so that judgements can be remembered. Raises ModelError when the parts do not fit together.
    """

    version: str
    classes: tuple[str, ...]
    weights: NDArray[np.int16]
    step: float
    biases: tuple[float, ...]
    slope: float
    shift: float
    thresholds: tuple[float, ...]

    def __post_init__(self) -> None:
        """Check the shapes and ranges."""
        shape = self.weights.shape
        numbers = (self.step, self.slope, self.shift, *self.thresholds, *self.biases)
        if self.weights.dtype != np.int16 or len(shape) != 2 or shape[0] != len(self.classes) or not self.classes:
            raise ModelError(f"weights of shape {shape} and type {self.weights.dtype} for {len(self.classes)} classes")
        if (
            shape[1].bit_count() != 1
            or not 2**8 <= shape[1] <= 2**22
            or not len(self.biases) == len(self.thresholds) == shape[0]
        ):
            raise ModelError(
                f"{shape[1]} buckets and {len(self.biases)} biases do not fit, or {len(self.thresholds)} thresholds"
            )
        is_sound = all(map(math.isfinite, numbers)) and self.step > 0 and self.slope > 0
        if not is_sound or not all(0 < threshold < 1 for threshold in self.thresholds):
            raise ModelError("a number is out of its range")

    @property
    def bits(self) -> int:
        """Digits of a bucket's number."""
        return int(self.weights.shape[1]).bit_length() - 1

    def threshold(self, attack: str) -> float:
        """Give the probability from which a text of a class is suspicious by itself; raises ValueError for no class."""
        return self.thresholds[self.classes.index(attack)]

    def opinions(self, texts: Sequence[str]) -> list[Opinion]:
        """Judge texts, each the same whatever others are in the batch. Some 15-30 us a text in batches of hundreds."""
        found: list[Opinion] = []
        for start in range(0, len(texts), BATCH):
            for margins in self._margins([normalised(text) for text in texts[start : start + BATCH]]):
                best = max(range(len(margins)), key=margins.__getitem__)
                found.append(Opinion(self.probability(margins[best]), self.classes[best]))
        return found

    def probability(self, margin: float) -> float:
        """Turn a margin into the calibrated probability."""
        odds = min(max(self.slope * margin + self.shift, -30.0), 30.0)
        return 1 / (1 + math.exp(-odds))

    def excerpts(self, text: str, attack: str) -> list[Excerpt]:
        """Show the parts of a text that spoke most for a class, the strongest first; raises ValueError for no class."""
        plain, places = aligned(text)
        gains = self._gains(plain, self.classes.index(attack))
        total = int(gains[gains > 0].sum())
        excerpts: list[Excerpt] = []
        for start, end, worth in _strongest(gains.tolist()):
            if excerpts and worth < _MIN_SHARE * total:
                break
            shown = text[places[start] : max(places[end], places[start] + 1)]
            excerpts.append(Excerpt(shown[:_EXCERPT_CHARACTERS], round(worth / total, 2)))
        return excerpts

    def _margins(self, texts: Sequence[bytes]) -> list[list[float]]:
        owners, hashed = buckets(texts, self.bits)
        sizes = np.bincount(owners, minlength=len(texts))
        filled = np.flatnonzero(sizes)
        sums = np.zeros((len(self.classes), len(texts)), np.int64)
        if len(filled):
            starts = (np.cumsum(sizes) - sizes)[filled]
            sums[:, filled] = np.add.reduceat(self.weights.take(hashed, axis=1), starts, axis=1, dtype=np.int64)
        return [self._margin(*each) for each in zip(sums.T.tolist(), sizes.tolist(), strict=True)]

    def _margin(self, totals: list[int], ngrams: int) -> list[float]:
        norm = length(ngrams)
        return [total * self.step / norm + bias for total, bias in zip(totals, self.biases, strict=True)]

    def _gains(self, plain: bytes, row: int) -> NDArray[np.int64]:
        """Split the weight of every n-gram over its characters."""
        gains = np.zeros(len(plain), np.int64)
        for size in SIZES:
            starts, hashed = occurrences(plain, size, self.bits)
            worth = self.weights[row][hashed].astype(np.int64) * (_COMMON_MULTIPLE // size)
            for offset in range(size):
                np.add.at(gains, starts + offset, worth)
        return gains


def length(ngrams: int) -> float:
    """Give the norm that the sum over a text of so many n-grams is divided by."""
    return math.sqrt(ngrams + PRIOR)


def _strongest(gains: list[int]) -> list[tuple[int, int, int]]:
    """Find the stretches whose gains add up to most (Kadane), up to three that do not touch: start, end, sum."""
    left = gains[:]
    found: list[tuple[int, int, int]] = []
    while len(found) < _EXCERPTS:
        best, start, total = (0, 0, 0), 0, 0
        for place, gain in enumerate(left):
            if total <= 0:
                start, total = place, 0
            total += gain
            if total > best[2] and place + 1 - start <= _EXCERPT_CHARACTERS:
                best = (start, place + 1, total)
        if best[2] <= 0:
            break
        found.append(best)
        left[best[0] : best[1]] = [-(1 << 60)] * (best[1] - best[0])
    return found
