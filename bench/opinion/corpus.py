"""The labelled texts: the development data's, as the engine would see them, and benign ones out of templates."""

import json
from collections.abc import Iterable, Iterator, Sequence
from pathlib import Path
from typing import Final, NamedTuple

from bench.evaluate_payloads import access_events, as_target, chat_texts, payloads
from bench.opinion import texts
from sakimori_detector.domain.normalise import decode_request
from sakimori_detector.domain.opinion.ngrams import normalised
from sakimori_detector.domain.opinion.parts import values

BENIGN: Final = "benign"
CLASSES: Final = ("sqli", "xss", "cmdi", "path-traversal")
_CLASS_OF: Final = {
    "norm": BENIGN,
    **{name: name for name in CLASSES},
    "ssti": "cmdi",
    "ssi": "cmdi",
}
"""Code that a server runs is one class. Redirects, LDAP and the like are too few, or of one list, to learn from."""
FOLDS: Final = 4
"""Families of benign templates are left out some at a time, all chat at once: a fit takes seconds."""
_CRS_CLASS: Final = {"sqli": "sqli", "xss": "xss", "cmdi": "cmdi", "path-traversal": "path-traversal"}


class Sample(NamedTuple):
    """One text that the model would be asked about; `held` is the source that is left out together with it."""

    text: str
    label: str
    source: str
    held: str


def samples(data: Path, seed: int, each: int) -> list[Sample]:
    """Read everything to train on and validate with. What a source has twice, names and numbers aside, counts once."""
    found: dict[tuple[bytes, str, str], Sample] = {}
    for label, source, held, lines in _texts(data, seed, each):
        for text in values(lines):
            found.setdefault((normalised(text), label, source), Sample(text, label, source, held))
    return list(found.values())


def unseen(data: Path) -> list[Sample]:
    """Read the Core Rule Set's test requests, on which nothing is trained: single signs, its negatives a hint only."""
    found: dict[tuple[bytes, str], Sample] = {}
    with (data / "http_payloads" / "crs_requests.jsonl").open(encoding="utf-8") as file:
        for line in file:
            case = json.loads(line)
            label = BENIGN if case["expect"] == "no_match" else _CRS_CLASS.get(case["family"])
            if label is not None:
                for text in values(_of_request(case)):
                    found.setdefault((normalised(text), label), Sample(text, label, "crs", "crs"))
    return list(found.values())


def _texts(data: Path, seed: int, each: int) -> Iterator[tuple[str, str, str, Sequence[str]]]:
    """Yield label, source, what it is left out with, and the lines that the engine makes of one value."""
    for text in payloads(data):
        if text.label in _CLASS_OF:
            yield _CLASS_OF[text.label], text.source, text.source, _of_value(text.value)
    for text in chat_texts(data):
        if "<script" not in text.value.lower():
            yield BENIGN, text.source, "chat", _of_value(text.value)
    for target in sorted({str(event.fields.get("url.original", "")) for event in access_events(data)}):
        yield BENIGN, "access log", "access log", decode_request({"url.original": target}).split("\n")
    folds: dict[str, int] = {}
    for family, value in texts.filled(texts.BENIGN, seed, each):
        fold = folds.setdefault(family, len(folds) % FOLDS)
        yield BENIGN, f"templates {family}", f"templates {fold}", _of_value(value)
    for label, value in texts.filled(texts.ATTACKS, seed, 2 * each):
        yield label, "templates", "templates", _of_value(value)


def _of_value(value: str) -> Sequence[str]:
    """Decode a value as the engine does that of a parameter; the name goes off in `values`."""
    return decode_request({"url.original": as_target(value)}).split("\n")[1:]


def _of_request(case: dict[str, object]) -> Iterable[str]:
    body = case["data"] if isinstance(case["data"], str) else ""
    return decode_request({"url.original": str(case["uri"] or ""), "http.request.body.content": body}).split("\n")
