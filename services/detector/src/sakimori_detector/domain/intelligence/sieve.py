"""A first look at texts that are seldom known: two bits in one of the 8 to 16 bytes that there are a text.

What passes is looked up exactly. Most values of a stream are seen once, so this is what indicators cost; for the 200
values of a batch that is mostly what a call of NumPy costs, so there are few of them.
"""

from collections.abc import Collection
from typing import Final

import numpy as np
from numpy.typing import NDArray

_BYTES_A_TEXT: Final = 8
_SHIFT: Final = 29
"""A text's bits are named by its hash from here on, its byte by the end."""
_BITS: Final = [1 << number % 8 | 1 << number // 8 for number in range(64)]
FEW: Final = 24
"""So many texts are looked at one by one: NumPy needs a while to begin with."""


class Sieve:
    """Bits by hash."""

    __slots__ = ("_bits", "_bytes", "_mask")

    def __init__(self, hashes: NDArray[np.int64]) -> None:
        self._mask = _BYTES_A_TEXT * (1 << max(0, len(hashes) - 1).bit_length()) - 1
        bits = np.zeros(self._mask + 1, np.uint8)
        np.bitwise_or.at(bits, hashes & self._mask, np.array(_BITS, np.uint8)[hashes >> _SHIFT & 63])
        self._bytes = bits.tobytes()
        self._bits = np.frombuffer(self._bytes, np.uint8)

    def passes(self, text: str) -> bool:
        """Say whether a text may be there: always so if it is, seldom if it is not."""
        return self._passes(hash(text))

    def _passes(self, number: int) -> bool:
        bits = _BITS[number >> _SHIFT & 63]
        return self._bytes[number & self._mask] & bits == bits

    def sift(self, texts: Collection[str]) -> list[int]:
        """List the places of the texts that may be there."""
        if len(texts) < FEW:
            return [place for place, text in enumerate(texts) if self.passes(text)]
        return self.sift_hashes(np.fromiter(map(hash, texts), np.int64, len(texts)))

    def sift_hashes(self, hashes: NDArray[np.int64]) -> list[int]:
        """List the places of the hashes that may be there."""
        places = self._bits.take(hashes & self._mask).nonzero()[0]
        found = zip(places.tolist(), hashes.take(places).tolist(), strict=True)
        return [place for place, number in found if self._passes(number)]
