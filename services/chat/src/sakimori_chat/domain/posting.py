"""What becomes of a post: the refusals, their words and their events."""

import math
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Final

from sakimori_chat.domain.checks import Judgement, Objection
from sakimori_chat.domain.limits import Outcome, Scope, Verdict
from sakimori_chat.domain.names import NameFault, fault_of
from sakimori_chat.domain.occurrences import Action
from sakimori_chat.domain.rooms import CheckName, Room, RoomPolicy
from sakimori_common.contracts import FieldValue

Report = tuple[Action, Mapping[str, FieldValue]]

UNWELCOME: Final[Mapping[CheckName, str]] = {
    CheckName.WORDS: "A word in it is not welcome in this room.",
    CheckName.LINKS: "Links like this are not welcome in this room.",
    CheckName.DUPLICATE: "That has just been said here; say something else.",
    CheckName.SPAM: "It looks like spam; put it differently.",
}


@dataclass(frozen=True, slots=True)
class Refusal:
    """A post that is not taken: HTTP status, stable code, words for a person, seconds to wait, events in order."""

    status: int
    code: str
    detail: str
    block_seconds: int
    reports: tuple[Report, ...]


def refusal_of_verdict(verdict: Verdict) -> Refusal | None:
    """Turn the gate's answer into a refusal; None when the post is admitted."""
    seconds = max(1, math.ceil(verdict.seconds))
    match verdict.outcome:
        case Outcome.ADMITTED:
            return None
        case Outcome.HIGH_RISK:
            detail = "Posting from here is blocked because of earlier behaviour."
            report = (Action.HIGH_RISK_BLOCK, {"chat.risk_score": verdict.risk, "chat.block_seconds": seconds})
            return Refusal(403, "high_risk_block", detail, seconds, (report,))
        case Outcome.BANNED | Outcome.DECIDED:
            return _blocked(verdict, seconds)
        case Outcome.CROWDED:
            detail = f"Too many newcomers from your network; wait {seconds} seconds, or keep the identity you had."
            return Refusal(429, "too_many_identities", detail, seconds, (_waits(Action.IDENTITY_FLOOD, seconds),))
        case Outcome.SLOWED:
            detail = f"Slow mode: your next message here can follow in {seconds} seconds."
            return Refusal(429, "slow", detail, seconds, (_waits(Action.SLOW_MODE_HIT, seconds),))
        case Outcome.LIMITED:
            return _limited(verdict, seconds)


def refusal_of_room(room: Room) -> Refusal | None:
    """Refuse what is said in a locked room."""
    if not room.policy.is_locked:
        return None
    detail = "This room is locked: it can be read, but nobody can post for now."
    return Refusal(403, "locked", detail, 0, ((Action.LOCKED_ROOM_POST, {}),))


def refusal_of_text(text: str, limit: int) -> Refusal | None:
    """Refuse a cleaned text that is empty or longer than the room allows."""
    return refusal_of_length(len(text), limit) if text else EMPTY


def refusal_of_length(length: int, limit: int) -> Refusal | None:
    """Refuse what has more characters than the limit."""
    if length <= limit:
        return None
    detail = f"A message has at most {limit} characters here; this one has {length}."
    return Refusal(400, "too_long", detail, 0, ((Action.MESSAGE_TOO_LONG, {"chat.message.length": length}),))


def refusal_of_name(name: str) -> Refusal | None:
    """Refuse a cleaned display name that looks like a role's, a bot's or an identity's, or mixes alphabets."""
    fault = fault_of(name)
    if fault is None:
        return None
    details = {
        NameFault.RESERVED: "That name looks like one that is reserved here; choose another.",
        NameFault.MIXED_SCRIPTS: "A word of that name mixes alphabets whose letters look alike; choose another.",
    }
    return Refusal(400, "name_not_allowed", details[fault], 0, ())


def flags_of(judgement: Judgement, *, with_text: bool = False) -> tuple[Report, ...]:
    """Report each objection to a message with what became of it; its reasons with words of the message if asked to."""
    return tuple((Action.MESSAGE_FLAGGED, flag_of(each, judgement, with_text)) for each in judgement.objections)


def flag_of(objection: Objection, judgement: Judgement, with_text: bool) -> dict[str, FieldValue]:
    """Give the fields of an event that tells of an objection."""
    reasons = objection.reasons if with_text else objection.outline
    fields: dict[str, FieldValue] = {
        "chat.check.name": objection.check.value,
        "chat.check.score": round(objection.score, 4),
        "chat.check.threshold": objection.threshold,
        "chat.reaction": judgement.reaction.value,
    }
    return fields | {"chat.check.reasons": "; ".join(reasons)} if reasons else fields


def refusal_of_judgement(judgement: Judgement, policy: RoomPolicy, *, with_text: bool = False) -> Refusal | None:
    """Refuse what the room's checks refuse, by the name of the first that does."""
    name = judgement.refused_by(policy)
    if name is None:
        return None
    return Refusal(422, name.value, UNWELCOME[name], 0, flags_of(judgement, with_text=with_text))


def forged(reason: str, code: str = "csrf_failed") -> Refusal:
    """Refuse what may come from somebody else's page; `reason` says by which sign."""
    detail = "This does not come from our page, or from an old copy of it: load the page again."
    return Refusal(403, code, detail, 0, ((Action.CSRF_FAILED, {"chat.reason": reason}),))


EMPTY: Final = Refusal(400, "empty", "A message needs at least one visible character.", 0, ())
NOT_UTF8: Final = Refusal(
    400, "bad_request", "This is not UTF-8.", 0, ((Action.FRAME_REFUSED, {"chat.reason": "invalid_utf8"}),)
)
BODY_TOO_LARGE: Final = Refusal(
    413, "body_too_large", "That is far too long.", 0, ((Action.MESSAGE_TOO_LONG, {"chat.reason": "body_too_large"}),)
)
FORGED_COOKIE: Final = Refusal(
    403,
    "identity_unknown",
    "Your identity is not known here (any more). You have a new one now: send it again.",
    0,
    ((Action.COOKIE_FORGED, {}),),
)


def _blocked(verdict: Verdict, seconds: int) -> Refusal:
    is_ban = verdict.outcome is Outcome.BANNED
    reason: dict[str, FieldValue] = {
        "chat.block_seconds": seconds,
        "chat.block_reason": "ban" if is_ban else "decision",
    }
    reports = ((Action.BLOCKED_ACTION_ATTEMPT, reason),)
    if is_ban:
        return Refusal(429, "blocked", f"Banned for {seconds} more seconds.", seconds, reports)
    detail = f"Posting from here is blocked for {seconds} more seconds."
    return Refusal(403, "blocked_by_decision", detail, seconds, reports)


def _limited(verdict: Verdict, seconds: int) -> Refusal:
    scope = verdict.scope or Scope.IDENTITY
    hit: Report = (Action.RATE_LIMIT_HIT, {"chat.limit_scope": scope.value})
    if not verdict.ban_step:
        return Refusal(429, "rate_limited", f"Too many posts from here; wait {seconds} seconds.", seconds, (hit,))
    ban: dict[str, FieldValue] = {
        "chat.block_seconds": seconds,
        "chat.block_reason": "ban",
        "chat.ban_step": verdict.ban_step,
    }
    detail = f"Too many posts; banned for {seconds} seconds."
    return Refusal(429, "rate_limited", detail, seconds, (hit, (Action.USER_BLOCKED, ban)))


def _waits(action: Action, seconds: int) -> Report:
    return (action, {"chat.block_seconds": seconds})
