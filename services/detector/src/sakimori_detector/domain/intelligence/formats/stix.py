"""STIX 2.1 (and 2.0) bundles: indicator objects whose pattern is simple (stix_pattern.py)."""

from collections.abc import Iterator
from typing import Any

import msgspec

from sakimori_detector.domain.intelligence.entries import (
    DocumentRefused,
    Entry,
    Reading,
    Skipped,
    confidence_of,
    instant_of,
)
from sakimori_detector.domain.intelligence.formats.stix_pattern import NotSimple, comparisons
from sakimori_detector.domain.intelligence.values import read as read_value


class _Object(msgspec.Struct):
    """An object of the bundle, as much of it as is used."""

    type: str
    pattern: str = ""
    pattern_type: str = "stix"
    valid_until: str | None = None
    revoked: bool = False
    confidence: Any = None


class _Bundle(msgspec.Struct):
    """A bundle, or what a TAXII 2.1 server answers, which has no type."""

    type: str = "bundle"
    objects: list[msgspec.Raw] = []


_BUNDLE = msgspec.json.Decoder(_Bundle)
_OBJECT = msgspec.json.Decoder(_Object)


def read(document: bytes, reading: Reading) -> Iterator[Entry | Skipped]:
    """Read it; objects other than indicators pass without a word."""
    try:
        bundle = _BUNDLE.decode(document.removeprefix(b"\xef\xbb\xbf"))
    except (msgspec.DecodeError, RecursionError, UnicodeDecodeError) as error:
        raise DocumentRefused(f"no STIX bundle: {error}") from None
    if bundle.type != "bundle":
        raise DocumentRefused(f"no STIX bundle but {bundle.type[:40]!r}")
    for number, raw in enumerate(bundle.objects, start=1):
        try:
            found = _OBJECT.decode(raw)
        except (msgspec.DecodeError, RecursionError):
            yield Skipped(number, "no object of STIX", is_foreign=True)
            continue
        if found.type == "indicator":
            yield from _entries(number, found, reading)


def _entries(number: int, found: _Object, reading: Reading) -> Iterator[Entry | Skipped]:
    if found.revoked or found.pattern_type != "stix":
        yield Skipped(number, "revoked" if found.revoked else "a pattern that is not STIX")
        return
    until = None if found.valid_until is None else instant_of(found.valid_until)
    try:
        compared = comparisons(found.pattern)
    except NotSimple as error:
        yield Skipped(number, str(error))
        return
    for kind, text in compared:
        value = read_value(text, kind)
        if value is None or reading.kind not in {None, kind}:
            yield Skipped(number, f"no {kind}" if value is None else "a type that is not asked for")
        else:
            yield Entry(*value, valid_until=until, confidence=confidence_of(found.confidence))
