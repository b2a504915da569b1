"""Expressions over the rules of a temporal correlation: `a and (b or c) and not d`."""

from itertools import product
from typing import Final, Literal

from sigma.correlations import (
    CorrelationConditionAND,
    CorrelationConditionItem,
    CorrelationConditionOR,
    SigmaExtendedCorrelationCondition,
    SigmaRuleReference,
)
from sigma.exceptions import SigmaError

from sakimori_detector.sigma.compiling import Unsupported

Expression = str | tuple[Literal["and", "or", "not"], tuple["Expression", ...]]
"""A reference to a rule, or an operator and what it joins."""

MAX_CHARACTERS: Final = 2000
MAX_WAYS: Final = 128
"""In how many ways an expression over rules may come true; each is looked for at every event."""


def read_expression(text: str) -> tuple[Expression, tuple[str, ...]]:
    """Read a condition that is text; gives it and the rules that it names. Raises Unsupported."""
    if len(text) > MAX_CHARACTERS:
        raise Unsupported(f"condition: over {MAX_CHARACTERS} characters")
    try:
        parsed = SigmaExtendedCorrelationCondition(text)
        return _tree(parsed.parsed), tuple(parsed.get_referenced_rules())
    except (SigmaError, RecursionError):
        raise Unsupported(f"condition: no expression of rules, and, or, not: '{text[:80]}'") from None


def _tree(item: SigmaRuleReference | CorrelationConditionItem) -> Expression:
    if isinstance(item, SigmaRuleReference):
        return item.reference
    joined = tuple(map(_tree, item.args))
    if isinstance(item, CorrelationConditionAND):
        return ("and", joined)
    return ("or", joined) if isinstance(item, CorrelationConditionOR) else ("not", joined)


def has_not(expression: Expression) -> bool:
    """Say whether more rules seen may make it untrue."""
    if isinstance(expression, str):
        return False
    return expression[0] == "not" or any(map(has_not, expression[1]))


def ways_of(expression: Expression) -> frozenset[frozenset[str]]:
    """Write an expression without `not` as the sets of rules that fulfil it, none within another."""
    if isinstance(expression, str):
        return frozenset({frozenset({expression})})
    parts = [ways_of(part) for part in expression[1]]
    if expression[0] == "or":
        found = {way for part in parts for way in part}
    else:
        found = {frozenset[str]()}
        for part in parts:
            found = {one | other for one, other in product(found, part)}
            _refuse_many(found)
    _refuse_many(found)
    return frozenset(way for way in found if not any(other < way for other in found))


def _refuse_many(ways: set[frozenset[str]]) -> None:
    if len(ways) > MAX_WAYS:
        raise Unsupported(f"condition: comes true in over {MAX_WAYS} ways")


def text_of(expression: Expression, is_inner: bool = False) -> str:
    """Write it down again, all parentheses shown."""
    if isinstance(expression, str):
        return expression
    operator, parts = expression
    if operator == "not":
        return f"not {text_of(parts[0], True)}"
    joined = f" {operator} ".join(text_of(part, True) for part in parts)
    return f"({joined})" if is_inner else joined


def holds(expression: Expression, seen: frozenset[str]) -> bool:
    """Evaluate an expression over the rules that were seen."""
    if isinstance(expression, str):
        return expression in seen
    match expression[0]:
        case "and":
            return all(holds(part, seen) for part in expression[1])
        case "or":
            return any(holds(part, seen) for part in expression[1])
    return not holds(expression[1][0], seen)
