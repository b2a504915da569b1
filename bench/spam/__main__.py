"""Train the chat's spam score, see whether training gives the same again, and measure what the checks are worth.

    python -m bench.spam train [--data DIR]    writes the model that ships with the chat, and its report
    python -m bench.spam check [--data DIR]    trains and compares with what ships; 1 when it differs
    python -m bench.spam worth [--data DIR]    false alarms, copies found, microseconds a message; prints Markdown

DIR is the development data (`../shared/data` or SAKIMORI_DATA). Training takes about half a minute on one core.
"""

import hashlib
import sys
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import Final, NamedTuple

import numpy as np

from bench.development_data import REPOSITORY, run_one
from bench.spam import corpus, fitting, report, worth
from sakimori_chat.adapters.models import SPAM_MODEL, shipped
from sakimori_chat.domain.checking.spam_model import SpamModel

MODEL: Final = REPOSITORY / "services/chat/src/sakimori_chat/models/chat_spam.npz"
SEED: Final = 20260116
TOLERANCE: Final = 2
"""Steps of 32767 that a weight may differ by where another library or processor adds up in another order."""


class Trained(NamedTuple):
    """A model and the report on it."""

    model: SpamModel
    report: str


def trained(data: Path, seed: int = SEED) -> Trained:
    """Train: everything that ships follows from data, seed and library versions."""
    samples = corpus.samples(data)
    rows = fitting.features([sample.text for sample in samples])
    margins = fitting.left_out(rows, samples, seed)
    settled = fitting.settle(margins, samples, seed)
    model = named(fitting.model_of(fitting.fit(rows, samples, seed), settled, ""))
    judged = report.Judged(samples, margins, model)
    return Trained(model, report.markdown(report.provenance(data, seed), judged, _by_itself(data, samples, seed)))


def named(model: SpamModel) -> SpamModel:
    """Give a model a version that tells it from others: a digest of all that its answers follow from."""
    rest = (model.step, model.bias, model.slope, model.shift, model.threshold)
    digest = hashlib.sha256(model.weights.tobytes() + model.signs.tobytes() + repr(rest).encode()).hexdigest()
    return replace(model, version=f"1-{digest[:8]}")


def train(data: Path) -> int:
    """Write model and report."""
    model, text = trained(data)
    MODEL.parent.mkdir(exist_ok=True)
    SPAM_MODEL.write(MODEL, model, report.provenance(data, SEED))
    MODEL.with_suffix(".md").write_text(text, "utf-8")
    print(f"{MODEL.relative_to(REPOSITORY)}: {MODEL.stat().st_size:,} bytes, version {model.version}")
    return 0


def check(data: Path) -> int:
    """Compare a fresh training with what ships."""
    fresh, known = trained(data).model, shipped()
    apart = max(
        int(np.abs(one.astype(np.int64) - other).max())
        for one, other in ((fresh.weights, known.weights), (fresh.signs, known.signs))
    )
    odds = max(
        abs(one - other)
        for one, other in zip(
            (fresh.slope, fresh.shift, fresh.threshold), (known.slope, known.shift, known.threshold), strict=True
        )
    )
    print(f"shipped {known.version}, trained {fresh.version}; weights {apart} steps apart at most, odds {odds:.2g}")
    return 0 if apart <= TOLERANCE and odds < 0.001 else 1


def _by_itself(data: Path, samples: Sequence[corpus.Sample], seed: int) -> dict[str, report.Scores]:
    found = {}
    for title, chosen in (
        ("each message once", samples),
        ("as published, with repeats", corpus.samples(data, once=False)),
    ):
        rows = fitting.features([sample.text for sample in chosen])
        for source in corpus.ADVERTISING:
            called, is_spam = fitting.alone(rows, chosen, source, seed)
            found[f"{source}, {title}"] = report.scores(is_spam, called)
    return found


if __name__ == "__main__":
    sys.exit(run_one(__doc__, "chat", {"train": train, "check": check, "worth": worth.worth}))
