"""Model files: what is refused, and in how much memory."""

import io
import json
import tracemalloc
import zipfile
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import msgspec
import numpy as np
import pytest
from numpy.typing import NDArray

from sakimori_common.model_files import MAX_BYTES, ModelFile


class Unusable(Exception):
    """As a service would say it."""


@dataclass(frozen=True)
class Tiny:
    name: str
    step: float
    weights: NDArray[np.int16]

    def __post_init__(self) -> None:
        if self.weights.dtype != np.int16:
            raise Unusable(f"weights of type {self.weights.dtype}")


class About(msgspec.Struct, frozen=True):
    name: str
    step: float


TINY = ModelFile(Tiny, About, ("weights",), format=1, error=Unusable)
WEIGHTS = np.array([1, -2, 3], np.int16)
ABOUT = {"format": 1, "name": "tiny", "step": 0.5}


def said(about: Any) -> NDArray[np.uint8]:
    return np.frombuffer(json.dumps(about).encode(), np.uint8)


def parts(**arrays: NDArray[Any]) -> dict[str, bytes]:
    found = {}
    for name, array in arrays.items():
        held = io.BytesIO()
        np.save(held, array)
        found[f"{name}.npy"] = held.getvalue()
    return found


def archive(path: Path, contents: dict[str, bytes], packing: int = zipfile.ZIP_DEFLATED) -> Path:
    with zipfile.ZipFile(path, "w", packing) as file:
        for name, content in contents.items():
            file.writestr(name, content)
    return path


def test_a_model_is_read_as_it_was_written_and_is_the_same_bytes_each_time(tmp_path: Path) -> None:
    for name in ("one.npz", "two.npz"):
        TINY.write(tmp_path / name, Tiny("tiny", 0.5, WEIGHTS), {"texts": 12})
    again = TINY.read(tmp_path / "one.npz")
    assert (again.name, again.step, again.weights.tolist()) == ("tiny", 0.5, [1, -2, 3])
    assert (tmp_path / "one.npz").read_bytes() == (tmp_path / "two.npz").read_bytes()


@pytest.mark.parametrize("content", [b"", b"no archive", b"PK\x03\x04 cut short", b"\x80\x04\x95.", b"PK\x05\x06"])
def test_what_is_no_archive_is_refused_by_name(tmp_path: Path, content: bytes) -> None:
    (tmp_path / "bad.npz").write_bytes(content)
    with pytest.raises(Unusable, match=r"bad\.npz: "):
        TINY.read(tmp_path / "bad.npz")


def test_a_file_that_is_not_there_is_named(tmp_path: Path) -> None:
    with pytest.raises(Unusable, match=r"away\.npz: No such file"):
        TINY.read(tmp_path / "away.npz")


@pytest.mark.parametrize(
    ("about", "why"),
    [
        ({**ABOUT, "format": 2}, "format 2, this version reads 1"),
        ({"format": 2}, "format 2, this version reads 1"),
        ({"name": "tiny", "step": 0.5}, "format none"),
        ({"format": 1, "name": "tiny"}, "step"),
        ({**ABOUT, "step": "far"}, r"step"),
        ([], "object"),
    ],
)
def test_what_is_said_about_a_model_has_to_be_understood(tmp_path: Path, about: Any, why: str) -> None:
    path = archive(tmp_path / "bad.npz", parts(weights=WEIGHTS, about=said(about)))
    with pytest.raises(Unusable, match=why):
        TINY.read(path)


def test_parts_that_the_model_does_not_take_are_refused_by_the_name_of_the_file(tmp_path: Path) -> None:
    path = archive(tmp_path / "bad.npz", parts(weights=WEIGHTS.astype(np.float64), about=said(ABOUT)))
    with pytest.raises(Unusable, match=r"bad\.npz: weights of type float64"):
        TINY.read(path)


def test_objects_that_could_run_code_are_not_opened(tmp_path: Path) -> None:
    path = archive(tmp_path / "bad.npz", parts(weights=np.array([{}], object), about=said(ABOUT)))
    with pytest.raises(Unusable, match="allow_pickle"):
        TINY.read(path)


def test_an_archive_without_an_array_is_refused(tmp_path: Path) -> None:
    with pytest.raises(Unusable, match="weights"):
        TINY.read(archive(tmp_path / "bad.npz", parts(about=said(ABOUT))))


def test_a_flipped_byte_is_noticed(tmp_path: Path) -> None:
    content = bytearray(archive(tmp_path / "good.npz", parts(weights=WEIGHTS, about=said(ABOUT))).read_bytes())
    content[60] ^= 0xFF
    (tmp_path / "bad.npz").write_bytes(content)
    with pytest.raises(Unusable):
        TINY.read(tmp_path / "bad.npz")


def test_what_unpacks_to_too_much_is_refused(tmp_path: Path) -> None:
    with pytest.raises(Unusable, match="unpacked"):
        TINY.read(archive(tmp_path / "bomb.npz", {"weights.npy": bytes(MAX_BYTES + 1)}))


def test_a_file_without_an_end_is_refused() -> None:
    with pytest.raises(Unusable, match=f"zero: .*over {MAX_BYTES} bytes"):
        TINY.read(Path("/dev/zero"))


@pytest.mark.parametrize("packing", [zipfile.ZIP_BZIP2, zipfile.ZIP_LZMA])
def test_what_numpy_does_not_write_is_not_unpacked(tmp_path: Path, packing: int) -> None:
    path = archive(tmp_path / "bad.npz", parts(weights=WEIGHTS, about=said(ABOUT)), packing)
    with pytest.raises(Unusable, match=r"weights\.npy is packed otherwise"):
        TINY.read(path)


def test_an_archive_that_lies_about_its_lengths_takes_no_more_memory_than_it_may(tmp_path: Path) -> None:
    whole, told = 64 << 20, 1 << 20
    header = io.BytesIO()
    np.lib.format.write_array_header_1_0(header, {"descr": f"|V{whole}", "fortran_order": False, "shape": (1,)})
    content = header.getvalue() + bytes(whole - len(header.getvalue()))
    path = archive(tmp_path / "bomb.npz", {**parts(about=said(ABOUT)), "weights.npy": content})
    lying = path.read_bytes().replace(whole.to_bytes(4, "little"), told.to_bytes(4, "little"))
    path.write_bytes(lying)
    del content
    tracemalloc.start()
    with pytest.raises(Unusable, match=r"bomb\.npz"):
        TINY.read(path)
    largest = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert largest < whole + 2 * MAX_BYTES, "NumPy reserves what the header claims; nothing is unpacked into it"
