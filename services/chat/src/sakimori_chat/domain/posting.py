"""What becomes of a post: the refusals, their words and their events."""

import math
from collections.abc import Mapping
from dataclasses import dataclass

from sakimori_chat.domain.limits import Outcome, Scope, Verdict
from sakimori_chat.domain.occurrences import Action
from sakimori_chat.domain.text import MAX_MESSAGE_CHARACTERS
from sakimori_common.contracts import FieldValue

Report = tuple[Action, Mapping[str, FieldValue]]


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
        case Outcome.BANNED:
            return Refusal(429, "blocked", f"Banned for {seconds} more seconds.", seconds, (_attempt(seconds, "ban"),))
        case Outcome.DECIDED:
            detail = f"Posting from here is blocked for {seconds} more seconds."
            return Refusal(403, "blocked_by_decision", detail, seconds, (_attempt(seconds, "decision"),))
        case Outcome.LIMITED:
            return _limited(verdict.scope or Scope.IDENTITY, seconds)


def refusal_of_text(text: str) -> Refusal | None:
    """Refuse a cleaned text that is empty or over 300 characters."""
    if not text:
        return Refusal(400, "empty", "A message needs at least one visible character.", 0, ())
    if len(text) > MAX_MESSAGE_CHARACTERS:
        detail = f"A message has at most {MAX_MESSAGE_CHARACTERS} characters; this one has {len(text)}."
        return Refusal(400, "too_long", detail, 0, ((Action.MESSAGE_TOO_LONG, {"chat.message.length": len(text)}),))
    return None


def _attempt(seconds: int, reason: str) -> Report:
    return (Action.BLOCKED_ACTION_ATTEMPT, {"chat.block_seconds": seconds, "chat.block_reason": reason})


def _limited(scope: Scope, seconds: int) -> Refusal:
    hit: Report = (Action.RATE_LIMIT_HIT, {"chat.limit_scope": scope.value})
    if scope is not Scope.IDENTITY:
        return Refusal(429, "rate_limited", f"Too many posts from here; wait {seconds} seconds.", seconds, (hit,))
    blocked: Report = (Action.USER_BLOCKED, {"chat.block_seconds": seconds, "chat.block_reason": "ban"})
    return Refusal(429, "rate_limited", f"Too many posts; banned for {seconds} seconds.", seconds, (hit, blocked))
