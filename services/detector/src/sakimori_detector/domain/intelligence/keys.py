"""Texts, packed, and asking whether one is among them, exactly.

A text's hash names a bucket, the bucket names the places of the few texts in it, those are compared letter by letter.
"""

from array import array
from collections.abc import Hashable, Iterable, Iterator, Sequence
from typing import Generic, TypeVar

import numpy as np
from numpy.typing import NDArray

from sakimori_detector.domain.intelligence.sieve import Sieve

T = TypeVar("T", bound=Hashable)


class Texts(Generic[T]):
    """Texts one after the other, each with a tag; equal tags are kept once. Never changes."""

    def __init__(self, items: Iterable[tuple[str, T]]) -> None:
        numbers: dict[T, int] = {}
        self._ends, self._numbers = array("I", [0]), array("I")
        letters = bytearray()
        for text, tag in items:
            letters += text.encode("utf-8", "surrogatepass")
            self._ends.append(len(letters))
            self._numbers.append(numbers.setdefault(tag, len(numbers)))
        self._letters = bytes(letters)
        self._tags = list(numbers)

    def __len__(self) -> int:
        return len(self._numbers)

    def __iter__(self) -> Iterator[str]:
        return (self.encoded(place).decode("utf-8", "surrogatepass") for place in range(len(self)))

    def encoded(self, place: int) -> bytes:
        """Give the text at a place, in UTF-8."""
        return self._letters[self._ends[place] : self._ends[place + 1]]

    def tag(self, place: int) -> T:
        """Give the tag of the text at a place."""
        return self._tags[self._numbers[place]]


class Keys(Generic[T]):
    """An index over several `Texts`; the same text may stand in more than one."""

    def __init__(self, parts: Iterable[Texts[T]]) -> None:
        self._parts = [part for part in parts if len(part)]
        sizes = [len(part) for part in self._parts]
        self._firsts = [sum(sizes[:number]) for number in range(len(sizes))]
        hashes = np.concatenate([np.empty(0, np.int64), *(_hashes(part) for part in self._parts)])
        self.sieve = Sieve(hashes)
        self._mask = (1 << len(hashes).bit_length()) - 1
        buckets = hashes & self._mask
        self._places = _packed(np.argsort(buckets, kind="stable"))
        self._starts = _packed(np.concatenate(([0], np.cumsum(np.bincount(buckets, minlength=self._mask + 1)))))

    def __len__(self) -> int:
        return len(self._places)

    def find(self, text: str) -> Sequence[T]:
        """List the tags of a text; none where it is not among the texts."""
        return self._compared(text) if self.sieve.passes(text) else ()

    def _compared(self, text: str) -> Sequence[T]:
        bucket = hash(text) & self._mask
        start, end = self._starts[bucket], self._starts[bucket + 1]
        if start == end:
            return ()
        encoded, found = text.encode("utf-8", "surrogatepass"), list[T]()
        for place in self._places[start:end]:
            number = len(self._firsts) - 1
            while self._firsts[number] > place:
                number -= 1
            part, inside = self._parts[number], place - self._firsts[number]
            if part.encoded(inside) == encoded:
                found.append(part.tag(inside))
        return found


def _hashes(part: Texts[T]) -> NDArray[np.int64]:
    return np.fromiter(map(hash, part), np.int64, len(part))


def _packed(numbers: NDArray[np.int64]) -> "array[int]":
    """Pack into 32 bits."""
    packed = array("I")
    packed.frombytes(numbers.astype(np.uint32).tobytes())
    return packed
