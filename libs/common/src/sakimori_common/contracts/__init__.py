"""What crosses a process boundary: events, findings, decisions, and how they are written down."""

from sakimori_common.contracts.actions import ACTIONS, ActionKind
from sakimori_common.contracts.decision import Decision, DecisionAction
from sakimori_common.contracts.event import Event, EventError, FieldValue
from sakimori_common.contracts.finding import Evidence, Finding, FindingStatus, RuleSeen, Severity
from sakimori_common.contracts.trust import DAY, worth_of_quiet
from sakimori_common.contracts.wire import DECISIONS, EVENTS, FINDINGS, SCHEMA_VERSION, Codec, WireError

__all__ = [
    "ACTIONS",
    "DAY",
    "DECISIONS",
    "EVENTS",
    "FINDINGS",
    "SCHEMA_VERSION",
    "ActionKind",
    "Codec",
    "Decision",
    "DecisionAction",
    "Event",
    "EventError",
    "Evidence",
    "FieldValue",
    "Finding",
    "FindingStatus",
    "RuleSeen",
    "Severity",
    "WireError",
    "worth_of_quiet",
]
