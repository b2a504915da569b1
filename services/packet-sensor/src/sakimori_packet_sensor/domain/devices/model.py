"""The learned part: which of the known products a device is, by the signs that it shows.

A logistic regression (multinomial) over the presence of signs. Its classes are products and one that stands for
everything else. Linear, so that what speaks for a product can be said: the signs of the largest weights.
"""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import Final, NamedTuple

import numpy as np
from numpy.typing import NDArray

OTHER: Final = ""
"""The class of devices that are none of the known products."""


class ModelError(Exception):
    """A model cannot be used; the message says why."""


class Product(NamedTuple):
    """A product that the model knows: its name as in the training data, what it is, and whose."""

    name: str
    type: str
    family: str


class Guess(NamedTuple):
    """Probabilities of all classes in order of the model's, and how many signs they rest on."""

    probabilities: NDArray[np.float64]
    known_signs: int


@dataclass(frozen=True)
class Model:
    """`weights`: int16, shape (classes, signs), in steps of `step`; `biases` one a class.

    Raises ModelError when they do not fit. `temperature` divides the margins, so that a probability is right as
    often as it says (Guo et al., ICML 2017).
    """

    version: str
    products: tuple[Product, ...]
    signs: tuple[str, ...]
    weights: NDArray[np.int16]
    step: float
    biases: tuple[float, ...]
    temperature: float

    def __post_init__(self) -> None:
        shape = (len(self.products), len(self.signs))
        if self.weights.shape != shape or len(self.biases) != shape[0] or self.weights.dtype != np.int16:
            raise ModelError(f"weights {self.weights.shape} of {self.weights.dtype} do not fit {shape}")
        if not (np.isfinite(self.step) and np.isfinite(self.biases).all() and self.temperature > 0):
            raise ModelError("step, biases or temperature are no usable numbers")

    @cached_property
    def places(self) -> dict[str, int]:
        """The column of each sign."""
        return {sign: place for place, sign in enumerate(self.signs)}

    def guess(self, signs: Iterable[str]) -> Guess:
        """Give a probability to each class. Some 20 us."""
        columns = [place for sign in signs if (place := self.places.get(sign)) is not None]
        margins = np.asarray(self.biases) + self.weights[:, columns].sum(axis=1, dtype=np.int64) * self.step
        margins = (margins - margins.max()) / self.temperature
        odds = np.exp(margins)
        return Guess(odds / odds.sum(), len(columns))

    def reasons(self, signs: Sequence[str], place: int, limit: int) -> list[str]:
        """List the signs that speak most for a class, against the mean of all."""
        known = [(sign, column) for sign in signs if (column := self.places.get(sign)) is not None]
        if not known:
            return []
        columns = [column for _, column in known]
        lead = self.weights[place, columns] - self.weights[:, columns].mean(axis=0)
        order = np.argsort(-lead, kind="stable")[:limit]
        return [known[index][0] for index in order.tolist() if lead[index] > 0]
