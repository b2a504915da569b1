"""Signatures of texts that tell how alike two are without either text: MinHash of the letters' trigrams.

A. Broder, "On the resemblance and containment of documents" (1997); one byte of each minimum is kept (b-bit minwise
hashing, Li and König 2010), so unlike texts agree in 1 of 256.
"""

from collections.abc import Sequence
from functools import lru_cache
from hashlib import blake2b
from typing import Final

import numpy as np
import regex
from numpy.typing import NDArray

from sakimori_chat.domain.folding import folded, unleeted

HASHES: Final = 64
"""An estimate of 0.5 is then off by 0.06 (one standard deviation)."""
SIGNATURE_BYTES: Final = 8 + HASHES
_FORMAT: Final = 1
_NONE: Final = bytes(SIGNATURE_BYTES)
_GRAM: Final = 3
_NOISE: Final = regex.compile(r"[^\p{L}\p{M}\p{N}]+")
_WIDE: Final = "\u2e80"
_SHUFFLED: Final = np.frombuffer(b"".join(blake2b(bytes([each])).digest()[:8] for each in range(HASHES)), "<u4")
_ODD: Final = _SHUFFLED[::2] | np.uint32(1)
_ADDED: Final = _SHUFFLED[1::2]
"""Numbers out of a hat, the same ones for every replica and version of NumPy."""


@lru_cache(maxsize=16)
def signature(text: str) -> bytes:
    """Give the signature of a cleaned text: 72 bytes. Some 50 us for 100 characters; remembered for a moment.

    Its bytes: 0-5 equal for equal texts, 6 the letters' number, 7 the format, then one of each minimum.
    """
    letters = essence(text)
    exact = blake2b((letters or text).encode("utf-8", "surrogatepass"), digest_size=6).digest()
    size = min(len(letters) + sum(letter >= _WIDE for letter in letters) // 2, 255)
    return exact + bytes((size, _FORMAT)) + _minima(letters)


def size_of(packed: bytes) -> int:
    """Tell how many letters the text of a signature has, at most 255; an ideograph or syllable counts 1.5."""
    return packed[6]


def resemblances(packed: bytes, others: Sequence[bytes]) -> list[float]:
    """Estimate for each other text the share of trigrams in common (Jaccard), 0 to 1; some 15 us for 64 of them.

    Equal texts give exactly 1, a signature of another format 0.
    """
    fit = [other if len(other) == SIGNATURE_BYTES and other[7] == _FORMAT else _NONE for other in others]
    table = np.frombuffer(b"".join(fit), np.uint8).reshape(len(fit), SIGNATURE_BYTES)
    alike = (table[:, 8:] == np.frombuffer(packed, np.uint8)[8:]).sum(axis=1)
    estimates = np.maximum((alike / HASHES - 1 / 256) * 256 / 255, 0.0).tolist()
    return [
        (1.0 if other[:6] == packed[:6] else min(estimate, 0.999)) if other is not _NONE else 0.0
        for other, estimate in zip(fit, estimates, strict=True)
    ]


def essence(text: str) -> str:
    """Reduce a text to its letters, folded, digits read as letters: what copies with other signs have in common."""
    return unleeted(_NOISE.sub("", folded(text)))


def grams(letters: str) -> NDArray[np.uint32]:
    """Hash the trigrams of a text, repeated ones as often as they come; the whole of a shorter text is one."""
    codes = np.frombuffer(letters.ljust(_GRAM, "\0").encode("utf-32-le", "surrogatepass"), np.uint32)
    parts = (codes[:-2], 0x9E3779B1), (codes[1:-1], 0x85EBCA77), (codes[2:], 0xC2B2AE3D)
    mixed = np.zeros(len(codes) - 2, np.uint32)
    for part, multiplier in parts:
        mixed += part * np.uint32(multiplier)
    mixed ^= mixed >> np.uint32(15)
    mixed *= np.uint32(0x2C1B3C6D)
    return mixed


def _minima(letters: str) -> bytes:
    hashed = grams(letters)
    smallest = (hashed[:, None] * _ODD + _ADDED).min(axis=0)
    return bytes(((smallest * np.uint32(0x9E3779B1)) >> np.uint32(24)).astype(np.uint8).tobytes())
