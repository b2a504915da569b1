"""What a decision of the detector or of an operator means for the chat."""

from dataclasses import dataclass

from sakimori_chat.domain.identity import canonical_address, is_address, is_anonymous_id
from sakimori_common.contracts import Decision, DecisionAction
from sakimori_common.instants import parse_instant


class DecisionError(ValueError):
    """A decision makes no sense; the message says which part and why."""


@dataclass(frozen=True, slots=True)
class Measure:
    """A block to be set on one entity, or (when `milliseconds` is 0) lifted.

    `decided_at` (microseconds since the epoch) keeps a decision that arrives late from undoing a newer one. Against a
    block that an operator set, an automatic decision may only add time.
    """

    kind: str
    entity: str
    decided_at: int
    milliseconds: int
    is_automatic: bool


def measure_of(decision: Decision, now: int) -> Measure | None:
    """Translate a decision; None when the chat has nothing to do (dry run, another action or kind of entity).

    `now` is in microseconds since the epoch; a decision that has already expired lifts. Raises DecisionError.
    """
    if decision.dry_run or decision.action is not DecisionAction.BLOCK:
        return None
    match decision.entity_type:
        case "source.ip":
            kind, entity, is_valid = "ip", canonical_address(decision.entity), is_address(decision.entity)
        case "client.fingerprint":
            kind, entity, is_valid = "fp", decision.entity, decision.entity.isalnum() and len(decision.entity) <= 64
        case "user.id":
            kind, entity, is_valid = "user", decision.entity, is_anonymous_id(decision.entity)
        case _:
            return None
    if not is_valid:
        raise DecisionError(f"decision {decision.id}: not a {decision.entity_type}: {decision.entity[:64]!r}")
    return Measure(
        kind=kind,
        entity=entity,
        decided_at=_instant(decision, "created_at"),
        milliseconds=max(0, (_instant(decision, "expires_at") - now) // 1000),
        is_automatic=decision.origin == "detector",
    )


def _instant(decision: Decision, key: str) -> int:
    try:
        return parse_instant(str(getattr(decision, key)))
    except (ValueError, OverflowError) as error:
        raise DecisionError(f"decision {decision.id}: {key}: {error}") from None
