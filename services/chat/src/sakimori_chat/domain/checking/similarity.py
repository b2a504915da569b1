"""Signatures of texts that tell how alike two are without either text: MinHash of the letters' trigrams.

A. Broder, "On the resemblance and containment of documents" (1997); one byte of each minimum is kept (b-bit minwise
hashing, Li and König 2010), so unlike texts agree in 1 of 256.
"""

from functools import lru_cache
from hashlib import blake2b
from typing import Final, NamedTuple

import numpy as np
import regex
from numpy.typing import NDArray

from sakimori_chat.domain.folding import folded, unleeted

HASHES: Final = 64
"""An estimate of 0.5 is then off by 0.06 (one standard deviation)."""
SIGNATURE_BYTES: Final = 8 + HASHES
_FORMAT: Final = 1
_GRAM: Final = 3
_NOISE: Final = regex.compile(r"[^\p{L}\p{M}\p{N}]+")
_WIDE: Final = "\u2e80"
_SHUFFLED: Final = np.frombuffer(b"".join(blake2b(bytes([each])).digest()[:8] for each in range(HASHES)), "<u4")
_ODD: Final = _SHUFFLED[::2] | np.uint32(1)
_ADDED: Final = _SHUFFLED[1::2]
"""Numbers out of a hat, the same ones for every replica and version of NumPy."""


class Signature(NamedTuple):
    """A signature taken apart.

    `exact` is equal for equal texts, `size` the letters' number (an ideograph or syllable counts one and a half, at
    most 255), `minima` one byte for each hash.
    """

    exact: bytes
    size: int
    minima: int


@lru_cache(maxsize=16)
def signature(text: str) -> bytes:
    """Give the signature of a cleaned text: 72 bytes. Some 50 us for 100 characters; remembered for a moment."""
    letters = essence(text)
    exact = blake2b((letters or text).encode("utf-8", "surrogatepass"), digest_size=6).digest()
    size = min(len(letters) + sum(letter >= _WIDE for letter in letters) // 2, 255)
    return exact + bytes((size, _FORMAT)) + _minima(letters)


def parted(packed: bytes) -> Signature | None:
    """Take a signature apart; None for one of another format."""
    if len(packed) != SIGNATURE_BYTES or packed[7] != _FORMAT:
        return None
    return Signature(packed[:6], packed[6], int.from_bytes(packed[8:]))


def resemblance(one: Signature, other: Signature) -> float:
    """Estimate the share of trigrams that two texts have in common (Jaccard), 0 to 1. Some 0.5 us."""
    if one.exact == other.exact:
        return 1.0
    alike = (one.minima ^ other.minima).to_bytes(HASHES).count(0)
    return max(0.0, (alike / HASHES - 1 / 256) * 256 / 255)


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
