"""What comes with the sensor about devices: rules and model as files, makers from the IEEE's lists.

The model's file has `weights` (int16, shape (products, signs)) and Model's other fields.
"""

from importlib import resources
from typing import Final

import msgspec

from sakimori_common.model_files import ModelFile
from sakimori_packet_sensor.adapters.vendors import manufacturer
from sakimori_packet_sensor.domain.devices.knowledge import Knowledge
from sakimori_packet_sensor.domain.devices.model import Model, ModelError, Product
from sakimori_packet_sensor.domain.devices.rules import RuleTable, read_rules


class _About(msgspec.Struct, frozen=True):
    version: str
    products: tuple[Product, ...]
    signs: tuple[str, ...]
    step: float
    biases: tuple[float, ...]
    temperature: float


DEVICE_MODEL: Final = ModelFile(Model, _About, ("weights",), format=1, error=ModelError)
"""Its format goes up, too, when how signs are made changes."""


def shipped_knowledge() -> Knowledge:
    """Read what comes with the sensor. Raises ModelError or RuleError."""
    return Knowledge(shipped_rules(), DEVICE_MODEL.shipped("sakimori_packet_sensor", "devices.npz"), manufacturer)


def shipped_rules() -> RuleTable:
    """Read the rules that come with the sensor. Raises RuleError."""
    folder = resources.files("sakimori_packet_sensor") / "models"
    return read_rules((folder / "device_rules.toml").read_text("utf-8"))
