"""Model files: what is refused, and that the detector goes on without one."""

import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from sakimori_detector.adapters.models import OPINION_MODEL, model_in_use, shipped
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
    OPINION_MODEL.write(path, model, {"seed": 1})
    again = OPINION_MODEL.read(path)
    assert (again.weights == model.weights).all()
    assert again.opinions(["' or 1=1"]) == model.opinions(["' or 1=1"])


def test_the_same_model_is_the_same_bytes(tmp_path: Path) -> None:
    for name in ("a", "b"):
        OPINION_MODEL.write(tmp_path / name, OPINION_MODEL.read(written(tmp_path)), {"seed": 1})
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
        OPINION_MODEL.read(written(tmp_path, **changed))


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
