"""A first look at texts that are seldom known: one bit of 32 to 64 a text says "not there" for good.

What passes is looked up exactly. Most values of a stream are seen once, so this is what indicators cost; loops over the
values of a batch run inside `map` and NumPy, which takes a third of the time of a loop in Python.
"""

from collections.abc import Collection, Iterable, Sequence
from itertools import repeat
from operator import itemgetter
from typing import Final

import numpy as np
from numpy.typing import NDArray

_BITS_A_TEXT: Final = 32
_FEW: Final = 24
"""So many texts are looked at one by one: NumPy needs some 15 us to begin with."""


class Sieve:
    """Bits by hash."""

    __slots__ = ("_bits", "_bytes", "_mask")

    def __init__(self, hashes: NDArray[np.int64]) -> None:
        self._mask = _BITS_A_TEXT * (1 << max(0, len(hashes) - 1).bit_length()) - 1
        flags = np.zeros(self._mask + 1, np.uint8)
        flags[hashes & self._mask] = 1
        self._bits = np.packbits(flags, bitorder="little")
        self._bytes = self._bits.tobytes()

    @classmethod
    def of(cls, texts: Collection[str]) -> "Sieve":
        """Make the sieve of some texts."""
        return cls(np.fromiter(map(hash, texts), np.int64, len(texts)))

    def passes(self, text: str) -> bool:
        """Say whether a text may be there: always so if it is, seldom if it is not."""
        number = hash(text)
        return bool(self._bytes[(number & self._mask) >> 3] >> (number & 7) & 1)

    def sift_heads(self, texts: Sequence[str], cut: int) -> set[str]:
        """Choose the texts of which what stands before the last dot, or the last but one (`cut` 2), may be there."""
        heads = map(itemgetter(0), map(str.rsplit, texts, repeat("."), repeat(cut)))
        return {texts[place] for place in self._passing(heads, len(texts))}

    def sift_ends(self, texts: Sequence[str], *, to_the_last: bool) -> set[str]:
        """Choose the texts that may be there as a whole or from one of their dots on, the last too if `to_the_last`."""
        chosen, ends = set[str](), texts
        for left in range(max(map(str.count, texts, repeat("."))), -1 if to_the_last else 0, -1):
            chosen.update([texts[place] for place in self._passing(ends, len(texts))])
            if left > 1 or to_the_last:
                ends = list(map(itemgetter(2), map(str.partition, ends, repeat("."))))
        return chosen

    def _passing(self, texts: Iterable[str], count: int) -> list[int]:
        """List the places of the texts that pass; empty ones do not."""
        if count < _FEW:
            return [place for place, text in enumerate(texts) if text and self.passes(text)]
        hashes = np.fromiter(map(hash, texts), np.int64, count)
        kept = hashes & self._mask
        passing: list[int] = np.flatnonzero((self._bits[kept >> 3] >> (kept & 7)) & (hashes != 0)).tolist()
        return passing
