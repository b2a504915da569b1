"""What comes with the sensor about devices: rules and model as files, makers from the IEEE's lists.

The model is a NumPy archive without pickled objects, so that loading it can run no code: `weights` (int16, shape
(products, signs)) and `about`, JSON as bytes.
"""

import io
import json
import zipfile
import zlib
from collections.abc import Mapping
from importlib import resources
from pathlib import Path
from typing import Any, Final

import msgspec
import numpy as np

from sakimori_packet_sensor.adapters.vendors import manufacturer
from sakimori_packet_sensor.domain.devices.knowledge import Knowledge
from sakimori_packet_sensor.domain.devices.model import Model, ModelError, Product
from sakimori_packet_sensor.domain.devices.rules import RuleTable, read_rules

FORMAT: Final = 1
"""Goes up when the archive, or how signs are made, changes: a model of another format judges nonsense."""
MAX_BYTES: Final = 16 << 20


class _About(msgspec.Struct, frozen=True):
    format: int
    version: str
    products: tuple[tuple[str, str, str], ...]
    signs: tuple[str, ...]
    step: float
    biases: tuple[float, ...]
    temperature: float


def shipped_knowledge() -> Knowledge:
    """Read what comes with the sensor. Raises ModelError or RuleError."""
    with resources.as_file(resources.files("sakimori_packet_sensor") / "models" / "devices.npz") as path:
        return Knowledge(shipped_rules(), read_model(path), manufacturer)


def shipped_rules() -> RuleTable:
    """Read the rules that come with the sensor. Raises RuleError."""
    folder = resources.files("sakimori_packet_sensor") / "models"
    return read_rules((folder / "device_rules.toml").read_text("utf-8"))


def read_model(path: Path) -> Model:
    """Read a model. Raises ModelError that names the file, whatever is wrong with it."""
    try:
        return _model(_arrays(path.read_bytes()))
    except (OSError, ModelError, msgspec.MsgspecError, zipfile.BadZipFile, zlib.error) as error:
        raise ModelError(f"{path}: {getattr(error, 'strerror', None) or error}") from None
    except (ValueError, KeyError, EOFError, TypeError, NotImplementedError, RuntimeError, MemoryError) as error:
        raise ModelError(f"{path}: no model: {error}") from None


def write_model(path: Path, model: Model, trained: Mapping[str, Any]) -> None:
    """Write a model, the same bytes for the same model; `trained` tells people what it was made of."""
    fields = {name: getattr(model, name) for name in _About.__struct_fields__ if name != "format"}
    about = json.dumps({"format": FORMAT, **fields, "trained": trained}, sort_keys=True).encode()
    held = io.BytesIO()
    np.savez_compressed(held, weights=model.weights, about=np.frombuffer(about, np.uint8))
    path.write_bytes(held.getvalue())


def _arrays(content: bytes) -> dict[str, np.ndarray[Any, np.dtype[Any]]]:
    if len(content) > MAX_BYTES:
        raise ModelError(f"over {MAX_BYTES} bytes")
    with zipfile.ZipFile(io.BytesIO(content)) as archive:
        if sum(entry.file_size for entry in archive.infolist()) > MAX_BYTES:
            raise ModelError(f"over {MAX_BYTES} bytes unpacked")
    with np.load(io.BytesIO(content), allow_pickle=False) as arrays:
        return {name: arrays[name] for name in ("about", "weights")}


def _model(arrays: Mapping[str, np.ndarray[Any, np.dtype[Any]]]) -> Model:
    text = arrays["about"].tobytes()
    known = msgspec.json.decode(text, type=dict[str, msgspec.Raw]).get("format")
    if known is None or bytes(known) != str(FORMAT).encode():
        raise ModelError(f"format {'none' if known is None else bytes(known).decode()!s}, this version reads {FORMAT}")
    about = msgspec.json.decode(text, type=_About)
    return Model(
        version=about.version,
        products=tuple(Product(*product) for product in about.products),
        signs=about.signs,
        weights=arrays["weights"],
        step=about.step,
        biases=about.biases,
        temperature=about.temperature,
    )
