"""Which texts must be there for an expression to match: what an index can look for in place of the expression.

An expression is read with the parser of Python's `re`. It knows the syntax of RE2 but for some escapes and classes;
what it does not know, or would read in another way than RE2, has no literals, and that is always safe. All literals are
`alike`. A line break before or after one says that the value begins or ends there (`BREAK`).
"""

import warnings
from collections.abc import Iterable, Iterator, Mapping, Sequence
from functools import lru_cache
from re import _constants as codes  # type: ignore[attr-defined]  # not public, the same since Python 1.5
from re import _parser  # type: ignore[attr-defined]
from typing import Any, Final, NamedTuple

from sakimori_detector.sigma.events import fold
from sakimori_detector.sigma.wildcards import Wildcards

BREAK: Final = "\n"
"""Stands between the values that are searched together, before the first and after the last."""

Common = frozenset[str]
"""Texts that are known to be in many values."""
NONE: Final[Common] = frozenset()
CommonTexts = Mapping[str | None, Common]
"""Those by field; None stands for all fields of an event together."""

MAX_ALTERNATIVES: Final = 256
"""An expression that needs more is looked for as an expression."""


def alike(text: str) -> str:
    """Fold a text, and Turkish letters i further, so that whatever any engine takes for equal becomes equal.

    `regex` without case takes İ and ı for i. As this works sign by sign, what is in a text still is in it afterwards.
    """
    return text.lower() if text.isascii() else fold(text).translate(_TURKISH)


_TURKISH: Final = {ord("ı"): "i", 0x307: None}
"""0x307 is the dot that İ leaves above its i."""


class Literals(NamedTuple):
    """Texts of which at least one is in each text that matches, both made alike."""

    texts: frozenset[str]

    def share(self, common: Common = NONE) -> float:
        """Estimate the share of values that have one; 1 and above where nearly all do."""
        return sum(share_of(text, common) for text in self.texts)


@lru_cache(maxsize=65_536)
def required(source: str, common: Common = NONE) -> Literals | None:
    """Find the literals of an expression that let the fewest values through; None where none can be told."""
    if "[:" in source or r"\p" in source or r"\P" in source:
        return None
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            parsed = _parser.parse(source)
    except (_parser.error, OverflowError, RecursionError):
        return None
    return _best(_of_sequence(list(parsed), common), common)


def literals_of(wildcards: Wildcards) -> list[str]:
    """List the literals of a string with wildcards; all of them are in each text that fits."""
    return [f"{BREAK * each.begins}{alike(each.text)}{BREAK * each.ends}" for each in wildcards.places()]


def share_of(text: str, common: Common = NONE) -> float:
    """Estimate the share of values that have a text. Letters and digits are common, other signs and long texts rare."""
    if text in common:
        return 1.0
    return float(0.5 ** sum(1 if sign.isalnum() or sign in _ORDINARY else 2 for sign in text))


_ORDINARY: Final = frozenset(" ./-_:=&?,;+" + BREAK)


def _best(found: Iterable[Literals], common: Common) -> Literals | None:
    return min(found, key=lambda literals: literals.share(common), default=None)


def _of_sequence(nodes: Sequence[Any], common: Common) -> Iterator[Literals]:
    """List what each part of a sequence needs: any of them will do."""
    run = ""
    for code, argument in nodes:
        sign = _sign(code, argument)
        if sign is not None:
            run += sign
            continue
        if code is codes.AT:  # of no width: \b does not part what stands beside it
            if argument not in _PLACES:
                continue
            run += BREAK
            if argument is codes.AT_BEGINNING or argument is codes.AT_BEGINNING_STRING:
                run = BREAK
                continue
        if run.strip(BREAK):
            yield Literals(frozenset({run}))
        run = ""
        yield from _of_part(code, argument, common)
    if run.strip(BREAK):
        yield Literals(frozenset({run}))


_PLACES: Final = frozenset(
    {codes.AT_BEGINNING, codes.AT_BEGINNING_STRING, codes.AT_END, codes.AT_END_STRING},
)


def _sign(code: Any, argument: Any) -> str | None:
    """Give the folded character that a node stands for; None where it may be several."""
    if code is codes.LITERAL:
        return alike(chr(argument)) if argument < 0xD800 or argument > 0xDFFF else None
    if code is codes.IN:
        signs = {_sign(*item) for item in argument}
        return signs.pop() if len(signs) == 1 else None
    return None


def _of_part(code: Any, argument: Any, common: Common) -> Iterator[Literals]:
    if code is codes.SUBPATTERN:
        yield from _of_sequence(list(argument[3]), common)
    elif code is codes.MAX_REPEAT or code is codes.MIN_REPEAT or code is codes.POSSESSIVE_REPEAT:
        if argument[0] > 0:
            yield from _of_sequence(list(argument[2]), common)
    elif code is codes.ATOMIC_GROUP:
        yield from _of_sequence(list(argument), common)
    elif code is codes.BRANCH:
        yield from _of_branches(argument[1], common)
    elif code is codes.IN:
        signs = [_sign(*item) for item in argument]
        if None not in signs:
            yield Literals(frozenset(sign for sign in signs if sign))


def _of_branches(branches: Sequence[Any], common: Common) -> Iterator[Literals]:
    each = [_best(_of_sequence(list(branch), common), common) for branch in branches]
    known = [literals.texts for literals in each if literals is not None]
    if len(known) == len(each):
        texts = frozenset[str]().union(*known)
        if len(texts) <= MAX_ALTERNATIVES:
            yield Literals(texts)
