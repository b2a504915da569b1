"""The training report: what the model was made of, and how it did on sources that it had not seen."""

import platform
from collections import Counter
from collections.abc import Iterable, Iterator, Mapping, Sequence
from itertools import pairwise
from pathlib import Path
from typing import Any, Final, NamedTuple

import msgspec
import numpy as np
import scipy
import sklearn
from numpy.typing import NDArray
from sklearn.metrics import roc_auc_score

from bench.opinion.corpus import BENIGN, CLASSES, Sample
from bench.opinion.fitting import Margins
from sakimori_detector.domain.opinion.model import Model

REPOSITORIES: Final = (
    "Morzeux/HttpParamsDataset",
    "libinjection/libinjection",
    "swisskyrepo/PayloadsAllTheThings",
    "payloadbox/sql-injection-payload-list",
    "coreruleset/coreruleset",
    "hamzaaacodes/sms-spam-collection",
    "C0D3-BR3AK3R/HadoopFinalNCU-Project",
    "t-davidson/hate-speech-and-offensive-language",
    "elastic/examples",
)
"""Those of COUNTS.json that samples are read from."""


class Judged(NamedTuple):
    """Samples, the margins that fits without their sources gave them, shape (samples, classes), and the model."""

    samples: Sequence[Sample]
    margins: Margins
    model: Model

    @property
    def probabilities(self) -> NDArray[np.float64]:
        """Calibrated, of the best class each."""
        return np.array([self.model.probability(margin) for margin in self.margins.max(axis=1).tolist()])

    @property
    def above(self) -> NDArray[np.bool_]:
        """Which of them alone would be a finding: at the threshold of their likeliest class or above."""
        found: NDArray[np.bool_] = self.probabilities >= np.array(self.model.thresholds)[self.margins.argmax(axis=1)]
        return found

    def labels(self) -> NDArray[np.str_]:
        """What the sources say."""
        return np.array([sample.label for sample in self.samples])


def provenance(data: Path, seed: int, each: int) -> dict[str, Any]:
    """Say what a model is made of: commits of the sources, seed, versions of the libraries."""
    commits = msgspec.json.decode((data / "COUNTS.json").read_bytes())["commits"]
    return {
        "commits": {name: commits[name] for name in REPOSITORIES},
        "seed": seed,
        "texts_per_family": each,
        "libraries": {
            "python": platform.python_version(),
            "numpy": np.__version__,
            "scipy": scipy.__version__,
            "scikit-learn": sklearn.__version__,
        },
    }


def markdown(made_of: Mapping[str, Any], judged: Judged, unseen: Judged) -> str:
    """Write the report."""
    model = judged.model
    libraries = ", ".join(f"{name} {version}" for name, version in made_of["libraries"].items())
    lines = [
        f"# Training report of web_payloads.npz, version {model.version}",
        "",
        "Written by `python -m bench.opinion train`; docs/adr/0013-second-opinion.md says what the model is for and",
        "what it is worth. Every figure but those of the last table is for texts of a source **left out** of the fit.",
        "",
        f"- {len(judged.samples)} texts, {model.weights.shape[1]} buckets, seed {made_of['seed']}; {libraries}",
        f"- log-odds = {model.slope:.4f} x margin {model.shift:+.4f}, attacks and benign texts at even odds",
        "- thresholds alone, by class: " + ", ".join(f"{name} {model.threshold(name):.4f}" for name in model.classes),
        "- these are the lowest at which no benign source left out has more than 0.1 % alarms in all, and half a unit",
        "  of margin on top",
        "- a text counts when it has a character that means something to an interpreter; others are never asked about",
        "",
        "## Classes: each against everything benign",
        "",
        *_table(("class", "texts", "precision", "recall", "recall at 0.5", "AUC"), _class_rows(judged)),
        "## Attacks by source",
        "",
        *_table(("source", "class", "texts", "above threshold", "above 0.5", "class right"), _attack_rows(judged)),
        "## Benign texts by source",
        "",
        *_table(("source", "texts", "above the threshold", "above 0.5", "highest"), _benign_rows(judged)),
        "## Calibration: what is said and what is so",
        "",
        *_table(("probability said", "texts", "mean said", "share of attacks"), _calibration_rows(judged)),
        "Benign texts weigh as much as attacks here, and a source as the root of its size, as in the calibration.",
        "",
        "## Never trained on: requests of the Core Rule Set's tests",
        "",
        "Single signs, many of them harmless alone; its negatives are such for one rule only, some of them attacks.",
        "",
        *_table(("class", "texts", "above the threshold", "above 0.5"), _unseen_rows(unseen)),
        "## Sources",
        "",
        *_table(("repository", "commit"), sorted(made_of["commits"].items())),
        "The rest is made of the templates in bench/opinion: benign.yml, attacks.yml.",
        "",
    ]
    return "\n".join(lines)


def _class_rows(judged: Judged) -> Iterator[Sequence[str]]:
    labels, sure = judged.labels(), judged.probabilities
    named = judged.margins.argmax(axis=1)
    for place, name in enumerate(CLASSES):
        mine, benign = labels == name, labels == BENIGN
        called = judged.above & (named == place)
        both = mine | benign
        area = roc_auc_score(mine[both], judged.margins[both, place])
        hits = int((called & mine).sum())
        yield (
            name,
            str(mine.sum()),
            share(hits, int((called & both).sum())),
            share(int((mine & judged.above).sum()), int(mine.sum())),
            share(int((mine & (sure >= 0.5)).sum()), int(mine.sum())),
            f"{area:.4f}",
        )


def _attack_rows(judged: Judged) -> Iterator[Sequence[str]]:
    sure, named = judged.probabilities, judged.margins.argmax(axis=1)
    for (source, label), places in _by_source(judged.samples).items():
        if label != BENIGN:
            right = int((named[places] == CLASSES.index(label)).sum())
            above = int(judged.above[places].sum())
            half = int((sure[places] >= 0.5).sum())
            count = len(places)
            yield source, label, str(count), share(above, count), share(half, count), share(right, count)


def _benign_rows(judged: Judged) -> Iterator[Sequence[str]]:
    sure = judged.probabilities
    for (source, label), places in _by_source(judged.samples).items():
        if label == BENIGN:
            above, half = int(judged.above[places].sum()), int((sure[places] >= 0.5).sum())
            yield source, str(len(places)), str(above), str(half), f"{sure[places].max():.4f}"


def _calibration_rows(judged: Judged) -> Iterator[Sequence[str]]:
    sizes = Counter((sample.source, sample.label) for sample in judged.samples)
    weights = np.array([1 / np.sqrt(sizes[sample.source, sample.label]) for sample in judged.samples])
    is_attack, sure = judged.labels() != BENIGN, judged.probabilities
    weights[is_attack] /= weights[is_attack].sum()
    weights[~is_attack] /= weights[~is_attack].sum()
    edges = (0.0, 0.02, 0.1, 0.3, 0.5, 0.7, 0.9, 0.98, 1.0)
    for low, high in pairwise(edges):
        within = (sure >= low) & ((sure < high) | (high == 1.0))
        total = float(weights[within].sum())
        if total:
            said = float((weights * sure)[within].sum()) / total
            so = float(weights[within & is_attack].sum()) / total
            yield f"{low:.2f} to {high:.2f}", str(int(within.sum())), f"{said:.3f}", f"{so:.3f}"


def _unseen_rows(judged: Judged) -> Iterator[Sequence[str]]:
    sure = judged.probabilities
    for (_, label), places in _by_source(judged.samples).items():
        above, half = int(judged.above[places].sum()), int((sure[places] >= 0.5).sum())
        yield label, str(len(places)), share(above, len(places)), share(half, len(places))


def _by_source(samples: Sequence[Sample]) -> dict[tuple[str, str], list[int]]:
    places: dict[tuple[str, str], list[int]] = {}
    for place, sample in enumerate(samples):
        places.setdefault((sample.source, sample.label), []).append(place)
    return dict(sorted(places.items()))


def share(part: int, whole: int) -> str:
    """Write a ratio in per cent."""
    return f"{100 * part / whole:.1f} %" if whole else "-"


def _table(head: Sequence[str], rows: Iterable[Sequence[str]]) -> Iterator[str]:
    yield "| " + " | ".join(head) + " |"
    yield "|---" + "|---:" * (len(head) - 1) + "|"
    for row in rows:
        yield "| " + " | ".join(row) + " |"
    yield ""
