"""One conclusion the detector came to, explained."""

from enum import StrEnum
from typing import Any

import msgspec

from sakimori_common.contracts.event import FieldValue


class Severity(StrEnum):
    """How bad it is, least first; compare with `rank`."""

    INFO = "info"
    LOW = "low"
    MEDIUM = "medium"
    HIGH = "high"
    CRITICAL = "critical"

    @property
    def rank(self) -> int:
        """Place in the order, 0 (info) to 4 (critical)."""
        return _ORDER.index(self)

    @property
    def response_seconds(self) -> int | None:
        """How soon somebody must answer: None for info, 0 (at once) for critical."""
        return _RESPONSE_SECONDS[self]


_ORDER = list(Severity)
_RESPONSE_SECONDS = {
    Severity.INFO: None,
    Severity.LOW: 24 * 3600,
    Severity.MEDIUM: 4 * 3600,
    Severity.HIGH: 3600,
    Severity.CRITICAL: 0,
}


class FindingStatus(StrEnum):
    """Where the triage stands: forward through the first five, `false_positive` from any."""

    OPEN = "open"
    ACKNOWLEDGED = "acknowledged"
    INVESTIGATING = "investigating"
    MITIGATED = "mitigated"
    RESOLVED = "resolved"
    FALSE_POSITIVE = "false_positive"


class RuleSeen(msgspec.Struct, frozen=True, kw_only=True):
    """How often a rule that a correlation refers to was met, and in which event last."""

    count: int
    event_id: str


class Evidence(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    """What was seen, against which threshold.

    `event_ids`: up to 20 events, newest last. `fields`: of the deciding event, raw and (for a text match) decoded.
    `observed` and `threshold` count the same thing; `window_seconds` is None where one event is enough.
    """

    event_ids: list[str] = []
    fields: dict[str, FieldValue] = {}
    observed: float | None = None
    threshold: float | None = None
    window_seconds: int | None = None
    matched: dict[str, str] = {}
    """Field name to the part of its decoded value that matched."""
    condition: str = ""
    """Of a correlation, what `observed` was held against, in words: `value_sum of source.bytes gte 60 within 10 s`."""
    rules: dict[str, RuleSeen] = {}
    """Of a temporal correlation, what its rules saw, by the name that it gives them."""


class Finding(msgspec.Struct, frozen=True, kw_only=True):
    """A finding, the same object on the bus, in the API and as a line of NDJSON.

    `id` is a function of rule, entity and window, so a repeat updates (`count`, `last_seen_at`) and a redelivery
    changes nothing. Instants are RFC 3339 in UTC. `confidence` is a ratio 0-1. `entity_type` is the ECS field that
    `entity` is a value of. `details` are the stable names that notices and integrations rely on (S1-14, S1-18, S1-23).
    """

    id: str
    rule_id: str
    title: str
    message: str
    severity: Severity
    confidence: float
    entity_type: str
    entity: str
    dataset: str
    first_seen_at: str
    last_seen_at: str
    created_at: str
    """When the detector came to it; event to finding is `created_at` minus the time the deciding event came in."""
    count: int
    tactics: list[str]
    techniques: list[str]
    evidence: Evidence
    why: str
    response: str
    details: dict[str, Any] = {}
    status: FindingStatus = FindingStatus.OPEN
    trace_id: str | None = None
