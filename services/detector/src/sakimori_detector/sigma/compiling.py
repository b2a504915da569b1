"""From pySigma's objects to conditions of our own.

pySigma parses, applies the modifiers and validates; here its tree of values becomes a tree of tests, whatever Sigma
does not mean is refused (`Unsupported`), and equal tests of different rules become one.
"""

import re
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from dataclasses import field as field_
from itertools import groupby
from typing import Final, TypeVar

from sigma.conditions import (
    ConditionAND,
    ConditionFieldEqualsValueExpression,
    ConditionNOT,
    ConditionOR,
    ConditionValueExpression,
)
from sigma.rule import SigmaRule
from sigma.types import (
    CompareOperators,
    Placeholder,
    SigmaBool,
    SigmaCasedString,
    SigmaCIDRExpression,
    SigmaCompareExpression,
    SigmaExists,
    SigmaExpansion,
    SigmaFieldReference,
    SigmaNull,
    SigmaNumber,
    SigmaRegularExpression,
    SigmaString,
    SigmaStringPartType,
    SigmaTimestampPart,
    SigmaType,
    SpecialChars,
)

from sakimori_detector.sigma import patterns, wildcards
from sakimori_detector.sigma.conditions import (
    All,
    AnyOf,
    Compares,
    Condition,
    Exact,
    Exists,
    Fits,
    Guarded,
    InNetwork,
    Matches,
    Not,
    Relation,
    SameAs,
    Test,
    TimePart,
    tests_of,
)
from sakimori_detector.sigma.events import fold, key_of
from sakimori_detector.sigma.times import TIME_PARTS, TimePartName

_MAX_DEPTH: Final = 100
MAX_PLACEHOLDER_VALUES: Final = 200
"""Of one value of a rule, all its placeholders together (pySigma's bound)."""


class Unsupported(ValueError):
    """The rule asks for something this engine does not do; the message says what."""


T = TypeVar("T", SigmaString, SigmaRegularExpression)


def _as_it_is(name: str) -> str:
    return name


@dataclass(frozen=True, slots=True)
class Vocabulary:
    """What words of a rule mean here: `field` gives the name that events have for it, `placeholders` their values."""

    field: Callable[[str], str] = _as_it_is
    placeholders: Mapping[str, Sequence[str]] = field_(default_factory=dict)


PLAIN: Final = Vocabulary()
"""Fields as they are, no placeholders."""


def condition_of(rule: SigmaRule, vocabulary: Vocabulary = PLAIN) -> Condition:
    """Compile a rule's condition (of several, any).

    Raises Unsupported, PatternError, StringError, and pySigma's SigmaError.
    """
    compiler = _Compiler(vocabulary)
    compiled = [compiler.compiled(parsed.parsed) for parsed in rule.detection.parsed_condition]
    condition = compiled[0] if len(compiled) == 1 else AnyOf(tuple(compiled))
    is_slow = any(isinstance(test, Matches) and test.expression.is_slow for test in tests_of(condition))
    return Guarded(condition) if is_slow else condition


class _Compiler:
    def __init__(self, vocabulary: Vocabulary) -> None:
        self._vocabulary = vocabulary

    def compiled(self, node: object, depth: int = 0) -> Condition:
        if depth > _MAX_DEPTH:
            raise Unsupported(f"the condition is nested deeper than {_MAX_DEPTH}")
        if isinstance(node, ConditionAND | ConditionOR):
            parts = tuple(self.compiled(part, depth + 1) for part in node.args)
            return All(parts) if isinstance(node, ConditionAND) else AnyOf(parts)
        if isinstance(node, ConditionNOT):
            return Not(self.compiled(node.args[0], depth + 1))
        if isinstance(node, ConditionFieldEqualsValueExpression):
            return self._field_test(self._vocabulary.field(node.field), node.value)
        if isinstance(node, ConditionValueExpression):
            return self._keyword(node.value)
        raise Unsupported("the condition is empty")

    def _field_test(self, name: str, value: SigmaType) -> Condition:  # noqa: C901, PLR0911  # one line a type
        match value:
            case SigmaExpansion():
                return AnyOf(tuple(self._field_test(name, item) for item in value.values))
            case SigmaString():
                return self._any(self._string(name, item) for item in self._filled(value))
            case SigmaRegularExpression():
                return self._any(Matches(name, patterns.of_expression(item)) for item in self._filled(value))
            case SigmaTimestampPart():
                return TimePart(name, _part(value), "eq", float(value.number))
            case SigmaNumber():
                return Exact(name, key_of(value.number))
            case SigmaBool():
                return Exact(name, key_of(value.boolean))
            case SigmaNull():
                return Exists(name, is_there=False)
            case SigmaExists():
                return Exists(name, is_there=value.exists)
            case SigmaCompareExpression():
                return _comparison(name, value)
            case SigmaCIDRExpression():
                return InNetwork(name, value.network)
            case SigmaFieldReference():
                return _reference(name, self._vocabulary.field(value.field), value)
        raise Unsupported(f"{name}: values of type {type(value).__name__}")

    def _keyword(self, value: SigmaType) -> Condition:
        if isinstance(value, SigmaExpansion):
            return AnyOf(tuple(self._keyword(item) for item in value.values))
        if isinstance(value, SigmaRegularExpression):
            return self._any(Matches(None, patterns.of_expression(item)) for item in self._filled(value))
        if isinstance(value, SigmaNumber):
            value = SigmaString(str(value.number))
        if not isinstance(value, SigmaString):
            raise Unsupported("keywords are texts or numbers, not null, true or false")
        return self._any(Fits(None, wildcards.of_string(item, anywhere=True)) for item in self._filled(value))

    def _any(self, tests: Iterator[Test]) -> Condition:
        known = tuple(tests)
        return known[0] if len(known) == 1 else AnyOf(known)

    def _filled(self, value: T) -> Sequence[T]:
        """Fill the placeholders of a value in, in all ways; one without a value stays, and is refused later."""

        def values(placeholder: Placeholder) -> Iterator[SigmaString | Placeholder]:
            known = self._vocabulary.placeholders.get(placeholder.name)
            if known is None:
                yield placeholder
            else:
                yield from map(SigmaString, known)

        if not value.contains_placeholder():
            return [value]
        if isinstance(value, SigmaString):
            value.s = list(_with_escapes(value.s))
        filled = value.replace_placeholders(values)
        if not filled:
            raise Unsupported("a placeholder has an empty list of values")
        return [_same_kind(item, value) for item in filled]

    def _string(self, name: str, value: SigmaString) -> Test:
        if all(isinstance(part, str) for part in value.s):
            text, is_cased = "".join(map(str, value.s)), isinstance(value, SigmaCasedString)
            return Exact(name, text if is_cased else fold(text), is_cased)
        return Fits(name, wildcards.of_string(value))


_PLACEHOLDER: Final = re.compile(r"\\%|%([^%\\]+)%")


def _with_escapes(parts: Sequence[SigmaStringPartType]) -> Iterator[SigmaStringPartType]:
    r"""Read placeholders anew: in `\%plain%name%` the first sign is a plain one, which pySigma does not know."""
    for is_special, run in groupby(parts, lambda part: isinstance(part, SpecialChars)):
        if is_special:
            yield from run
        else:
            yield from _split("".join(f"%{part.name}%" if isinstance(part, Placeholder) else str(part) for part in run))


def _split(text: str) -> Iterator[str | Placeholder]:
    """Split a text into plain ones and placeholders."""
    plain, place = "", 0
    for match in _PLACEHOLDER.finditer(text):
        plain, place = plain + text[place : match.start()], match.end()
        if match[1] is None:
            plain += "%"
        else:
            yield from (plain, Placeholder(match[1])) if plain else (Placeholder(match[1]),)
            plain = ""
    if plain + text[place:]:
        yield plain + text[place:]


def _same_kind(filled: T, value: T) -> T:
    """Keep what pySigma forgets when it fills placeholders in: that case matters."""
    if isinstance(value, SigmaCasedString) and isinstance(filled, SigmaString):
        return SigmaCasedString.from_sigma_string(filled)
    return filled


def _reference(name: str, other: str, value: SigmaFieldReference) -> SameAs:
    if value.starts_with and value.ends_with:
        return SameAs(name, other, "inside")
    return SameAs(name, other, "start" if value.starts_with else "end" if value.ends_with else "whole")


def _comparison(name: str, value: SigmaCompareExpression) -> Compares | TimePart:
    number, relation = float(value.number.number), _RELATION[value.op]
    if isinstance(value.number, SigmaTimestampPart):
        return TimePart(name, _part(value.number), relation, number)
    return Compares(name, relation, number)


def _part(value: SigmaTimestampPart) -> TimePartName:
    return TIME_PARTS[TIME_PARTS.index(value.timestamp_part.name.lower())]


_RELATION: Final[dict[CompareOperators, Relation]] = {
    CompareOperators.LT: "lt",
    CompareOperators.LTE: "lte",
    CompareOperators.GT: "gt",
    CompareOperators.GTE: "gte",
    CompareOperators.NEQ: "neq",
}
