"""Expressions that RE2 cannot run (look-around, back-references), by the `regex` package, in bounded time.

Such an expression may take time exponential in the text. So it is tried when its rule is loaded, and refused if it is
slow on texts made to make it slow; each search has a time limit; and an expression that keeps running into it is
switched off until the process ends, which `switched_off` tells. A condition whose expression gave no answer does not
hold, whether it asks for the expression or denies it (`conditions.Guarded`).

`regex` was chosen for its time limit, which Python's `re` does not have. On this module's tests a search for
`^(?!x)(a+)+$` in 64 KB ends within 0.1 s; `re` would need longer than the universe has existed.
"""

import re
import warnings
from collections.abc import Iterable
from functools import lru_cache
from re import _constants as codes  # type: ignore[attr-defined]  # not public, the same since Python 1.5
from re import _parser  # type: ignore[attr-defined]
from threading import Lock
from typing import Any, Final

import regex

SECONDS: Final = 0.05
"""Limit of one search."""
MAX_TIMEOUTS: Final = 10
"""So many searches may run into the limit; the next is not made. They cost a second in all, whatever comes in."""
MAX_CHARACTERS: Final = 65_536
"""Of a longer text only the beginning is searched: 64 KB take a look-behind 25 ms."""
MAX_PARTS: Final = 100_000
"""Bound of an expression with its counted repeats written out, as `regex` keeps it: so many parts take 40 MB."""

_PROBE_CHARACTERS: Final = 8_000
_PROBE_SIGNS: Final = "a0 /.-_"
_MAX_PROBES: Final = 12


class GivenUp(Exception):
    """An expression has no answer for a text: it took too long, or it is switched off."""


class TooSlow(ValueError):
    """An expression takes too long on a text of a few thousand characters, or too much memory."""


class Backtracker:
    """One expression. Safe to share between threads."""

    def __init__(self, source: str) -> None:
        self.source = source
        self.timeouts = 0
        self._compiled = regex.compile(source)
        self._lock = Lock()

    @property
    def is_switched_off(self) -> bool:
        """Whether it ran into the limit too often."""
        return self.timeouts >= MAX_TIMEOUTS

    def find(self, text: str) -> str | None:
        """Find the first part of a text that matches; None where nothing does. Raises GivenUp."""
        if self.is_switched_off:
            raise GivenUp(self.source)
        try:
            match = self._compiled.search(text, endpos=MAX_CHARACTERS, timeout=SECONDS)
        except TimeoutError:
            with self._lock:
                self.timeouts += 1
            raise GivenUp(self.source) from None
        return None if match is None else str(match[0])

    def probe(self) -> None:
        """Try texts that make bad expressions slow: one sign over and over, and an end that fits nothing.

        Raises TooSlow.
        """
        signs = dict.fromkeys([*(sign for sign in self.source if sign.isalnum()), *_PROBE_SIGNS])
        for sign in list(signs)[:_MAX_PROBES]:
            try:
                self._compiled.search(sign * _PROBE_CHARACTERS + "\x01", timeout=SECONDS)
            except TimeoutError:
                raise TooSlow(f"takes too long on {sign!r} repeated {_PROBE_CHARACTERS} times") from None


_known: Final[dict[str, Backtracker]] = {}


@lru_cache(maxsize=4096)
def backtracker(source: str) -> Backtracker:
    """Give the one backtracker of an expression. Raises TooSlow, and regex.error for what is no expression."""
    if _is_too_big(source):
        raise TooSlow(f"has over {MAX_PARTS} parts, with its repeats written out")
    made = Backtracker(source)
    made.probe()
    _known[source] = made
    return made


def _is_too_big(source: str) -> bool:
    """Say whether repeats make an expression too big; of one that only `regex` can read, as if all were nested."""
    most = len(source)
    for count in _COUNTS.findall(source):
        most = min(most * max(int(count), 1), MAX_PARTS + 1)
    if most <= MAX_PARTS:
        return False
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            return _parts(_parser.parse(source)) > MAX_PARTS
    except (_parser.error, OverflowError, RecursionError):
        return True


_COUNTS: Final = re.compile(r"\{\s*(\d{1,10})")


def _parts(nodes: Iterable[Any]) -> int:
    """Count the parts of a parsed expression; a repeat stands there as often as it must."""
    parts = 0
    for node in nodes:
        code, argument = node if isinstance(node, tuple) and len(node) == 2 else (None, node)
        if code in _REPEATS:
            parts += max(argument[0], 1) * _parts(argument[2])
        elif isinstance(argument, _parser.SubPattern | tuple | list):
            parts += _parts(argument)
        else:
            parts += 1
    return parts


_REPEATS: Final = {codes.MAX_REPEAT, codes.MIN_REPEAT, codes.POSSESSIVE_REPEAT}


def switched_off() -> list[str]:
    """List the expressions that are switched off."""
    return sorted(source for source, each in list(_known.items()) if each.is_switched_off)
