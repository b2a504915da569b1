"""Expressions that RE2 cannot run (look-around, back-references), by the `regex` package, in bounded time.

Such an expression may take time exponential in the text. So it is tried when its rule is loaded, and refused if it is
slow on texts made to make it slow; each search has a time limit; and an expression that keeps running into it is
switched off until the process ends, which `switched_off` tells. A condition whose expression gave no answer does not
hold, whether it asks for the expression or denies it (`conditions.Guarded`).

`regex` was chosen for its time limit, which Python's `re` does not have. On this module's tests a search for
`^(?!x)(a+)+$` in 64 KB ends within 0.1 s; `re` would need longer than the universe has existed.
"""

from functools import lru_cache
from threading import Lock
from typing import Final

import regex

SECONDS: Final = 0.05
"""Limit of one search."""
MAX_TIMEOUTS: Final = 10
"""So many searches may run into the limit; the next is not made. They cost a second in all, whatever comes in."""
MAX_CHARACTERS: Final = 65_536
"""Of a longer text only the beginning is searched: 64 KB take a look-behind 25 ms."""

_PROBE_CHARACTERS: Final = 8_000
_PROBE_SIGNS: Final = "a0 /.-_"
_MAX_PROBES: Final = 12


class GivenUp(Exception):
    """An expression has no answer for a text: it took too long, or it is switched off."""


class TooSlow(ValueError):
    """An expression takes too long on a text of a few thousand characters."""


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
    made = Backtracker(source)
    made.probe()
    _known[source] = made
    return made


def switched_off() -> list[str]:
    """List the expressions that are switched off."""
    return sorted(source for source, each in list(_known.items()) if each.is_switched_off)
