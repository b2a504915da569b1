"""Models as files: NumPy archives without pickled objects, so that loading one can run no code.

An archive has `weights` (int16, shape (classes, buckets)) and `about`: JSON as bytes, with `format`, the fields of
`domain.opinion.model.Model`, and what it was trained on.
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

from sakimori_detector.domain.opinion.model import Model, ModelError

FORMAT: Final = 1
"""Goes up when the archive, or how n-grams are made and hashed, changes: a model of another format judges nonsense."""

MAX_BYTES: Final = 16 << 20
"""Of an archive, packed and unpacked: 2**20 buckets for eight classes."""


class _About(msgspec.Struct, frozen=True):
    format: int
    version: str
    classes: tuple[str, ...]
    step: float
    biases: tuple[float, ...]
    slope: float
    shift: float
    thresholds: tuple[float, ...]


def shipped() -> Model:
    """Read the model that comes with the detector. Raises ModelError."""
    with resources.as_file(resources.files("sakimori_detector") / "models" / "web_payloads.npz") as path:
        return read_model(path)


def model_in_use(file: str = "") -> Model:
    """Read the model that a setting names, else the shipped one. Raises ModelError."""
    return read_model(Path(file).expanduser()) if file else shipped()


def read_model(path: Path) -> Model:
    """Read a model. Raises ModelError that names the file, whatever is wrong with it."""
    try:
        return _model(_archive(path.read_bytes()))
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


def _archive(content: bytes) -> dict[str, np.ndarray[Any, np.dtype[Any]]]:
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
        classes=about.classes,
        weights=arrays["weights"],
        step=about.step,
        biases=about.biases,
        slope=about.slope,
        shift=about.shift,
        thresholds=about.thresholds,
    )
