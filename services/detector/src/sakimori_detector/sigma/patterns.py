"""From Sigma's expressions to something that runs in bounded time.

RE2 runs in time linear in the text whatever the expression. What it cannot do (look-around, back-references) is left to
`backtracking`, with a time limit.
"""

import re
from dataclasses import dataclass
from functools import lru_cache
from typing import Any, Final, cast

import re2
import regex
from sigma.policy import SigmaPolicy
from sigma.policy.regex_engine import RegexEngine, RegexPattern
from sigma.types import Placeholder, SigmaRegularExpression, SigmaRegularExpressionFlag

from sakimori_detector.sigma.backtracking import TooSlow, backtracker
from sakimori_detector.sigma.wildcards import PlaceholderLeft

MEMORY_BYTES: Final = 64 << 20
"""Bound of one automaton; when its cache is full, RE2 starts it anew."""

_FLAGS: Final = {
    SigmaRegularExpressionFlag.IGNORECASE: "i",
    SigmaRegularExpressionFlag.MULTILINE: "m",
    SigmaRegularExpressionFlag.DOTALL: "s",
}


class PatternError(ValueError):
    """An expression cannot be run; the message says why."""


@dataclass(frozen=True, slots=True)
class Expression:
    """An expression that finds anywhere in the text unless it says otherwise.

    `weight` is how many literal characters it needs, roughly; `shown` is how the rule wrote it. RE2 cannot run what
    `is_slow`.
    """

    source: str
    weight: int
    shown: str
    is_slow: bool = False


def options() -> Any:
    """Make the options that every expression is compiled with."""
    chosen = re2.Options()
    chosen.max_mem = MEMORY_BYTES
    chosen.log_errors = False
    return chosen


def of_expression(value: SigmaRegularExpression) -> Expression:
    """Take a Sigma expression over with its flags. Raises PatternError, and PlaceholderLeft."""
    for part in value.regexp.s:
        if isinstance(part, Placeholder):
            raise PlaceholderLeft(part.name)
    shown = str(value.regexp)
    source = _with_flags(shown, "".join(sorted(_FLAGS[flag] for flag in value.flags)))
    return Expression(source, sum(map(str.isalnum, shown)) // 2, shown, _is_slow(source))


def _is_slow(source: str) -> bool:
    """Say whether RE2 cannot run an expression but `regex` can. Raises PatternError."""
    try:
        compiled(source)
    except PatternError as error:
        _try_backtracking(source, error)
        return True
    return False


def _try_backtracking(source: str, refused: PatternError) -> None:
    try:
        backtracker(source)
    except TooSlow as error:
        raise PatternError(f"the expression {error}") from None
    except (regex.error, RecursionError, OverflowError) as error:
        raise (PatternError(f"no expression: {error}") if _BACKTRACKING.search(source) else refused) from None


_BACKTRACKING: Final = re.compile(r"\(\?(?:[=!>(]|<[=!]|P=)|\\[1-9]|[*+?}]\+")
"""Look-around and the like: RE2 has nothing to say about what is wrong beside them."""


def _with_flags(expression: str, flags: str) -> str:
    return f"(?{flags}){expression}" if flags else expression


@lru_cache(maxsize=32_768)
def compiled(source: str) -> Any:
    """Compile an expression. Raises PatternError that says what RE2 cannot do with it."""
    try:
        return re2.compile(source, options())
    except re2.error as error:
        reason = error.args[0] if error.args else ""
        raise PatternError(reason.decode("utf-8", "replace") if isinstance(reason, bytes) else str(reason)) from None


class QuietEngine(RegexEngine):
    """The engine pySigma validates expressions with: those that we run, without RE2's messages on stderr."""

    def compile(self, pattern: str, flags: int = 0) -> RegexPattern:
        """See RegexEngine."""
        letters = "".join(letter for flag, letter in _PYTHON_FLAGS.items() if flags & flag)
        source = _with_flags(pattern, letters)
        return cast(RegexPattern, regex.compile(source) if _is_slow(source) else compiled(source))

    @property
    def error(self) -> type[Exception]:
        """See RegexEngine."""
        return PatternError


_PYTHON_FLAGS: Final = {re.IGNORECASE: "i", re.MULTILINE: "m", re.DOTALL: "s"}
POLICY: Final = SigmaPolicy(regex_engine=QuietEngine())


def holds(expression: Expression, text: str) -> bool:
    """Say whether an expression matches somewhere in the text. Raises GivenUp for a slow one."""
    return find(expression, text) is not None


def find(expression: Expression, text: str) -> str | None:
    """Find the first part of the text that matches; None where nothing does. Raises GivenUp for a slow one."""
    if expression.is_slow:
        return backtracker(expression.source).find(text)
    match = compiled(expression.source).search(clean(text))
    return None if match is None else str(match.group())


def clean(text: str) -> str:
    """Replace lone surrogates, which have no UTF-8."""
    return text.encode("utf-8", "replace").decode("utf-8")
