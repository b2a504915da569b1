"""Many IPv4 addresses at once: a first look at what is seldom known, with no text made for any network of theirs."""

from collections.abc import Iterable
from socket import inet_aton
from typing import Final

import numpy as np
from numpy.typing import NDArray

from sakimori_detector.domain.intelligence.sieve import FEW, Sieve

_MIXER: Final = 0x1E3779B97F4A7C15
"""Odd, its bits in no order: neighbours among the addresses come to lie apart."""


class Quads:
    """A sieve of addresses and of the beginnings of networks: "192.0.2" of narrow ones, "192.0" of wide ones."""

    def __init__(self, addresses: Iterable[str], narrow: Iterable[str], wide: Iterable[str]) -> None:
        parts = {0: addresses, 8: (f"{head}.0" for head in narrow), 16: (f"{head}.0.0" for head in wide)}
        numbers = {behind: _numbers(text for text in texts if ":" not in text) for behind, texts in parts.items()}
        self._cuts = [behind for behind, some in numbers.items() if len(some)]
        self._sieve = Sieve(np.concatenate([_hashes(some, behind) for behind, some in numbers.items()]))

    def sift(self, texts: Iterable[str]) -> set[str]:
        """Choose what may be known: all that is, what is no dotted quad at all, few others."""
        listed = list(texts)
        odd = {text for text in listed if ":" in text} if ":" in "".join(listed) else set[str]()
        quads = [text for text in listed if text not in odd] if odd else listed
        if not self._cuts:
            return odd
        if len(quads) < FEW:
            return {*listed}
        try:
            numbers = _numbers(quads)
        except (OSError, ValueError):
            return {*listed}
        hashes = np.concatenate([_hashes(numbers, behind) for behind in self._cuts])
        return odd.union([quads[place % len(quads)] for place in self._sieve.sift_hashes(hashes)])


def _numbers(texts: Iterable[str]) -> NDArray[np.uint32]:
    """Read dotted quads; raises OSError or ValueError when one is none."""
    return np.frombuffer(b"".join(map(inet_aton, texts)), ">u4")


def _hashes(numbers: NDArray[np.uint32], behind: int) -> NDArray[np.int64]:
    return (numbers >> np.uint32(behind)) * np.int64(_MIXER + 2 * behind)
