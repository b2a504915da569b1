"""Train the second opinion, see whether training gives the same again, and measure what it is worth.

    python -m bench.opinion train [--data DIR]    writes the model that ships with the detector, and its report
    python -m bench.opinion check [--data DIR]    trains and compares with what ships; 1 when it differs
    python -m bench.opinion worth [--data DIR]    what it finds beyond the rules, its alarms, its cost; prints Markdown

DIR is the development data (`../shared/data` or SAKIMORI_DATA). Training takes about a minute on one core.
"""

import hashlib
import sys
from dataclasses import replace
from pathlib import Path
from typing import Final, NamedTuple

import numpy as np

from bench.development_data import REPOSITORY, run_one
from bench.opinion import corpus, fitting, report, worth
from sakimori_detector.adapters.models import OPINION_MODEL, shipped
from sakimori_detector.domain.opinion.model import Model

MODEL: Final = REPOSITORY / "services/detector/src/sakimori_detector/models/web_payloads.npz"
SEED: Final = 20260116
TEXTS_PER_FAMILY: Final = 400
TOLERANCE: Final = 2
"""Steps of 32767 that a weight may differ by where another library or processor adds up in another order."""


class Trained(NamedTuple):
    """A model and the report on it."""

    model: Model
    report: str


def trained(data: Path, seed: int = SEED, each: int = TEXTS_PER_FAMILY) -> Trained:
    """Train: everything that ships follows from data, seed and library versions."""
    samples = corpus.samples(data, seed, each)
    rows = fitting.features(samples)
    margins = fitting.left_out(rows, samples, seed)
    settled = fitting.settle(margins, samples, seed)
    found = fitting.fit(rows, samples, seed)
    model = named(fitting.model_of(found, settled, ""))
    others = corpus.unseen(data)
    unseen = report.Judged(others, fitting.predicted(fitting.features(others), found), model)
    made_of = report.provenance(data, seed, each)
    return Trained(model, report.markdown(made_of, report.Judged(samples, margins, model), unseen))


def named(model: Model) -> Model:
    """Give a model a version that tells it from others: a digest of all that its opinions follow from."""
    rest = (model.classes, model.step, model.biases, model.slope, model.shift, model.thresholds)
    digest = hashlib.sha256(model.weights.tobytes() + repr(rest).encode()).hexdigest()
    return replace(model, version=f"1-{digest[:8]}")


def train(data: Path) -> int:
    """Write model and report."""
    model, text = trained(data)
    MODEL.parent.mkdir(exist_ok=True)
    OPINION_MODEL.write(MODEL, model, report.provenance(data, SEED, TEXTS_PER_FAMILY))
    MODEL.with_suffix(".md").write_text(text, "utf-8")
    print(f"{MODEL.relative_to(REPOSITORY)}: {MODEL.stat().st_size:,} bytes, version {model.version}")
    return 0


def check(data: Path) -> int:
    """Compare a fresh training with what ships."""
    fresh, known = trained(data).model, shipped()
    apart = int(np.abs(fresh.weights.astype(np.int64) - known.weights).max())
    odds = max(
        abs(one - other)
        for one, other in zip(
            (fresh.slope, fresh.shift, *fresh.thresholds), (known.slope, known.shift, *known.thresholds), strict=True
        )
    )
    print(
        f"shipped {known.version}, trained {fresh.version}; weights apart by at most {apart} steps, odds by {odds:.2g}"
    )
    return 0 if apart <= TOLERANCE and odds < 0.001 else 1


if __name__ == "__main__":
    sys.exit(run_one(__doc__, "http_payloads", {"train": train, "check": check, "worth": worth.worth}))
