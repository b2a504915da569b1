"""What of a Sigma correlation can be counted in a stream."""

from dataclasses import dataclass
from typing import Final, Literal

from sigma.correlations import (
    SigmaCorrelationCondition,
    SigmaCorrelationConditionOperator,
    SigmaCorrelationRule,
    SigmaCorrelationType,
)

from sakimori_detector.sigma.compiling import Unsupported

_KINDS: Final[dict[SigmaCorrelationType, Literal["event_count", "value_count"]]] = {
    SigmaCorrelationType.EVENT_COUNT: "event_count",
    SigmaCorrelationType.VALUE_COUNT: "value_count",
}
_ABOVE: Final = {
    SigmaCorrelationConditionOperator.GTE: 0,
    SigmaCorrelationConditionOperator.EQ: 0,
    SigmaCorrelationConditionOperator.GT: 1,
}
"""What is added to the number to get the count that fires. `eq` fires when the count gets there, on its way up."""

MAX_THRESHOLD: Final = 10_000


@dataclass(frozen=True, slots=True)
class Counting:
    """A correlation as the windows understand it."""

    kind: Literal["event_count", "value_count"]
    rules: tuple[str, ...]
    group_by: tuple[str, ...]
    field: str | None
    timespan_seconds: int
    threshold: int


def counting_of(rule: SigmaCorrelationRule) -> Counting:
    """Read a correlation. Raises Unsupported that says what cannot be counted, and why."""
    kind = _KINDS.get(rule.type)
    if kind is None:
        raise Unsupported(f"correlations of type {rule.type.name.lower()!r} are not supported")
    condition = rule.condition
    if not isinstance(condition, SigmaCorrelationCondition) or condition.op not in _ABOVE:
        raise Unsupported("a stream shows when a count is reached (gte, gt, eq), not that it stays below")
    if len(rule.aliases):
        raise Unsupported("aliases of group-by fields are not supported")
    fields = [condition.fieldref] if isinstance(condition.fieldref, str) else list(condition.fieldref or [])
    if len(fields) > 1 or (kind == "event_count" and fields):
        raise Unsupported("value_count counts one field, event_count none")
    threshold = condition.count + _ABOVE[condition.op]
    if not isinstance(threshold, int) or not 1 <= threshold <= MAX_THRESHOLD:
        raise Unsupported(f"the count that fires must be a whole number from 1 to {MAX_THRESHOLD}")
    return Counting(
        kind=kind,
        rules=tuple(reference.reference for reference in rule.rules or ()),
        group_by=tuple(rule.group_by or ()),
        field=fields[0] if fields else None,
        timespan_seconds=rule.timespan.seconds,
        threshold=threshold,
    )
