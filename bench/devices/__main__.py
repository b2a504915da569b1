"""Train the device model, see whether training gives the same again, and measure how well devices are told.

    python -m bench.devices train [--data DIR]      writes the model that ships with the packet sensor, and its report
    python -m bench.devices check [--data DIR]      trains and compares with what ships; 1 when it differs
    python -m bench.devices evaluate [--data DIR]   prints docs/evaluation.md's tables

DIR is the development data (`../shared/data` or SAKIMORI_DATA).
"""

import sys
from pathlib import Path
from typing import Final

import numpy as np

from bench.development_data import REPOSITORY, run_one
from bench.devices import corpus, evaluation, fitting, report
from sakimori_packet_sensor.adapters.knowledge import DEVICE_MODEL
from sakimori_packet_sensor.domain.devices.model import Model

MODEL: Final = REPOSITORY / "services/packet-sensor/src/sakimori_packet_sensor/models/devices.npz"
SEED: Final = 20261121
TOLERANCE: Final = 4
"""Steps of 32767 that a weight may differ by where another library or processor adds up in another order."""


def trained(data: Path) -> Model:
    """Train: everything that ships follows from data, seed and library versions."""
    samples, others = corpus.labelled(data, seed=SEED), corpus.background(data)
    model = fitting.model_of([*samples, *others], SEED)
    margins, labels = fitting.margins_left_out(samples, others, SEED)
    return fitting.calibrated(model, margins, labels)


def train(data: Path) -> int:
    """Write model and report."""
    model = trained(data)
    DEVICE_MODEL.write(MODEL, model, report.provenance(data, SEED))
    MODEL.with_suffix(".md").write_text(report.markdown(model, report.provenance(data, SEED)), "utf-8")
    print(f"{MODEL.relative_to(REPOSITORY)}: {MODEL.stat().st_size:,} bytes, version {model.version}")
    return 0


def check(data: Path) -> int:
    """Compare a fresh training with what ships."""
    fresh, known = trained(data), DEVICE_MODEL.read(MODEL)
    if fresh.signs != known.signs or fresh.products != known.products:
        print("other signs or products than those shipped")
        return 1
    apart = int(np.abs(fresh.weights.astype(np.int64) - known.weights).max())
    print(f"shipped {known.version}, trained {fresh.version}; weights apart by at most {apart} steps")
    return 0 if apart <= TOLERANCE and abs(fresh.temperature - known.temperature) < 0.01 else 1


def evaluate(data: Path) -> int:
    """Print the tables."""
    evaluation.evaluate(data, SEED, DEVICE_MODEL.read(MODEL).temperature)
    return 0


if __name__ == "__main__":
    sys.exit(run_one(__doc__, "devices", {"train": train, "check": check, "evaluate": evaluate}))
