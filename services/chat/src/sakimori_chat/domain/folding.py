"""Make texts that look alike alike: what comparisons of words, names and copies are made on; never for display.

Look-alike letters come from the table of UTS 39 (confusables.txt of Unicode 17) by way of the package disarm. Some 1 us
for ASCII, 30 us for 300 other characters.
"""

import unicodedata
from typing import Final

import disarm
import regex

MAX_FOLDED_CHARACTERS: Final = 4096
"""NFKC makes up to 18 code points of one; what follows is cut off."""
_IGNORED: Final = regex.compile(r"[\u0300-\u036f\p{Cf}\ufe00-\ufe0f\U000e0100-\U000e01ef]+")
_LEET: Final = str.maketrans("01345789@$|!l", "oieastbgasiii")
"""Digits and signs for letters; `l` among those that look like an i, a capital one at that."""


def folded(text: str) -> str:
    """Fold compatibility forms, look-alikes of Latin letters, case, accents, and drop what is unseen.

    Other scripts lose the letters that look like Latin ones to these, the same on both sides of a comparison.
    """
    if text.isascii():
        return text.lower()[:MAX_FOLDED_CHARACTERS]
    plain = unicodedata.normalize("NFKC", text)[:MAX_FOLDED_CHARACTERS]
    alike = disarm.normalize_confusables(disarm.normalize_confusables(plain).casefold())
    bare = _IGNORED.sub("", unicodedata.normalize("NFD", alike))
    return unicodedata.normalize("NFC", bare)[:MAX_FOLDED_CHARACTERS]


def unleeted(text: str) -> str:
    """Read the digits and signs of a folded text as the letters that they look like."""
    return text.translate(_LEET)
