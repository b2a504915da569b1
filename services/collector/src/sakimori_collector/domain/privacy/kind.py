"""What all kinds of secrets and personal data have in common."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Final, Protocol

import re2

MASK: Final = b"***"
"""What stands in place of what was masked."""
APART: Final = b"\0"
"""Stands between the values of an event when they are searched at once: no pattern goes over it."""


class Match(Protocol):
    """What is used of a match of RE2 in bytes."""

    @property
    def string(self) -> bytes:
        """What was searched."""

    def __getitem__(self, group: int) -> bytes: ...

    def start(self) -> int:
        """Where it begins."""

    def end(self) -> int:
        """Where it is over."""


Replace = Callable[[Match], bytes]
"""Says what stands in place of a match, which may be the match itself."""


@dataclass(frozen=True, slots=True)
class Kind:
    """One kind of what is masked.

    `patterns` find it in UTF-8 bytes; they run on RE2, so each is linear in the text. `trigger` is found in the JSON of
    every event in which a pattern could match, and in few others: it is looked for in everything, the patterns only
    after it. Both are in the syntax of RE2, read as Latin-1 (a byte is a character).
    """

    name: str
    trigger: str
    patterns: tuple[tuple[str, Replace], ...]


class Pattern(Protocol):
    """What is used of a compiled expression."""

    def search(self, text: bytes, pos: int = 0) -> Match | None:
        """Find the first match from `pos` on."""

    def sub(self, replace: Replace, text: bytes) -> bytes:
        """Replace all matches."""


def compiled(pattern: str) -> Pattern:
    """Compile for bytes."""
    options = re2.Options()
    options.encoding = re2.Options.Encoding.LATIN1
    options.log_errors = False
    options.max_mem = 32 << 20
    found: Pattern = re2.compile(pattern.encode(), options)
    return found


def whole(_: Match) -> bytes:
    """Mask all of the match."""
    return MASK


def after_first(match: Match) -> bytes:
    """Keep the first group, mask the rest of the match."""
    return match[1] + MASK
