"""What operators do in the chat, as events tell of it."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from enum import StrEnum
from typing import Any, Final

import msgspec

from sakimori_chat.domain.occurrences import Occurrence
from sakimori_chat.domain.rooms import RoomPolicy
from sakimori_common.contracts import ACTIONS, FieldValue

MAX_MUTE_SECONDS: Final = 30 * 24 * 3600
"""A mute always ends; so long at most, as a decision."""


class OperatorAction(StrEnum):
    """Every event of operators' doings in the chat, as `event.action` has it; `debug.` is the debug API's."""

    ROOM_CHANGED = "chat.room_changed"
    MESSAGE_DELETED = "chat.message_deleted"
    MESSAGE_RELEASED = "chat.message_released"
    MESSAGE_DISCARDED = "chat.message_discarded"
    USER_MUTED = "chat.user_muted"
    USER_UNMUTED = "chat.user_unmuted"
    DEBUG_WHOAMI = "debug.whoami"
    DEBUG_UNBLOCK_ME = "debug.unblock_me"
    DEBUG_BLOCK = "debug.block"
    DEBUG_UNBLOCK = "debug.unblock"
    DEBUG_RESET_RISK = "debug.reset_risk"
    DEBUG_REFUSED = "debug.refused"


@dataclass(frozen=True, slots=True)
class Operator:
    """Who does it, in which request, from where (for this host's security log, not for events)."""

    name: str
    trace_id: str
    path: str
    address: str = field(default="", repr=False)


class Mute(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    """A mute of an identity: how many seconds are left of it, whose it is, why and since when (RFC 3339)."""

    user_id: str
    seconds: int
    by: str = ""
    reason: str = ""
    muted_at: str = ""


class PolicyError(ValueError):
    """A policy is not one; the message says which part and why."""


def done_by(
    operator: Operator,
    action: OperatorAction,
    details: Mapping[str, FieldValue],
    *,
    reason: str = "",
    is_refused: bool = False,
) -> Occurrence:
    """Describe what an operator did. `reason` are the words of the security log, in which text of the chat never is."""
    fields: dict[str, FieldValue] = {
        "event.category": ACTIONS[action].category,
        "event.action": action.value,
        "event.outcome": "failure" if is_refused else "success",
        "event.severity_name": ACTIONS[action].severity.value,
        "url.path": operator.path,
        "trace.id": operator.trace_id,
        **details,
    }
    if operator.name:
        fields["user.name"] = operator.name
    return Occurrence(action, f"operator:{operator.name}", fields, operator.address, reason)


def changed_policy(policy: RoomPolicy, changes: Mapping[str, Any]) -> RoomPolicy:
    """Merge changes into a policy, checks one by one; null takes a field back to its default. Raises PolicyError."""
    checks = changes.get("checks", {})
    if not isinstance(checks, Mapping | None):
        raise PolicyError("policy.checks: must be an object")
    merged = {**msgspec.to_builtins(policy), **changes}
    if checks is not None:
        merged["checks"] = _merged(msgspec.to_builtins(policy.checks), checks)
    try:
        return msgspec.convert(_merged(merged, {}), RoomPolicy)
    except msgspec.ValidationError as error:
        raise PolicyError(f"policy: {error}") from None


def _merged(old: Mapping[str, Any], new: Mapping[str, Any]) -> dict[str, Any]:
    return {name: value for name, value in {**old, **new}.items() if value is not None}
