"""What a decision of the detector or of an operator means for the chat."""

from collections.abc import Sequence
from dataclasses import dataclass
from enum import StrEnum

from sakimori_chat.domain.identity import (
    Network,
    canonical_address,
    is_address,
    is_anonymous_id,
    is_within,
    network_of,
)
from sakimori_common.contracts import Decision, DecisionAction
from sakimori_common.instants import parse_instant


class DecisionError(ValueError):
    """A decision makes no sense; the message says which part and why."""


class Disregard(StrEnum):
    """Why a decision has no effect here."""

    IGNORED = "ignored"
    """A dry run, or about something that the chat does not know."""
    EXEMPT = "exempt"
    """About an address in CHAT_NEVER_BLOCK."""
    UNSUPPORTED = "unsupported"
    """A challenge: the page has none to give (no account, no puzzle that would not shut people out)."""


@dataclass(frozen=True, slots=True)
class Measure:
    """A block or throttle to be set on one entity, or (when `milliseconds` is 0) lifted.

    `kind` is user, fp or ip; the entity of the last is the network that one subscriber has: the address or, for IPv6,
    its /64, within which another address is to be had for nothing. `decided_at` (microseconds since the epoch) keeps a
    decision that arrives late from undoing a newer one. Against a block that an operator set, an automatic decision may
    only add time.
    """

    kind: str
    entity: str
    decided_at: int
    milliseconds: int
    is_automatic: bool
    is_throttle: bool = False


def measure_of(decision: Decision, now: int, never_block: Sequence[Network] = ()) -> Measure | Disregard:
    """Translate a decision, or say why it is nothing to the chat.

    `now` is in microseconds since the epoch; a decision that has already expired lifts. Raises DecisionError.
    """
    entity = _entity_of(decision)
    if decision.dry_run or entity is None:
        return Disregard.IGNORED
    if decision.action is DecisionAction.CHALLENGE:
        return Disregard.UNSUPPORTED
    if decision.entity_type == "source.ip" and is_within(decision.entity, never_block):
        return Disregard.EXEMPT
    kind, name = entity
    return Measure(
        kind=kind,
        entity=name,
        decided_at=_instant(decision, "created_at"),
        milliseconds=max(0, (_instant(decision, "expires_at") - now) // 1000),
        is_automatic=decision.origin == "detector",
        is_throttle=decision.action is DecisionAction.THROTTLE,
    )


def _entity_of(decision: Decision) -> tuple[str, str] | None:
    entity = decision.entity
    match decision.entity_type:
        case "source.ip":
            found, is_valid = ("ip", network_of(canonical_address(entity))), is_address(entity)
        case "client.fingerprint":
            found, is_valid = ("fp", entity), entity.isalnum() and len(entity) <= 64
        case "user.id":
            found, is_valid = ("user", entity), is_anonymous_id(entity)
        case _:
            return None
    if not is_valid:
        raise DecisionError(f"decision {decision.id}: not a {decision.entity_type}: {entity[:64]!r}")
    return found


def _instant(decision: Decision, key: str) -> int:
    try:
        return parse_instant(str(getattr(decision, key)))
    except (ValueError, OverflowError) as error:
        raise DecisionError(f"decision {decision.id}: {key}: {error}") from None
