"""From Sigma's strings and expressions to RE2.

RE2 runs in time linear in the text whatever the expression, so no rule can stall the stream; what it cannot do
(look-around, back-references) is refused when the rule is loaded.
"""

import re
from dataclasses import dataclass
from functools import lru_cache
from typing import Any, Final

import re2
from sigma.policy import SigmaPolicy
from sigma.policy.regex_engine import RegexEngine, RegexPattern
from sigma.types import (
    SigmaCasedString,
    SigmaRegularExpression,
    SigmaRegularExpressionFlag,
    SigmaString,
    SpecialChars,
)

MEMORY_BYTES: Final = 64 << 20
"""Bound of one automaton; when its cache is full, RE2 starts it anew."""

_FLAGS: Final = {
    SigmaRegularExpressionFlag.IGNORECASE: "i",
    SigmaRegularExpressionFlag.MULTILINE: "m",
    SigmaRegularExpressionFlag.DOTALL: "s",
}


class PatternError(ValueError):
    """RE2 cannot run an expression; the message says why."""


@dataclass(frozen=True, slots=True)
class Expression:
    """An RE2 expression that finds anywhere in the text unless it says otherwise.

    `weight` is how many literal characters it needs, roughly; `shown` is how the rule wrote it.
    """

    source: str
    weight: int
    shown: str


def options() -> Any:
    """Make the options that every expression is compiled with."""
    chosen = re2.Options()
    chosen.max_mem = MEMORY_BYTES
    chosen.log_errors = False
    return chosen


def of_string(value: SigmaString, *, anywhere: bool = False) -> Expression:
    """Translate a Sigma string: `*` and `?` are wildcards, case does not matter unless `|cased`.

    It must fit the whole value, unless `anywhere` (keywords do). Raises PatternError for a placeholder left over.
    """
    parts = list(value.s)
    begins = not anywhere and not (parts and parts[0] is SpecialChars.WILDCARD_MULTI)
    ends = not anywhere and not (parts and parts[-1] is SpecialChars.WILDCARD_MULTI)
    while parts and parts[0] is SpecialChars.WILDCARD_MULTI:
        parts.pop(0)
    while parts and parts[-1] is SpecialChars.WILDCARD_MULTI:
        parts.pop()
    flags = "(?s)" if isinstance(value, SigmaCasedString) else "(?is)"
    body = "".join(map(_part, parts))
    weight = sum(len(part) for part in parts if isinstance(part, str))
    return Expression(f"{flags}{'^' if begins else ''}{body}{'$' if ends else ''}", weight, str(value))


def _part(part: Any) -> str:
    if part is SpecialChars.WILDCARD_MULTI:
        return ".*"
    if part is SpecialChars.WILDCARD_SINGLE:
        return "."
    if isinstance(part, str):
        return str(re2.escape(part))
    raise PatternError(f"placeholder '%{part.name}%' has no value")


def of_expression(value: SigmaRegularExpression) -> Expression:
    """Take a Sigma expression over with its flags. Raises PatternError for what RE2 cannot run."""
    shown = str(value.regexp)
    source = _with_flags(shown, "".join(sorted(_FLAGS[flag] for flag in value.flags)))
    compiled(source)
    return Expression(source, sum(map(str.isalnum, shown)) // 2, shown)


def _with_flags(expression: str, flags: str) -> str:
    return f"(?{flags}){expression}" if flags else expression


@lru_cache(maxsize=4096)
def compiled(source: str) -> Any:
    """Compile an expression. Raises PatternError that says what RE2 cannot do with it."""
    try:
        return re2.compile(source, options())
    except re2.error as error:
        reason = error.args[0] if error.args else ""
        raise PatternError(reason.decode("utf-8", "replace") if isinstance(reason, bytes) else str(reason)) from None


class QuietRe2(RegexEngine):
    """The engine pySigma validates expressions with: RE2 as we run it, without its messages on stderr."""

    def compile(self, pattern: str, flags: int = 0) -> RegexPattern:
        """See RegexEngine."""
        letters = "".join(letter for flag, letter in _PYTHON_FLAGS.items() if flags & flag)
        compiled_pattern: RegexPattern = compiled(_with_flags(pattern, letters))
        return compiled_pattern

    @property
    def error(self) -> type[Exception]:
        """See RegexEngine."""
        return PatternError


_PYTHON_FLAGS: Final = {re.IGNORECASE: "i", re.MULTILINE: "m", re.DOTALL: "s"}
POLICY: Final = SigmaPolicy(regex_engine=QuietRe2())


def holds(expression: Expression, text: str) -> bool:
    """Say whether an expression matches somewhere in the text."""
    return compiled(expression.source).search(clean(text)) is not None


def find(expression: Expression, text: str) -> str | None:
    """Find the first part of the text that matches; None where nothing does."""
    match = compiled(expression.source).search(clean(text))
    return None if match is None else str(match.group())


def clean(text: str) -> str:
    """Replace lone surrogates, which have no UTF-8."""
    return text.encode("utf-8", "replace").decode("utf-8")
