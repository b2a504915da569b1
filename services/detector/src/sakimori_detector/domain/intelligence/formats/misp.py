"""MISP: an event, a list of events, or the attributes that a search answers, in JSON."""

from collections.abc import Iterator
from typing import Any

import msgspec

from sakimori_detector.domain.intelligence.entries import DocumentRefused, Entry, Reading, Skipped, instant_of
from sakimori_detector.domain.intelligence.values import KIND_NAMES, Kind
from sakimori_detector.domain.intelligence.values import read as read_value


class _Attribute(msgspec.Struct):
    """An attribute, as much of it as is used; `timestamp` in seconds says when it was changed, not when it was seen."""

    type: str
    value: str
    to_ids: bool | str | int = True
    deleted: bool | str | int = False
    last_seen: str | None = None


class _Object(msgspec.Struct):
    Attribute: list[msgspec.Raw] = []


class _Event(msgspec.Struct):
    Attribute: list[msgspec.Raw] = []
    Object: list[_Object] = []


class _Wrapped(msgspec.Struct):
    """An event in its wrapper, or attributes without event."""

    Event: _Event | None = None
    Attribute: list[msgspec.Raw] = []


class _Answer(msgspec.Struct):
    response: list[_Wrapped] | _Wrapped


_DOCUMENT = msgspec.json.Decoder(_Answer)
_WRAPPED = msgspec.json.Decoder(_Wrapped)
_LIST = msgspec.json.Decoder(list[_Wrapped])
_ATTRIBUTE = msgspec.json.Decoder(_Attribute)


def read(document: bytes, reading: Reading) -> Iterator[Entry | Skipped]:
    """Read it: attributes that are meant for detection (`to_ids`), of types that are matched."""
    attributes = [raw for wrapped in _wrapped(document) for raw in _attributes(wrapped)]
    for number, raw in enumerate(attributes, start=1):
        try:
            attribute = _ATTRIBUTE.decode(raw)
        except (msgspec.DecodeError, RecursionError):
            yield Skipped(number, "no attribute", is_foreign=True)
        else:
            yield from _entries(number, attribute, reading)


def _wrapped(document: bytes) -> list[_Wrapped]:
    text = document.removeprefix(b"\xef\xbb\xbf").lstrip()
    try:
        if text[:1] == b"[":
            return _LIST.decode(text)
        wrapped = _WRAPPED.decode(text)
        if wrapped.Event is not None or wrapped.Attribute:
            return [wrapped]
        answer = _DOCUMENT.decode(text).response
        return answer if isinstance(answer, list) else [answer]
    except (msgspec.DecodeError, RecursionError, UnicodeDecodeError) as error:
        raise DocumentRefused(f"no MISP document: {error}") from None


def _attributes(wrapped: _Wrapped) -> Iterator[msgspec.Raw]:
    yield from wrapped.Attribute
    if wrapped.Event is not None:
        yield from wrapped.Event.Attribute
        for each in wrapped.Event.Object:
            yield from each.Attribute


def _entries(number: int, attribute: _Attribute, reading: Reading) -> Iterator[Entry | Skipped]:
    if _is_set(attribute.deleted):
        yield Skipped(number, "deleted")
    elif not _is_set(attribute.to_ids):
        yield Skipped(number, "not meant for detection (to_ids)")
    else:
        for kind, text in _parts(attribute):
            value = read_value(text, kind) if kind is not None else None
            if value is not None and reading.kind in {None, value.kind}:
                yield Entry(*value, last_seen=instant_of(attribute.last_seen or ""))
            else:
                yield Skipped(number, f"no {kind}" if kind else "a type that is not matched")


def _parts(attribute: _Attribute) -> Iterator[tuple[Kind | None, str]]:
    """Take composite types (`filename|sha256`, `domain|ip`) apart; of address and port the address is used."""
    types = attribute.type.lower().split("|")
    values = attribute.value.rsplit("|", len(types) - 1)
    kinds = [(KIND_NAMES.get(name), value) for name, value in zip(types, values, strict=False)]
    known = [part for part in kinds if part[0] is not None]
    yield from known or kinds[:1]


def _is_set(flag: Any) -> bool:
    return flag not in {False, "0", "false", "False", ""}
