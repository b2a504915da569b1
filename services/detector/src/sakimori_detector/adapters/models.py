"""The second opinion's models as files: `weights` (int16, shape (classes, buckets)) and Model's other fields."""

from pathlib import Path
from typing import Final

import msgspec

from sakimori_common.model_files import ModelFile
from sakimori_detector.domain.opinion.model import Model, ModelError


class _About(msgspec.Struct, frozen=True):
    version: str
    classes: tuple[str, ...]
    step: float
    biases: tuple[float, ...]
    slope: float
    shift: float
    thresholds: tuple[float, ...]


OPINION_MODEL: Final = ModelFile(Model, _About, ("weights",), format=1, error=ModelError)
"""Its format goes up, too, when how n-grams are made and hashed changes."""


def shipped() -> Model:
    """Read the model that comes with the detector. Raises ModelError."""
    return OPINION_MODEL.shipped("sakimori_detector", "web_payloads.npz")


def model_in_use(file: str = "") -> Model:
    """Read the model that a setting names, else the shipped one. Raises ModelError."""
    return OPINION_MODEL.read(Path(file).expanduser()) if file else shipped()
