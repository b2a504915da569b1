"""What the second opinion adds to a finding: probability, class, what moved it, and a confidence that knows of it."""

import math
from collections.abc import Mapping, Sequence
from functools import lru_cache
from typing import Any, Final

from sakimori_common.contracts import FieldValue
from sakimori_detector.domain.opinion.model import Model, Opinion
from sakimori_detector.domain.opinion.parts import suspicious_parts

WEIGHT: Final = 0.25
LIMIT: Final = 1.0
"""The rule decides: at most 1 is added to its log-odds or taken from them, 0.9 becomes 0.96 or 0.77."""
SUREST: Final = 0.9999
"""What is shown at most: calibration has too few texts to tell more."""
ASKED: Final = "@opinion"
"""A rule whose details show this has the opinion counted in."""


def opinion_on(
    model: Model | None, fields: Mapping[str, FieldValue], matched: str, confidence: float
) -> dict[str, Any]:
    """Judge the parts of a web event's values in which a rule matched: the facts `opinion` and `confidence`.

    Empty without a model, and where the match lies elsewhere (the path, a header): nothing is said about those. Some
    0.5 ms, once a rule, entity and batch that a finding comes of; several rules mostly match in the same parts, and a
    scanner sends them to many servers, so judgements are remembered.
    """
    lines = [line.strip() for line in matched.split("\n") if line.strip()]
    asked = suspicious_parts(fields) if model is not None and lines else []
    parts = [part for part in asked if any(line in part or part.strip() in line for line in lines)]
    if model is None or not parts:
        return {}
    opinion, probability = _judged(model, tuple(parts))
    return {"opinion": opinion, "confidence": pooled(confidence, probability)}


@lru_cache(maxsize=256)
def _judged(model: Model, parts: tuple[str, ...]) -> tuple[dict[str, Any], float]:
    """Tell of the part that looks most like an attack, with its probability; some 10 MB at the very worst."""
    part, opinion = strongest(parts, model.opinions(parts))
    return told(model, part, opinion), opinion.probability


def strongest(parts: Sequence[str], opinions: Sequence[Opinion]) -> tuple[str, Opinion]:
    """Pick the part that looks most like an attack, the first of several."""
    place = max(range(len(parts)), key=lambda number: opinions[number].probability)
    return parts[place], opinions[place]


def told(model: Model, part: str, opinion: Opinion) -> dict[str, Any]:
    """Write an opinion for people: probability, class, model, and the parts of the text that spoke for the class."""
    return {
        "probability": min(round(opinion.probability, 4), SUREST),
        "class": opinion.attack,
        "model": model.version,
        "ngrams": [
            {"text": excerpt.text.replace("\0", "\ufffd"), "share": excerpt.share}
            for excerpt in model.excerpts(part, opinion.attack)
        ],
    }


def pooled(confidence: float, probability: float) -> float:
    """Combine a rule's confidence c with the opinion p: log-odds of c plus WEIGHT times log-odds of p, within LIMIT.

    p is at even odds, so its log-odds are evidence only and no prior is counted twice. A rule that is certain (1) or
    says nothing (0) stays so.
    """
    if not 0 < confidence < 1:
        return confidence
    evidence = WEIGHT * _log_odds(min(max(probability, 1e-9), 1 - 1e-9))
    odds = _log_odds(confidence) + min(max(evidence, -LIMIT), LIMIT)
    return round(1 / (1 + math.exp(-odds)), 4)


def _log_odds(probability: float) -> float:
    return math.log(probability / (1 - probability))
