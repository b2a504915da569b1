"""Learned models as files: NumPy archives without pickled objects, so that loading one can run no code.

An archive has a model's arrays and `about`: JSON as bytes, with `format`, the model's other fields, and `trained`,
which tells people what it was made of. Needs the extra `models` of this distribution.
"""

import io
import json
import zipfile
import zlib
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from importlib import resources
from pathlib import Path
from typing import Any, Final, Generic, TypeVar

import msgspec
import numpy as np
from numpy.typing import NDArray

ModelT = TypeVar("ModelT")

MAX_BYTES: Final = 16 << 20
"""Of an archive, packed and unpacked: the web payloads' model at its largest, 2**20 buckets for eight classes."""
PACKINGS: Final = frozenset({zipfile.ZIP_STORED, zipfile.ZIP_DEFLATED})
"""What NumPy writes. The module zipfile unpacks others in one piece before it looks at the length."""


@dataclass(frozen=True)
class ModelFile(Generic[ModelT]):
    """How one kind of model is kept: `model` is called with each of `arrays` and of `about`'s fields by its name.

    `format` goes up when the archive changes or what its numbers mean: a model of another format judges nonsense.
    `model` checks shapes, types and ranges, and raises `error` when the parts do not fit together.
    """

    model: Callable[..., ModelT]
    about: type[msgspec.Struct]
    arrays: tuple[str, ...]
    format: int
    error: type[Exception]

    def shipped(self, package: str, name: str) -> ModelT:
        """Read a model that comes with a package, from its folder `models`. Raises `error`."""
        with resources.as_file(resources.files(package) / "models" / name) as path:
            return self.read(path)

    def read(self, path: Path) -> ModelT:
        """Read a model. Raises `error` that names the file, whatever is wrong with it."""
        try:
            return self._model(_content(path))
        except (OSError, self.error, msgspec.MsgspecError, zipfile.BadZipFile, zlib.error) as error:
            raise self.error(f"{path}: {getattr(error, 'strerror', None) or error}") from None
        except (ValueError, KeyError, EOFError, TypeError, RuntimeError, MemoryError) as error:
            raise self.error(f"{path}: no model: {error}") from None

    def write(self, path: Path, model: ModelT, trained: Mapping[str, Any]) -> None:
        """Write a model, the same bytes for the same model; `trained` tells people what it was made of."""
        fields = {name: getattr(model, name) for name in self.about.__struct_fields__}
        about = json.dumps({"format": self.format, **fields, "trained": trained}, sort_keys=True).encode()
        arrays = {name: getattr(model, name) for name in self.arrays}
        held = io.BytesIO()
        np.savez_compressed(held, **arrays, about=np.frombuffer(about, np.uint8))
        path.write_bytes(held.getvalue())

    def _model(self, content: bytes) -> ModelT:
        arrays = _unpacked(content, ("about", *self.arrays))
        text = arrays.pop("about").tobytes()
        known = msgspec.json.decode(text, type=dict[str, msgspec.Raw]).get("format")
        if known is None or bytes(known) != str(self.format).encode():
            told = "none" if known is None else bytes(known).decode()
            raise ValueError(f"format {told}, this version reads {self.format}")
        about = msgspec.json.decode(text, type=self.about)
        return self.model(**arrays, **{name: getattr(about, name) for name in about.__struct_fields__})


def _content(path: Path) -> bytes:
    with path.open("rb") as file:
        content = file.read(MAX_BYTES + 1)
    if len(content) > MAX_BYTES:
        raise ValueError(f"over {MAX_BYTES} bytes")
    return content


def _unpacked(content: bytes, names: tuple[str, ...]) -> dict[str, NDArray[Any]]:
    """Read arrays, each from its whole part: `numpy.load` reads as much at once as a part's header claims there is."""
    with zipfile.ZipFile(io.BytesIO(content)) as archive:
        parts = archive.infolist()
        if sum(part.file_size for part in parts) > MAX_BYTES:
            raise ValueError(f"over {MAX_BYTES} bytes unpacked")
        odd = [part.filename for part in parts if part.compress_type not in PACKINGS]
        if odd:
            raise ValueError(f"{odd[0]} is packed otherwise than NumPy packs")
        return {name: _array(archive, f"{name}.npy") for name in names}


def _array(archive: zipfile.ZipFile, name: str) -> NDArray[Any]:
    with archive.open(name) as part:
        body = part.read(MAX_BYTES)
    found: NDArray[Any] = np.lib.format.read_array(io.BytesIO(body), allow_pickle=False)
    return found
