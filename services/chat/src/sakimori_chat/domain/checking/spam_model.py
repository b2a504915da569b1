"""A linear model over hashed letter sequences and a few signs: how much a message looks like advertising spam.

Learned from English SMS and comments (bench/spam); of texts that are not mostly in Latin letters it says nothing.
Weights are whole numbers, so sums come out the same in whatever order they are added up. No word of the texts that
it learned from is in it: only numbers by bucket.
"""

import math
import re
from dataclasses import dataclass
from typing import Final, NamedTuple

import numpy as np
import regex
from numpy.typing import NDArray

from sakimori_chat.domain.folding import folded

MAX_CHARACTERS: Final = 1024
"""Of a text; what follows is not looked at."""
SIZES: Final = (1, 2, 3, 4)
PRIOR: Final = 20
"""Letter sequences that every text is taken to have besides its own: a single word is no sure sign of anything."""
SIGN_STEP: Final = 0.1
"""What a sign counts beside the sequences, which share 1 at most."""
SIGNS: Final = (
    *("a link", "two links or more", "a sign of money", "a mail address"),
    *("1 digit or more", "4 digits or more", "8 digits or more", "16 digits or more"),
    *("a number of 3 digits", "a number of 5 digits", "a number of 8 digits", "a number of 11 digits"),
    *("some capitals", "many capitals", "capitals only", "a word in capitals", "3 words in capitals"),
    *("an exclamation mark", "3 exclamation marks"),
    *("over 20 characters", "over 50 characters", "over 100 characters", "over 150 characters"),
)

Numbers = NDArray[np.uint32]
_LINK: Final = re.compile(r"https?:|www\.|\w\.(?:com|net|org|co|info|ly|uk|tk|be)\b")
_ADDRESS: Final = re.compile(r"(?:https?://|www\.)\S{0,256}")
_SPACES: Final = re.compile(r"\s+")
_DIGITS: Final = re.compile(r"0{7,}")
_RUNS: Final = re.compile(r"([^0])\1{3,}")
_LETTERS: Final = regex.compile(r"\p{L}")
_LATIN: Final = regex.compile(r"\p{Latin}")
_MULTIPLIER: Final = np.uint32(0x9E3779B1)
_HALF: Final = np.uint32(15)


class SpamModelError(ValueError):
    """What was read is no model that this version can use; says why."""


class Judged(NamedTuple):
    """`probability` (0-1) that a message is spam if that were as likely as not before looking; what moved it."""

    probability: float
    moved_by: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True, eq=False)
class SpamModel:
    """Weights int16, shape (2**bits,); of the signs int16, shape (len(SIGNS),); `step` is the worth of 1 in them.

    The margin is step * (sum / sqrt(sequences + PRIOR) + SIGN_STEP * sum of signs) + bias; slope * margin + shift are
    log-odds. `threshold` is the probability from which a message is objected to where a room does not say. Raises
    SpamModelError when the parts do not fit together.
    """

    version: str
    weights: NDArray[np.int16]
    signs: NDArray[np.int16]
    step: float
    bias: float
    slope: float
    shift: float
    threshold: float

    def __post_init__(self) -> None:
        """Check shapes and ranges."""
        size = self.weights.size
        if (
            self.weights.dtype != np.int16
            or self.weights.ndim != 1
            or size.bit_count() != 1
            or not 256 <= size <= 1 << 22
        ):
            raise SpamModelError(f"weights of shape {self.weights.shape} and type {self.weights.dtype}")
        if self.signs.dtype != np.int16 or self.signs.shape != (len(SIGNS),):
            raise SpamModelError(f"signs of shape {self.signs.shape}, this version has {len(SIGNS)}")
        numbers = (self.step, self.bias, self.slope, self.shift)
        if not all(map(math.isfinite, numbers)) or self.step <= 0 or self.slope <= 0 or not 0 < self.threshold < 1:
            raise SpamModelError("a number is out of its range")

    def probability(self, text: str) -> float:
        """Judge a cleaned text; 0 where it is not mostly in Latin letters. Some 60 us for 100 characters."""
        plain = normalised(text)
        if plain is None:
            return 0.0
        found = buckets(plain, self.weights.size)
        total = int(self.weights.take(found).sum(dtype=np.int64)) / math.sqrt(len(found) + PRIOR)
        present = int(self.signs[signs_of(text, plain)].sum(dtype=np.int64))
        margin = self.step * (total + SIGN_STEP * present) + self.bias
        return 1 / (1 + math.exp(-min(max(self.slope * margin + self.shift, -30.0), 30.0)))

    def explained(self, text: str) -> tuple[str, ...]:
        """Name the words of a text and the signs that spoke most for spam, the strongest first, each with its share."""
        plain = normalised(text) or ""
        gains = self._gains(plain)
        spoke: dict[str, float] = {}
        place = 0
        for word in plain.split(" "):
            worth = float(gains[place : place + len(word)].sum())
            spoke[word] = spoke.get(word, 0.0) + max(worth, 0.0)
            place += len(word) + 1
        for sign in np.flatnonzero(signs_of(text, plain)).tolist():
            spoke[SIGNS[sign]] = max(SIGN_STEP * float(self.signs[sign]), 0.0)
        total = sum(spoke.values()) or 1.0
        strongest = sorted(spoke.items(), key=lambda pair: -pair[1])[:4]
        return tuple(f"{name[:32]} {worth / total:.0%}" for name, worth in strongest if worth >= 0.05 * total)

    def _gains(self, plain: str) -> NDArray[np.float64]:
        """Split the weight of every sequence over its letters, once for each place it stands at."""
        gains = np.zeros(len(plain), np.float64)
        found = _sequences(plain, self.weights.size)
        norm = math.sqrt(len(np.unique(np.concatenate(found))) + PRIOR) if plain else 1.0
        for size, hashed in zip(SIZES, found, strict=True):
            worth = self.weights.take(hashed) / (size * norm)
            for offset in range(size):
                gains[offset : offset + len(hashed)] += worth
        return gains


def normalised(text: str) -> str | None:
    """Write a text as sequences are taken of it: folded, digits as 0, addresses as a link; None if it is not Latin."""
    text = text[:MAX_CHARACTERS]
    plain = folded(text)
    if not text.isascii():
        letters = len(_LETTERS.findall(text))
        is_latin = 2 * len(_LATIN.findall(text)) >= letters
        if not is_latin and _LETTERS.search(regex.sub(r"\p{ASCII}", "", plain)) is not None:
            return None
    plain = re.sub(r"[0-9]", "0", _ADDRESS.sub("http: ", plain))
    shortened = _RUNS.sub(r"\1\1\1", _DIGITS.sub("000000", plain))
    return f" {_SPACES.sub(' ', shortened).strip()} "


def buckets(plain: str, count: int) -> Numbers:
    """Hash the sequences of 1 to 4 letters of a normalised text to numbers below `count`, each once, ascending."""
    found = np.concatenate(_sequences(plain, count))
    found.sort()
    return found[np.concatenate(([True], found[1:] != found[:-1]))] if len(found) else found


def signs_of(text: str, plain: str) -> NDArray[np.bool_]:
    """Tell which SIGNS a text has; shape (len(SIGNS),)."""
    links = len(_LINK.findall(text.lower())) if "." in text or ":" in text else 0
    runs = [len(run) for run in re.findall(r"[0-9]+", text)]
    digits, longest = sum(runs), max(runs, default=0)
    letters = sum(map(str.isalpha, text))
    share = sum(map(str.isupper, text)) / letters if letters > 7 else 0.0
    shouted = sum(len(word) > 2 and word.isupper() for word in text.split())
    marks, size = text.count("!"), len(plain)
    return np.array(
        (
            *(links > 0, links > 1, any(sign in text for sign in "£$€"), "@" in text and ".co" in text),
            *(digits > 0, digits > 3, digits > 7, digits > 15),
            *(longest > 2, longest > 4, longest > 7, longest > 10),
            *(share > 0.1, share > 0.3, share > 0.8, shouted > 0, shouted > 2),
            *(marks > 0, marks > 2),
            *(size > 20, size > 50, size > 100, size > 150),
        ),
        np.bool_,
    )


def _sequences(plain: str, count: int) -> list[Numbers]:
    """Hash the sequences of each of SIZES, in their order; those of a size out of those that are one shorter."""
    codes = np.frombuffer(plain.encode("utf-32-le", "surrogatepass"), np.uint32)
    shift = np.uint32(33 - count.bit_length())
    mixed = np.zeros(len(codes) + 1, np.uint32)
    found: list[Numbers] = []
    for size in SIZES:
        mixed = (mixed[:-1] ^ codes[size - 1 :]) * _MULTIPLIER if len(codes) >= size else mixed[:0]
        mixed ^= mixed >> _HALF
        found.append(mixed >> shift)
    return found
