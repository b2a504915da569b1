"""A first look at texts that are seldom known: one bit of sixteen to thirty-two says "not there" for good.

What passes is looked up exactly. Events rarely repeat an address, so what this costs is a miss of the processor's
cache, and the bits of 250,000 texts take 1 MB where flags of a byte took 4 and a dictionary 30.
"""

from collections.abc import Collection, Iterable
from typing import Final

import numpy as np
from numpy.typing import NDArray

_SHARE: Final = 16


class Sieve:
    """Bits by hash. `bits[(hash(text) & mask) >> 3] >> (hash(text) & 7) & 1` is 0 for what is not there."""

    __slots__ = ("bits", "mask")

    def __init__(self, hashes: NDArray[np.int64]) -> None:
        self.mask = _SHARE * (1 << max(0, len(hashes) - 1).bit_length()) - 1
        flags = np.zeros(self.mask + 1, np.uint8)
        flags[hashes & self.mask] = 1
        self.bits = np.packbits(flags, bitorder="little").tobytes()

    @classmethod
    def of(cls, texts: Collection[str]) -> "Sieve":
        """Make the sieve of some texts."""
        return cls(np.fromiter(map(hash, texts), np.int64, len(texts)))

    def passes(self, text: str) -> bool:
        """Say whether a text may be there: always so if it is, seldom if it is not."""
        number = hash(text)
        return bool(self.bits[(number & self.mask) >> 3] >> (number & 7) & 1)

    def sift_heads(self, texts: Iterable[str], cut: int) -> set[str]:
        """Choose the texts of which what stands before the last dot, or the last but one (`cut` 2), may be there.

        Some 0.2 us a text, as below.
        """
        bits, mask = self.bits, self.mask
        return {
            text for text in texts if bits[((number := hash(text.rsplit(".", cut)[0])) & mask) >> 3] >> (number & 7) & 1
        }

    def sift_ends(self, texts: Iterable[str], shortest: int) -> set[str]:
        """Choose the texts of which an end that begins behind a dot, or the whole, may be there.

        `shortest` is how many dots an end has at least.
        """
        bits, mask, chosen = self.bits, self.mask, set[str]()
        for text in texts:
            end = text
            for _ in range(text.count(".") + 1 - shortest):
                number = hash(end)
                if bits[(number & mask) >> 3] >> (number & 7) & 1:
                    chosen.add(text)
                    break
                end = end[end.find(".") + 1 :]
        return chosen
