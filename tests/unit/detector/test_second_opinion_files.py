"""Model files: what is refused, and that the detector goes on without one."""

import io
import json
import zipfile
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from sakimori_detector.adapters.models import MAX_BYTES, model_in_use, read_model, shipped, write_model
from sakimori_detector.domain.opinion.model import Model, ModelError
from sakimori_detector.offline import load_folder

ABOUT: dict[str, Any] = {
    "format": 1,
    "version": "test",
    "classes": ["sqli", "xss"],
    "step": 0.001,
    "biases": [-1.0, -1.0],
    "slope": 1.0,
    "shift": 0.0,
    "thresholds": [0.99, 0.95],
}
WEIGHTS = np.zeros((2, 1 << 10), np.int16)


def written(folder: Path, weights: Any = WEIGHTS, **changed: Any) -> Path:
    about = {name: value for name, value in {**ABOUT, **changed}.items() if value is not None}
    path = folder / "model.npz"
    with path.open("wb") as file:
        np.savez(file, weights=weights, about=np.frombuffer(json.dumps(about).encode(), np.uint8))
    return path


def test_a_model_is_read_as_it_was_written(tmp_path: Path) -> None:
    model, path = shipped(), tmp_path / "model.npz"
    write_model(path, model, {"seed": 1})
    again = read_model(path)
    assert (again.weights == model.weights).all()
    assert again.opinions(["' or 1=1"]) == model.opinions(["' or 1=1"])


def test_the_same_model_is_the_same_bytes(tmp_path: Path) -> None:
    for name in ("a", "b"):
        write_model(tmp_path / name, read_model(written(tmp_path)), {"seed": 1})
    assert (tmp_path / "a").read_bytes() == (tmp_path / "b").read_bytes()


def test_what_ships_is_small_and_has_its_report_beside_it() -> None:
    folder = Path(__file__).resolve().parents[3] / "services/detector/src/sakimori_detector/models"
    assert (folder / "web_payloads.npz").stat().st_size < 400_000
    assert shipped().version in (folder / "web_payloads.md").read_text("utf-8")


@pytest.mark.parametrize(
    ("changed", "why"),
    [
        ({"format": 2}, "format 2, this version reads 1"),
        ({"format": None}, "format none"),
        ({"classes": ["sqli"]}, "for 1 classes"),
        ({"biases": [0.0]}, "1 biases"),
        ({"step": 0.0}, "out of its range"),
        ({"slope": -1.0}, "out of its range"),
        ({"thresholds": [0.9, 1.0]}, "out of its range"),
        ({"thresholds": "high"}, "thresholds"),
        ({"thresholds": [0.9]}, "1 thresholds"),
        ({"version": None}, "version"),
        ({"weights": np.zeros((2, 1000), np.int16)}, "1000 buckets"),
        ({"weights": np.zeros((2, 1 << 10), np.float64)}, "float64"),
        ({"weights": np.zeros(1 << 10, np.int16)}, "shape"),
    ],
)
def test_parts_that_do_not_fit_are_refused(tmp_path: Path, changed: dict[str, Any], why: str) -> None:
    with pytest.raises(ModelError, match=why):
        read_model(written(tmp_path, **changed))


def test_objects_that_could_run_code_are_refused(tmp_path: Path) -> None:
    path = written(tmp_path, weights=np.array([{"any": "object"}], dtype=object))
    with pytest.raises(ModelError, match="allow_pickle"):
        read_model(path)


@pytest.mark.parametrize("content", [b"", b"no archive", b"PK\x03\x04 cut short", b"\x80\x04\x95."])
def test_what_is_no_archive_is_refused(tmp_path: Path, content: bytes) -> None:
    path = tmp_path / "model.npz"
    path.write_bytes(content)
    with pytest.raises(ModelError, match=r"model\.npz"):
        read_model(path)


def test_a_flipped_byte_is_noticed(tmp_path: Path) -> None:
    content = bytearray(written(tmp_path).read_bytes())
    content[300] ^= 0xFF
    path = tmp_path / "flipped.npz"
    path.write_bytes(content)
    with pytest.raises(ModelError):
        read_model(path)


def test_an_archive_that_unpacks_to_too_much_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "bomb.npz"
    with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as archive:
        archive.writestr("weights.npy", b"\0" * (MAX_BYTES + 1))
    with pytest.raises(ModelError, match="unpacked"):
        read_model(path)


def test_an_archive_without_weights_is_refused(tmp_path: Path) -> None:
    held = io.BytesIO()
    np.savez(held, about=np.zeros(1, np.uint8))
    path = tmp_path / "model.npz"
    path.write_bytes(held.getvalue())
    with pytest.raises(ModelError, match="weights"):
        read_model(path)


def test_a_file_that_is_not_there_is_named(tmp_path: Path) -> None:
    with pytest.raises(ModelError, match=r"away\.npz: No such file"):
        model_in_use(str(tmp_path / "away.npz"))


def test_rules_load_and_find_without_it_and_the_problem_is_told(tmp_path: Path) -> None:
    rules = Path(__file__).resolve().parents[3] / "rules"
    loaded = load_folder(rules, "UTC", opinion_file=str(tmp_path / "away.npz"))
    assert loaded.world.opinion is None
    assert {rule.id for rule in loaded.rules} >= {"sql_injection", "learned_web_payload"}
    assert any("away.npz" in problem.why for problem in loaded.problems)


def test_a_model_must_fit_together() -> None:
    with pytest.raises(ModelError):
        Model("test", (), WEIGHTS, 1.0, (), 1.0, 0.0, ())
