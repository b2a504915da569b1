"""Character n-grams of a text as buckets of a table, with what tells sets of payloads apart taken out.

Letters lose their case, digits their value and number, white space its kind, letters beyond ASCII their identity, and
a run of one character its length beyond three: an attack stays what it is, a list's habits (random names and numbers,
padding, capitals) do not come along.
"""

import re
from collections.abc import Sequence
from typing import Final

import numpy as np
from numpy.typing import NDArray

MAX_CHARACTERS: Final = 1024
"""Of a text; what follows is not looked at. Payloads are shorter, and a client chooses the length."""
SIZES: Final = (1, 2, 3, 4)
"""Characters of an n-gram: enough for `../`, `<sv`, `or 0`; four is what a number of 32 bits holds."""

Integers = NDArray[np.uint32]

_OTHER: Final = 0x7F
"""Stands for a run of what is not ASCII."""
_TABLE: Final = bytes(
    _OTHER if byte >= _OTHER else 0x20 if byte <= 0x20 else 0x30 if 0x30 <= byte <= 0x39 else ord(chr(byte).lower())
    for byte in range(256)
)
_RUN = re.compile(rb"00+|  +|\x7f\x7f+|(.)\1{3,}")
_MULTIPLIER: Final = 0x9E3779B1
"""Of Knuth's multiplicative hashing: 2**32 divided by the golden ratio."""


def normalised(text: str) -> bytes:
    """Write a text as the bytes that n-grams are taken of: 32 to 127."""
    return _RUN.sub(_shortened, _mapped(text[:MAX_CHARACTERS]))


def aligned(text: str) -> tuple[bytes, list[int]]:
    """Normalise a text and tell at which of its characters each byte begins; one more place at the end."""
    text = text[:MAX_CHARACTERS]
    origins = [place for place, character in enumerate(text) for _ in _mapped(character)]
    mapped, places, end = _mapped(text), [], 0
    for match in _RUN.finditer(mapped):
        places += origins[end : match.start()]
        places += [origins[match.start()]] * len(_shortened(match))
        end = match.end()
    return normalised(text), [*places, *origins[end:], len(text)]


def buckets(texts: Sequence[bytes], bits: int) -> tuple[Integers, Integers]:
    """Hash the n-grams of normalised texts: numbers of texts, ascending, and buckets below 2**bits, both of shape (n,).

    An n-gram that a text has several times counts once. Takes up to 256 texts, which bounds its memory to some 30 MB.
    """
    joined = b"\0".join(texts)
    owner = np.cumsum(np.frombuffer(joined, np.uint8) == 0, dtype=np.uint32) << np.uint32(bits)
    found = [owner[starts] | hashed for starts, hashed in (occurrences(joined, size, bits) for size in SIZES)]
    pairs = np.concatenate(found)
    pairs.sort()
    if len(pairs):
        pairs = pairs[np.concatenate(([True], pairs[1:] != pairs[:-1]))]
    return pairs >> np.uint32(bits), pairs & np.uint32((1 << bits) - 1)


def occurrences(text: bytes, size: int, bits: int) -> tuple[NDArray[np.int64], Integers]:
    """List where the n-grams of one size (at most 4) begin, and their buckets; none has a zero byte in it."""
    codes = np.frombuffer(text, np.uint8)
    length = len(codes) - size + 1
    if length <= 0:
        return np.empty(0, np.int64), np.empty(0, np.uint32)
    value = codes[:length].astype(np.uint32)
    is_whole = codes[:length] != 0
    for offset in range(1, size):
        part = codes[offset : offset + length]
        value = value << np.uint32(8) | part
        is_whole &= part != 0
    starts = np.flatnonzero(is_whole)
    return starts, _hashed(value[starts], size, bits)


def _hashed(values: Integers, size: int, bits: int) -> Integers:
    """Mix 32 bits of characters, and the size, down to `bits`; arithmetic is modulo 2**32."""
    mixed = values * np.uint32(_MULTIPLIER)
    mixed = ((mixed ^ mixed >> np.uint32(15)) + np.uint32(size)) * np.uint32(_MULTIPLIER)
    return mixed >> np.uint32(32 - bits)


def _mapped(text: str) -> bytes:
    return text.encode("utf-8", "surrogatepass").translate(_TABLE)


def _shortened(match: re.Match[bytes]) -> bytes:
    """Cut a run to one byte, of what is neither digits, space nor foreign to three."""
    repeated: bytes | None = match[1]
    return match[0][:1] if repeated is None else repeated * 3
