"""What a rule is once it is loaded: who it is, what it watches, how it explains itself."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Literal

from sakimori_common.contracts import DecisionAction, Severity
from sakimori_detector.sigma.conditions import Condition

DEFAULT_WINDOW_SECONDS = 300


@dataclass(frozen=True, slots=True)
class Problem:
    """Why a file, or a part of it, is not used; `line` and `column` count from 1."""

    path: str
    line: int
    column: int
    why: str

    def __str__(self) -> str:
        return f"{self.path}:{self.line}:{self.column}: {self.why}"


@dataclass(frozen=True, slots=True)
class Measure:
    """A decision that follows from a finding, and how long it holds."""

    action: DecisionAction
    seconds: int


@dataclass(frozen=True, slots=True)
class Case:
    """Events to play and whether the rule must fire; a near miss must not."""

    name: str
    fires: bool
    events: Sequence[Mapping[str, Any]]
    count: int | None = None
    lists: Mapping[str, Sequence[str]] = field(default_factory=dict)
    line: int = 1


@dataclass(frozen=True, slots=True, kw_only=True)
class Rule:
    """What every rule that yields findings has. `id` is the file's name; `path` is relative to the rules' folder.

    `details` maps a name to what `findings.render` understands. `window_seconds`: what counts within it of the opening
    event updates the finding.
    """

    id: str
    path: str
    title: str
    severity: Severity
    tactics: tuple[str, ...]
    techniques: tuple[str, ...]
    datasets: tuple[str, ...]
    entity: str
    confidence: float
    message: str
    details: Mapping[str, str]
    why: str
    response: str
    window_seconds: int
    measure: Measure | None
    cases: tuple[Case, ...]


@dataclass(frozen=True, slots=True)
class Detection:
    """One Sigma detection: its datasets and the condition an event must meet."""

    datasets: tuple[str, ...]
    condition: Condition


@dataclass(frozen=True, slots=True, kw_only=True)
class EventRule(Rule):
    """Each event that meets the condition is one sign."""

    detection: Detection


@dataclass(frozen=True, slots=True, kw_only=True)
class CorrelationRule(Rule):
    """`threshold` events (or distinct values of `field`) of its detections in `timespan_seconds`, the ends included."""

    kind: Literal["event_count", "value_count"]
    detections: tuple[Detection, ...]
    group_by: tuple[str, ...]
    field: str | None
    timespan_seconds: int
    threshold: int


@dataclass(frozen=True, slots=True, kw_only=True)
class AnalyticRule(Rule):
    """What Sigma cannot say; `type` names a module of `domain.analytics`, `params` are its own."""

    type: str
    params: Mapping[str, Any]
