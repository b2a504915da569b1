"""The spam model as a file: a NumPy archive without pickled objects, so that loading one can run no code.

It has `weights` (int16, shape (buckets,)), `signs` (int16) and `about`: JSON as bytes, with `format`, the numbers of
`domain.checking.spam_model.SpamModel`, and what it was trained on.
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

from sakimori_chat.domain.checking.spam_model import SpamModel, SpamModelError

FORMAT: Final = 1
"""Goes up when the archive, or how sequences are made and hashed, changes."""
MAX_BYTES: Final = 16 << 20
"""Of an archive, packed and unpacked."""


class _About(msgspec.Struct, frozen=True):
    format: int
    version: str
    step: float
    bias: float
    slope: float
    shift: float
    threshold: float


def shipped() -> SpamModel:
    """Read the model that comes with the chat. Raises SpamModelError."""
    with resources.as_file(resources.files("sakimori_chat") / "models" / "chat_spam.npz") as path:
        return read_model(path)


def read_model(path: Path) -> SpamModel:
    """Read a model. Raises SpamModelError that names the file, whatever is wrong with it."""
    try:
        return _model(path.read_bytes())
    except (OSError, SpamModelError, msgspec.MsgspecError, zipfile.BadZipFile, zlib.error) as error:
        raise SpamModelError(f"{path}: {getattr(error, 'strerror', None) or error}") from None
    except (ValueError, KeyError, EOFError, TypeError, NotImplementedError, RuntimeError, MemoryError) as error:
        raise SpamModelError(f"{path}: no model: {error}") from None


def write_model(path: Path, model: SpamModel, trained: Mapping[str, Any]) -> None:
    """Write a model, the same bytes for the same model; `trained` tells people what it was made of."""
    fields = {name: getattr(model, name) for name in _About.__struct_fields__ if name != "format"}
    about = json.dumps({"format": FORMAT, **fields, "trained": trained}, sort_keys=True).encode()
    held = io.BytesIO()
    np.savez_compressed(held, weights=model.weights, signs=model.signs, about=np.frombuffer(about, np.uint8))
    path.write_bytes(held.getvalue())


def _model(content: bytes) -> SpamModel:
    if len(content) > MAX_BYTES:
        raise SpamModelError(f"over {MAX_BYTES} bytes")
    with zipfile.ZipFile(io.BytesIO(content)) as archive:
        if sum(entry.file_size for entry in archive.infolist()) > MAX_BYTES:
            raise SpamModelError(f"over {MAX_BYTES} bytes unpacked")
    with np.load(io.BytesIO(content), allow_pickle=False) as arrays:
        about, weights, signs = arrays["about"].tobytes(), arrays["weights"], arrays["signs"]
    read = msgspec.json.decode(about, type=_About)
    if read.format != FORMAT:
        raise SpamModelError(f"format {read.format}, this version reads {FORMAT}")
    fields = {name: getattr(read, name) for name in _About.__struct_fields__ if name != "format"}
    return SpamModel(weights=weights, signs=signs, **fields)
