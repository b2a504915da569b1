"""What is decided about the entity of a finding."""

from collections.abc import Mapping
from typing import Any

from sakimori_common.contracts import Decision, DecisionAction, Finding
from sakimori_common.ids import stable_id
from sakimori_common.instants import format_instant
from sakimori_detector.domain.analytics.contract import facts
from sakimori_detector.domain.intelligence.allowed import AllowList
from sakimori_detector.domain.rules import Measure, Rule
from sakimori_detector.sigma.windows import Outcome, microseconds

ORIGIN = "detector"
LIFT_SECONDS = 3600
"""An event this old no longer lifts: what is blocked by now is blocked for something later."""
SKEW_SECONDS = 60
"""A lift is a decision that ended so long ago: an enforcer whose clock is behind must not take it for a short block."""


def measure_for(rule: Rule, outcome: Outcome) -> Measure | None:
    """Choose the measure: the rule's when a finding opens, that of the rung when an analytic climbed its ladder.

    Repeats prolong nothing: the measure ends when it ends, and what comes after the window opens a finding of its own.
    A rule without `decision:` decides nothing, whatever its analytic says. A measure of 0 seconds lifts.
    """
    if rule.measure is None:
        return None
    noted: Mapping[str, Any] = facts(outcome.note)
    if noted.get("once") and not outcome.is_opened:
        return None
    match noted.get("measure"):
        case None:
            return rule.measure if outcome.is_opened else None
        case "none":
            return None
        case "lift":
            return Measure(rule.measure.action, 0)
        case action:
            return Measure(DecisionAction(action), int(noted["measure_seconds"]))


def is_allowed(finding: Finding, allowed: AllowList) -> bool:
    """Say whether the entity is an address on the allow-list, which always wins."""
    return finding.entity_type.endswith(".ip") and allowed.find(finding.entity) is not None


def decision_of(finding: Finding, measure: Measure, outcome: Outcome, *, now: int, dry_run: bool) -> Decision | None:
    """Decide. The measure runs from the event, not from when it was read; None when it would be over by `now`.

    So an old log that is read again blocks nobody, and lifts nothing. The id is a function of finding and measure.
    `now` in microseconds.
    """
    runs_from = min(outcome.last, now)
    is_over = runs_from + microseconds(measure.seconds or LIFT_SECONDS) <= now
    if is_over or finding.entity == "unknown":
        return None
    expires_at = runs_from + microseconds(measure.seconds) if measure.seconds else now - microseconds(SKEW_SECONDS)
    return Decision(
        id=_identity(finding, measure, outcome),
        entity_type=finding.entity_type,
        entity=finding.entity,
        action=measure.action,
        rule_id=finding.rule_id,
        finding_id=finding.id,
        created_at=format_instant(now),
        expires_at=format_instant(expires_at),
        origin=ORIGIN,
        dry_run=dry_run,
    )


def _identity(finding: Finding, measure: Measure, outcome: Outcome) -> str:
    lifted = [] if measure.seconds else [outcome.event_id]
    return stable_id("decision", finding.id, measure.action, str(measure.seconds), *lifted)
