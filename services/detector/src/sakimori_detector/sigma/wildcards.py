"""Sigma strings with wildcards: `*` stands for any text, `?` for one character.

They are compared with the folded text of a value, as values without wildcards are, and by plain searches for what
stands between the wildcards: in time linear in the text.
"""

import re
from dataclasses import dataclass
from functools import lru_cache
from typing import Final, NamedTuple

from sigma.types import Placeholder, SigmaCasedString, SigmaString, SpecialChars

from sakimori_detector.sigma.events import fold

Part = tuple[str, ...]
"""What stands between two `*`: texts with one `?` between each two."""


MAX_SINGLES: Final = 64
"""`?` in one value: a search for them takes so many steps for each character of the text."""


class StringError(ValueError):
    """A string cannot be looked for; the message says why."""


class PlaceholderLeft(StringError):
    """A placeholder has no value; `name` is its name."""

    def __init__(self, name: str) -> None:
        super().__init__(f"placeholder '%{name}%' has no value (placeholders.yml or lists/)")
        self.name = name


class Literal(NamedTuple):
    """A text between wildcards, folded; whether the value begins with it, or ends."""

    text: str
    begins: bool
    ends: bool


@dataclass(frozen=True, slots=True)
class Wildcards:
    """A string with wildcards, folded unless `is_cased`.

    `begins`, `ends`: no `*` stands before the first part, or behind the last one. `shown` is how the rule wrote it.
    A `?` is one character of the folded text: where folding makes two of one (ß is ss), it takes `??`.
    """

    parts: tuple[Part, ...]
    begins: bool
    ends: bool
    is_cased: bool
    shown: str

    def places(self) -> list[Literal]:
        """List the folded texts that all occur in the folded text of what fits, in this order."""
        texts = [text for part in self.parts for text in part]
        last = len(texts) - 1
        return [
            Literal(fold(text), self.begins and place == 0, self.ends and place == last)
            for place, text in enumerate(texts)
            if text
        ]

    @property
    def weight(self) -> int:
        """How many characters are fixed."""
        return sum(len(text) for part in self.parts for text in part)

    def find(self, text: str) -> tuple[int, int] | None:
        """Find where it fits into a text, which must be folded unless `is_cased`: begin and end."""
        parts, place, limit, last = self.parts, 0, len(text), len(text)
        if self.begins and parts:
            if not _stands(parts[0], text, 0):
                return None
            place, parts = _length(parts[0]), parts[1:]
        if self.ends and parts:
            limit -= _length(parts[-1])
            if limit < place or not _stands(parts[-1], text, limit):
                return None
            parts = parts[:-1]
        elif self.ends and place != last:
            return None
        return self._between(parts, text, place, limit)

    def _between(self, parts: tuple[Part, ...], text: str, place: int, limit: int) -> tuple[int, int] | None:
        """Find the parts one after the other; the leftmost place of each leaves the most room for the next."""
        first = 0 if self.begins else None
        for part in parts:
            found = _find(part, text, place, limit)
            if found < 0:
                return None
            place = found + _length(part)
            first = found if first is None else first
        end = len(text) if self.ends else place
        return (end - _length(self.parts[-1]) if self.parts else 0) if first is None else first, end


def of_string(value: SigmaString, *, anywhere: bool = False) -> Wildcards:
    """Read a Sigma string; with `anywhere` it may stand inside a value, as keywords may. Raises StringError."""
    if value.s.count(SpecialChars.WILDCARD_SINGLE) > MAX_SINGLES:
        raise StringError(f"over {MAX_SINGLES} ? in one value")
    parts: list[list[str]] = [[""]]
    for sign in value.s:
        if sign is SpecialChars.WILDCARD_MULTI:
            parts.append([""])
        elif sign is SpecialChars.WILDCARD_SINGLE:
            parts[-1].append("")
        elif isinstance(sign, Placeholder):
            raise PlaceholderLeft(sign.name)
        else:
            parts[-1][-1] += str(sign)
    is_cased = isinstance(value, SigmaCasedString)
    folded = [tuple(text if is_cased else fold(text) for text in part) for part in parts]
    return Wildcards(
        parts=tuple(part for part in folded if part != _NOTHING),
        begins=not anywhere and folded[0] != _NOTHING,
        ends=not anywhere and folded[-1] != _NOTHING,
        is_cased=is_cased,
        shown=str(value),
    )


_NOTHING: Final[Part] = ("",)


def _length(part: Part) -> int:
    return sum(map(len, part)) + len(part) - 1


def _stands(part: Part, text: str, place: int) -> bool:
    if place + _length(part) > len(text):
        return False
    for each in part:
        if not text.startswith(each, place):
            return False
        place += len(each) + 1
    return True


def _find(part: Part, text: str, place: int, limit: int) -> int:
    if len(part) == 1:
        return text.find(part[0], place, limit)
    found = _expression(part).search(text, place, limit)
    return -1 if found is None else found.start()


@lru_cache(maxsize=65_536)
def _expression(part: Part) -> "re.Pattern[str]":
    return re.compile(".".join(map(re.escape, part)), re.DOTALL)
