"""What a Sigma correlation says: read from the map under `correlation:`, checked, ready for the windows.

Source: Sigma correlation rules specification 2.0.2, and what pySigma 2 adds to it (sums, averages, percentiles,
medians, `neq`, expressions over rule names). pySigma takes one operator a condition; ranges are read here.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from itertools import combinations, islice
from math import ceil, floor, isfinite
from typing import Any, Final, Literal, NamedTuple, get_args

from sigma.correlations import SigmaCorrelationTimespan
from sigma.exceptions import SigmaError

from sakimori_detector.sigma.compiling import Unsupported
from sakimori_detector.sigma.expressions import MAX_WAYS, Expression, has_not, read_expression, text_of, ways_of

Kind = Literal[
    "event_count",
    "value_count",
    "temporal",
    "temporal_ordered",
    "value_sum",
    "value_avg",
    "value_percentile",
    "value_median",
]
Operator = Literal["gt", "gte", "lt", "lte", "eq", "neq"]
MAX_THRESHOLD: Final = 10_000
"""The greatest count that is waited for: a key keeps that many entries."""
MAX_REFERENCES: Final = 32
MAX_TIMESPAN_SECONDS: Final = 31 * 86_400

_KEYS: Final = frozenset({"type", "rules", "generate", "group-by", "timespan", "aliases", "condition"})
_TEMPORAL: Final = ("temporal", "temporal_ordered")
_COUNTS: Final = ("event_count", "value_count", *_TEMPORAL)
_OPERATORS: Final = get_args(Operator)
_EXTENDED: Final = {"temporal_extended": "temporal", "temporal_ordered_extended": "temporal_ordered"}


class Bound(NamedTuple):
    """One comparison of a condition."""

    operator: Operator
    number: float

    def holds(self, value: float) -> bool:
        """Compare."""
        match self.operator:
            case "gt":
                return value > self.number
            case "gte":
                return value >= self.number
            case "lt":
                return value < self.number
            case "lte":
                return value <= self.number
            case "eq":
                return value == self.number
        return value != self.number


@dataclass(frozen=True, slots=True)
class Correlation:
    """A correlation as it is written.

    `references` name rules by name or id, in their order; `aliases`: name used in group-by, to reference, to field.
    `bounds` must all hold; `expression` takes their place where a temporal condition is written as text. `fields` are
    those of the condition: any number for value_count, one for sums and the like, none for the rest.
    """

    kind: Kind
    references: tuple[str, ...]
    timespan_seconds: int
    group_by: tuple[str, ...] = ()
    aliases: Mapping[str, Mapping[str, str]] = field(default_factory=dict)
    bounds: tuple[Bound, ...] = ()
    fields: tuple[str, ...] = ()
    percentile: int = 50
    expression: Expression | None = None
    generate: bool = False

    @property
    def is_known_early(self) -> bool:
        """Whether more events can only make it truer, so that it is known before its window is over."""
        if self.expression is not None:
            return not has_not(self.expression)
        return self.kind in (*_COUNTS, "value_sum") and all(bound.operator in ("gt", "gte") for bound in self.bounds)

    @property
    def threshold(self) -> float:
        """The least that fulfils what is known early: a count, or for sums the number itself."""
        lower = [bound for bound in self.bounds if bound.operator in ("gt", "gte", "eq")]
        if self.kind not in _COUNTS:
            return max((bound.number for bound in lower), default=0)
        return max((_least(bound) for bound in lower), default=1)

    @property
    def text(self) -> str:
        """Say what it waits for, in words."""
        of = f" of {', '.join(self.fields)}" if self.fields else ""
        rank = f" ({self.percentile} %)" if self.kind == "value_percentile" else ""
        if self.expression is not None:
            what = f" {text_of(self.expression)}"
        else:
            what = "".join(f" {bound.operator} {bound.number:g}" for bound in self.bounds)
        return f"{self.kind}{rank}{of}{what} within {self.timespan_seconds} s"

    def key_field(self, name: str, reference: str) -> str:
        """Tell which field of the events of a referenced rule a name in group-by means."""
        return self.aliases.get(name, {}).get(reference, name)

    def ways(self) -> tuple[tuple[int, ...], ...]:
        """List the sets of references (by place) of which one must be seen in full; only of what is known early."""
        places = {reference: place for place, reference in enumerate(self.references)}
        if self.expression is None:
            return tuple(islice(combinations(places.values(), int(self.threshold)), MAX_WAYS + 1))
        return tuple(sorted({tuple(sorted(places[name] for name in way)) for way in ways_of(self.expression)}))


def correlation_of(data: Mapping[str, Any]) -> Correlation:
    """Read the map under `correlation:`. Raises Unsupported that quotes what is wrong and says why."""
    unknown = [name for name in data if name not in _KEYS]
    if unknown:
        raise Unsupported(f"correlation: no such part '{unknown[0]}'")
    kind, condition = _kind(data), data.get("condition")
    references = _names(data.get("rules"), "rules")
    expression = None
    if isinstance(condition, str):
        if kind not in _TEMPORAL:
            raise Unsupported(f"a condition that is text is for temporal correlations, not for '{kind}'")
        expression, named = read_expression(condition)
        references = _matching(references, named)
    if not references or len(references) > MAX_REFERENCES:
        raise Unsupported(f"rules: name 1 to {MAX_REFERENCES} rules")
    group_by = _names(data.get("group-by"), "group-by")
    if not isinstance(data.get("generate", False), bool):
        raise Unsupported(f"generate: true or false, not '{data['generate']}'")
    correlation = Correlation(
        kind=kind,
        references=references,
        timespan_seconds=_timespan(data.get("timespan")),
        group_by=group_by,
        aliases=_aliases(data.get("aliases"), references),
        bounds=_bounds(kind, condition, len(references)) if expression is None else (),
        fields=_fields(kind, condition),
        percentile=_percentile(kind, condition),
        expression=expression,
        generate=data.get("generate", False),
    )
    _refuse_the_impossible(correlation)
    return correlation


def _kind(data: Mapping[str, Any]) -> Kind:
    written = data.get("type")
    name = _EXTENDED.get(str(written), written)
    for kind in get_args(Kind):
        if kind == name:
            if written != name and not isinstance(data.get("condition"), str):
                raise Unsupported(f"type '{written}' needs a condition that is text, such as 'a and not b'")
            return kind  # type: ignore[no-any-return]
    raise Unsupported(f"type: one of {', '.join(get_args(Kind))}, not '{written}'")


def _names(written: Any, what: str) -> tuple[str, ...]:
    found = [] if written is None else [written] if isinstance(written, str) else written
    if not isinstance(found, list) or not all(isinstance(name, str) and name for name in found):
        raise Unsupported(f"{what}: a name or a list of names, not '{written}'")
    return tuple(dict.fromkeys(found))


def _timespan(written: Any) -> int:
    try:
        seconds = SigmaCorrelationTimespan(written).seconds
    except SigmaError:
        raise Unsupported(f"timespan: a number and one of s, m, h, d, such as 5m, not '{written}'") from None
    if seconds > MAX_TIMESPAN_SECONDS:
        raise Unsupported(f"timespan: at most {MAX_TIMESPAN_SECONDS // 86_400}d, not '{written}'")
    return seconds


def _aliases(written: Any, references: Sequence[str]) -> dict[str, dict[str, str]]:
    if written is None:
        return {}
    if not isinstance(written, dict) or not all(isinstance(mapping, dict) for mapping in written.values()):
        raise Unsupported("aliases: for each name a map from rule to field")
    found = {str(name): {str(rule): str(to) for rule, to in mapping.items()} for name, mapping in written.items()}
    for name, mapping in found.items():
        stray = [rule for rule in mapping if rule not in references]
        if stray:
            raise Unsupported(f"aliases: '{name}' speaks of '{stray[0]}', which is none of rules")
    return found


def _bounds(kind: Kind, condition: Any, references: int) -> tuple[Bound, ...]:
    if condition is None and kind in _TEMPORAL:
        return (Bound("gte", references),)
    if not isinstance(condition, dict):
        raise Unsupported(f"condition: a map such as {{gte: 5}}, not '{condition}'")
    unknown = [name for name in condition if name not in {*_OPERATORS, "field", "percentile"}]
    if unknown:
        raise Unsupported(f"condition: no such part '{unknown[0]}'")
    found = tuple(Bound(name, _number(condition[name])) for name in _OPERATORS if name in condition)
    if not found:
        raise Unsupported(f"condition: one of {', '.join(_OPERATORS)} is missing")
    return found


def _number(written: Any) -> float:
    try:
        number = float("nan" if isinstance(written, bool) else written)
    except (TypeError, ValueError, OverflowError):
        number = float("nan")
    if not isfinite(number):
        raise Unsupported(f"condition: a number, not '{written}'")
    return int(number) if number.is_integer() else number


def _fields(kind: Kind, condition: Any) -> tuple[str, ...]:
    found = _names(condition.get("field"), "field") if isinstance(condition, dict) else ()
    if kind.startswith("value_") != bool(found):
        raise Unsupported(f"'{kind}' needs a field in its condition" if not found else f"'{kind}' counts no 'field'")
    if len(found) > 1 and kind != "value_count":
        raise Unsupported(f"'{kind}' is of one field, not of '{', '.join(found)}'")
    return found


def _percentile(kind: Kind, condition: Any) -> int:
    written = condition.get("percentile") if isinstance(condition, dict) else None
    if kind != "value_percentile":
        if written is not None:
            raise Unsupported(f"'{kind}' has no 'percentile'")
        return 50
    if isinstance(written, bool) or not isinstance(written, int) or not 0 <= written <= 100:
        raise Unsupported(f"percentile: a whole number from 0 to 100, not '{written}'")
    return written


def _refuse_the_impossible(correlation: Correlation) -> None:
    if correlation.kind in _TEMPORAL and correlation.is_known_early and len(correlation.ways()) > MAX_WAYS:
        raise Unsupported(f"condition: comes true in over {MAX_WAYS} ways")
    if correlation.expression is not None or correlation.kind not in _COUNTS:
        return
    for bound in correlation.bounds:
        if abs(bound.number) > MAX_THRESHOLD:
            raise Unsupported(f"condition: counts go to {MAX_THRESHOLD}, not to '{bound.number}'")
    least, most = correlation.threshold, min((_most(bound) for bound in correlation.bounds), default=MAX_THRESHOLD)
    if correlation.kind in _TEMPORAL:
        most = min(most, len(correlation.references))
    if max(least, 1) > most:
        raise Unsupported("condition: can never hold; a window opens with its first event, so nothing is below 1")


def _least(bound: Bound) -> int:
    return floor(bound.number) + 1 if bound.operator == "gt" else ceil(bound.number)


def _most(bound: Bound) -> float:
    if bound.operator == "lt":
        return ceil(bound.number) - 1
    return floor(bound.number) if bound.operator in ("lte", "eq") else MAX_THRESHOLD


def _matching(references: tuple[str, ...], named: tuple[str, ...]) -> tuple[str, ...]:
    """Keep the order of `rules:` where there is one; both must speak of the same rules."""
    stray = set(references) ^ set(named) if references else set()
    if stray:
        raise Unsupported(f"rules and condition do not speak of the same rules: '{min(stray)}'")
    return references or named
