"""From pySigma's objects to conditions of our own.

pySigma parses, applies the modifiers and validates; here its tree of values becomes a tree of tests, whatever Sigma
does not mean is refused (`Unsupported`), and equal tests of different rules become one.
"""

from typing import Final

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
    SigmaTimestampPart,
    SigmaType,
)

from sakimori_detector.sigma import patterns
from sakimori_detector.sigma.conditions import (
    All,
    AnyOf,
    Compares,
    Condition,
    Exact,
    Exists,
    InNetwork,
    Matches,
    Not,
    Relation,
    SameAs,
    Test,
)
from sakimori_detector.sigma.events import fold, key_of

_MAX_DEPTH: Final = 100


class Unsupported(ValueError):
    """The rule asks for something this engine does not do; the message says what."""


class Numbering:
    """The tests of all rules: equal ones are one object."""

    def __init__(self) -> None:
        self._tests: dict[Test, Test] = {}

    def of(self, test: Test) -> Test:
        """Look the test up or enter it."""
        return self._tests.setdefault(test, test)


def condition_of(rule: SigmaRule, numbers: Numbering) -> Condition:
    """Compile a rule's condition (of several, any). Raises Unsupported, PatternError, and pySigma's SigmaError."""
    compiled = [_compile(parsed.parsed, numbers, 0) for parsed in rule.detection.parsed_condition]
    return compiled[0] if len(compiled) == 1 else AnyOf(tuple(compiled))


def _compile(node: object, numbers: Numbering, depth: int) -> Condition:
    if depth > _MAX_DEPTH:
        raise Unsupported(f"the condition is nested deeper than {_MAX_DEPTH}")
    if isinstance(node, ConditionAND | ConditionOR):
        parts = tuple(_compile(part, numbers, depth + 1) for part in node.args)
        return All(parts) if isinstance(node, ConditionAND) else AnyOf(parts)
    if isinstance(node, ConditionNOT):
        return Not(_compile(node.args[0], numbers, depth + 1))
    if isinstance(node, ConditionFieldEqualsValueExpression):
        return _field_test(node.field, node.value, numbers)
    if isinstance(node, ConditionValueExpression):
        return _keyword(node.value, numbers)
    raise Unsupported("the condition is empty")


def _field_test(field: str, value: SigmaType, numbers: Numbering) -> Condition:  # noqa: C901, PLR0911  # one line a type
    match value:
        case SigmaExpansion():
            return AnyOf(tuple(_field_test(field, item, numbers) for item in value.values))
        case SigmaString():
            return _string(field, value, numbers)
        case SigmaRegularExpression():
            return numbers.of(Matches(field, patterns.of_expression(value)))
        case SigmaTimestampPart():
            raise Unsupported(f"{field}: parts of timestamps cannot be compared")
        case SigmaNumber():
            return numbers.of(Exact(field, key_of(value.number)))
        case SigmaBool():
            return numbers.of(Exact(field, key_of(value.boolean)))
        case SigmaNull():
            return numbers.of(Exists(field, is_there=False))
        case SigmaExists():
            return numbers.of(Exists(field, is_there=value.exists))
        case SigmaCompareExpression():
            return numbers.of(Compares(field, _RELATION[value.op], float(value.number.number)))
        case SigmaCIDRExpression():
            return numbers.of(InNetwork(field, value.network))
        case SigmaFieldReference():
            return _reference(field, value)
    raise Unsupported(f"{field}: values of type {type(value).__name__}")


def _reference(field: str, value: SigmaFieldReference) -> SameAs:
    if value.starts_with and value.ends_with:
        raise Unsupported(f"{field}: fieldref with contains")
    return SameAs(field, value.field, "start" if value.starts_with else "end" if value.ends_with else "whole")


_RELATION: Final[dict[CompareOperators, Relation]] = {
    CompareOperators.LT: "lt",
    CompareOperators.LTE: "lte",
    CompareOperators.GT: "gt",
    CompareOperators.GTE: "gte",
    CompareOperators.NEQ: "neq",
}


def _string(field: str, value: SigmaString, numbers: Numbering) -> Condition:
    if all(isinstance(part, str) for part in value.s):
        text, is_cased = "".join(map(str, value.s)), isinstance(value, SigmaCasedString)
        return numbers.of(Exact(field, text if is_cased else fold(text), is_cased))
    return numbers.of(Matches(field, patterns.of_string(value)))


def _keyword(value: SigmaType, numbers: Numbering) -> Condition:
    if isinstance(value, SigmaExpansion):
        return AnyOf(tuple(_keyword(item, numbers) for item in value.values))
    if isinstance(value, SigmaRegularExpression):
        return numbers.of(Matches(None, patterns.of_expression(value)))
    if isinstance(value, SigmaNumber):
        value = SigmaString(str(value.number))
    if isinstance(value, SigmaString):
        return numbers.of(Matches(None, patterns.of_string(value, anywhere=True)))
    raise Unsupported(f"keywords of type {type(value).__name__}")
