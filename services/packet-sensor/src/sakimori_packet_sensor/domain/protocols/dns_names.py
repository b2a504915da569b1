"""Domain names in messages (RFC 1035, 4.1.4), which point into the message they are part of."""

import re
from functools import lru_cache
from typing import Final

from sakimori_packet_sensor.domain.protocols.malformed import Malformed

MAX_NAME_BYTES: Final = 255
_MAX_LABEL_BYTES: Final = 63
_MAX_POINTERS: Final = 127
_PLAIN = re.compile(rb"[A-Za-z0-9_-]+")


def read_name(message: bytes, at: int) -> tuple[str, int]:
    """Read the name at `at`; returns it without final dot ("." for the root) and where the next field begins.

    A pointer must point before the labels that led to it, so following them ends; they are at most as many as a name
    can have labels. Raises Malformed.
    """
    known = plain_name(message, at)  # as nearly all are
    return (known, message.find(0, at) + 1) if known else _read_through(message, at)


def plain_name(message: bytes, at: int) -> str:
    """Read the name at `at` if it is whole and ASCII, and has no pointer; "" if it is not."""
    root = message.find(0, at, at + MAX_NAME_BYTES)
    return _pointerless(raw) if root >= 0 and (raw := message[at:root]).isascii() else ""


@lru_cache(16_384)
def _pointerless(raw: bytes) -> str:
    """Read a name that is all of these bytes; "" when the zero behind them is not where it ends."""
    at = 0
    while at < len(raw) and raw[at] <= _MAX_LABEL_BYTES:
        at += 1 + raw[at]
    return labels_text(raw) or "." if at == len(raw) else ""


def _read_through(message: bytes, at: int) -> tuple[str, int]:
    labels: list[str] = []
    behind = -1
    begin, used, pointers = at, 0, 0
    while True:
        if at >= len(message):
            raise Malformed("a name runs out of the message")
        length = message[at]
        if length == 0:
            return ".".join(labels) or ".", behind if behind >= 0 else at + 1
        if length >= 0xC0:
            if at + 2 > len(message):
                raise Malformed("a pointer runs out of the message")
            behind = behind if behind >= 0 else at + 2
            target = (length & 0x3F) << 8 | message[at + 1]
            pointers += 1
            if target >= begin or pointers > _MAX_POINTERS:
                raise Malformed("a pointer does not point backwards, or one of too many")
            begin = at = target
            continue
        used += length + 1
        if length > _MAX_LABEL_BYTES or used > MAX_NAME_BYTES or at + 1 + length > len(message):
            raise Malformed("a label or a name is too long")
        labels.append(label_text(message[at + 1 : at + 1 + length]))
        at += 1 + length


@lru_cache(16_384)
def labels_text(raw: bytes) -> str:
    """Write labels that stand one behind the other, each behind its length and whole, with dots between them."""
    labels: list[str] = []
    at = 0
    while at < len(raw):
        behind = at + 1 + raw[at]
        labels.append(label_text(raw[at + 1 : behind]))
        at = behind
    return ".".join(labels)


@lru_cache(16_384)
def label_text(raw: bytes) -> str:
    """Write a label, UTF-8 as it is; dots, backslashes and what cannot be printed as RFC 4343, 2.1 escapes them."""
    if _PLAIN.fullmatch(raw):
        return raw.decode("ascii")
    return "".join(map(_character, raw.decode("utf-8", "surrogateescape")))


def _character(character: str) -> str:
    if character in ".\\":
        return "\\" + character
    if character.isprintable():
        return character
    return "".join(f"\\{byte:03}" for byte in character.encode("utf-8", "surrogateescape"))
