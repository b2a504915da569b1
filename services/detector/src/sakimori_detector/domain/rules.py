"""What a rule is once it is loaded: who it is, what it watches, how it explains itself."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from sakimori_common.contracts import DecisionAction, Severity
from sakimori_detector.domain.sources import LogSource
from sakimori_detector.sigma.conditions import Condition
from sakimori_detector.sigma.correlations import Correlation

DEFAULT_WINDOW_SECONDS = 300


@dataclass(frozen=True, slots=True)
class Measure:
    """A decision that follows from a finding, and how long it holds; of a ladder, for how long at each offence."""

    action: DecisionAction
    seconds: int
    ladder: tuple[int, ...] = ()


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
    """What every rule that yields findings has. `path` is relative to the rules' folder, its document begins at `line`.

    `id` is its `name`, or else the file's. `is_imported`: it has no `sakimori:` block, so entity, confidence, message
    and response are chosen for it (domain/imported.py) and nobody asks it for cases. `details` maps a name to what
    `findings.finding_of` understands. `window_seconds`: what counts within it of the opening event updates the finding.
    """

    id: str
    path: str
    line: int = 1
    is_imported: bool = False
    title: str
    author: str = ""
    severity: Severity
    tactics: tuple[str, ...]
    techniques: tuple[str, ...]
    falsepositives: tuple[str, ...] = ()
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
    """One Sigma detection: where it looks and the condition an event must meet.

    `datasets` are those known to have its log source. Events of a dataset that nobody knows are its, too, if
    `sources.fits` says so.
    """

    datasets: tuple[str, ...]
    condition: Condition
    source: LogSource


@dataclass(frozen=True, slots=True, kw_only=True)
class EventRule(Rule):
    """Each event that meets the condition is one sign."""

    detection: Detection


@dataclass(frozen=True, slots=True)
class Base:
    """What a correlation refers to, as it is written there, and the fields that its group-by and condition mean there.

    `key_fields` stand in the order of the correlation's `group_by`, `value_fields` in that of its `fields`.
    """

    reference: str
    rule: "Detection | CorrelationRule"
    key_fields: tuple[str, ...] = ()
    value_fields: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class CorrelationRule(Rule):
    """A correlation and its bases, in the order of its references.

    A base that is a correlation itself may yield findings of its own or not; the object is the same in both places.
    """

    correlation: Correlation
    bases: tuple[Base, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class AnalyticRule(Rule):
    """What Sigma cannot say; `type` names a module of `domain.analytics`, `params` are its own."""

    type: str
    params: Mapping[str, Any]
