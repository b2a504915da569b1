"""How far a device is to be trusted: what its traffic shows, lowered by findings, raised by quiet days (S3-20)."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Final

import msgspec

from sakimori_common.contracts import DAY, FindingStatus, Severity, worth_of_quiet

_LOSS: Final = {
    Severity.INFO: 0.0,
    Severity.LOW: 0.05,
    Severity.MEDIUM: 0.15,
    Severity.HIGH: 0.3,
    Severity.CRITICAL: 0.5,
}
_FADING_DAYS: Final = 30
"""A finding weighs less day by day and nothing after so many."""
_SETTLED: Final = frozenset({FindingStatus.RESOLVED, FindingStatus.MITIGATED})
_SETTLED_SHARE: Final = 0.5
"""What was dealt with did happen: it weighs half."""


class TrustReason(msgspec.Struct, frozen=True):
    """Something that trust follows from; `effect` is what it adds (below 0: takes away)."""

    what: str
    effect: float


class Trust(msgspec.Struct, frozen=True):
    """A score from 0 (none) to 1, and why. An operator's word replaces the score, not the reasons."""

    score: float
    reasons: list[TrustReason]
    is_override: bool = False


@dataclass(frozen=True, slots=True)
class Blame:
    """A finding about a device, as far as trust is concerned; `at` in microseconds."""

    rule_id: str
    severity: Severity
    status: FindingStatus
    at: int


def assess(
    base: float,
    base_reasons: Sequence[TrustReason],
    blames: Iterable[Blame],
    *,
    quiet_since: int,
    now: int,
    override: float | None = None,
) -> Trust:
    """Judge a device. `base` is what its traffic shows, from 0 to 1; instants are in microseconds.

    `quiet_since`: when it was first seen, or its traffic last showed something that costs trust.

    Several findings of one rule weigh as the heaviest of them; false positives weigh nothing and break no quiet.
    """
    relevant = [blame for blame in blames if blame.status is not FindingStatus.FALSE_POSITIVE and blame.at <= now]
    reasons = [*base_reasons, *_losses(relevant, now)]
    last_trouble = max([quiet_since, *(blame.at for blame in relevant if _LOSS[blame.severity] > 0)])
    days, worth = worth_of_quiet(last_trouble, now)
    if days:
        reasons.append(TrustReason(f"{days} days without a finding", worth))
    effect = sum(reason.effect for reason in reasons[len(base_reasons) :])
    score = round(min(1.0, max(0.0, base + effect)), 4)
    return Trust(score if override is None else override, reasons, override is not None)


def _losses(blames: Sequence[Blame], now: int) -> list[TrustReason]:
    heaviest: dict[str, float] = {}
    for blame in blames:
        fading = max(0.0, 1 - (now - blame.at) / (_FADING_DAYS * DAY))
        loss = _LOSS[blame.severity] * fading * (_SETTLED_SHARE if blame.status in _SETTLED else 1)
        heaviest[blame.rule_id] = max(heaviest.get(blame.rule_id, 0.0), loss)
    ordered = sorted(heaviest.items(), key=lambda item: (-item[1], item[0]))
    return [TrustReason(f"finding {rule}", -round(loss, 4)) for rule, loss in ordered if loss > 0]
