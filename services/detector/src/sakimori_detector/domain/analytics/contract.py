"""What an analytic is: events in, signs and folds out; pure, like everything in the domain."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import UTC, tzinfo
from typing import Any, Final, Protocol, TypeVar

import msgspec

from sakimori_detector.domain.columns import Columns
from sakimori_detector.domain.folds import Fold
from sakimori_detector.domain.intelligence.allowed import AllowList
from sakimori_detector.domain.intelligence.holder import Intelligence
from sakimori_detector.domain.intelligence.table import Table
from sakimori_detector.domain.opinion.model import Model
from sakimori_detector.domain.rules import AnalyticRule
from sakimori_detector.sigma.windows import Group, Window, microseconds

P = TypeVar("P", bound=msgspec.Struct)

REPLACES_FIELD: Final = "sakimori.finding.replaces"
"""Of `sakimori.finding`: the id of the finding that this one takes the place of, since its anchor moved; or its own."""


class AnalyticError(ValueError):
    """An analytic cannot be built from its parameters; the message says which one and why."""


@dataclass(frozen=True, slots=True)
class World:
    """What analytics may know besides events: local hours, lists by name, what feeds say, the allow-list."""

    zone: tzinfo = UTC
    lists: Mapping[str, Table] = field(default_factory=dict)
    intelligence: Intelligence = field(default_factory=Intelligence)
    allowed: AllowList = field(default_factory=AllowList)
    opinion: Model | None = None


class Analytic(Protocol):
    """One loaded analytic."""

    @property
    def window(self) -> Window:
        """How its signs are counted."""

    def observe(self, events: Columns) -> tuple[list[Group], list[Fold]]:
        """Look at events of its datasets, in the order they came: signs at once, folds where it needs its memory."""


def parameters(rule: AnalyticRule, kind: type[P]) -> P:
    """Read an analytic's parameters. Raises AnalyticError."""
    try:
        return msgspec.convert(dict(rule.params), kind)
    except msgspec.ValidationError as error:
        raise AnalyticError(f"analytic {rule.type}: {error}") from None


def window_of(rule: AnalyticRule, *, threshold: int = 1, timespan_seconds: int = 0, by_value: bool = False) -> Window:
    """Make the window of an analytic's signs; repeats are held as long as the rule says."""
    return Window(rule.id, threshold, microseconds(timespan_seconds), microseconds(rule.window_seconds), by_value)


def note(facts: Mapping[str, Any]) -> str:
    """Write what an analytic has to say about a sign, for `facts` to read."""
    return msgspec.json.encode(facts).decode()


def facts(note: str) -> dict[str, Any]:
    """Read a note back; empty for signs that have none."""
    decoded: dict[str, Any] = msgspec.json.decode(note) if note else {}
    return decoded
