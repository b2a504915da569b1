"""Decisions of the detector and of operators: enforced as they come."""

from collections.abc import Awaitable, Callable, Sequence

import structlog

from sakimori_chat.domain.enforcement import DecisionError, Disregard, Measure, measure_of
from sakimori_chat.domain.identity import Network
from sakimori_chat.metrics import ChatMetrics
from sakimori_chat.ports import Gate, StoreUnavailable
from sakimori_common.bus import Message, Reject, Unavailable
from sakimori_common.contracts import DECISIONS, WireError
from sakimori_common.instants import now


def enforce_decisions(
    gate: Gate, metrics: ChatMetrics, log: structlog.stdlib.BoundLogger, never_block: Sequence[Network] = ()
) -> Callable[[Sequence[Message]], Awaitable[None]]:
    """Make the handler of `chat.decisions`. Idempotent: a block is set until an instant, whenever it is handled."""

    def _measures(message: Message, at: int) -> list[Measure | Disregard]:
        try:
            decisions = DECISIONS.decode(message.body)
            measures = [measure_of(decision, at, never_block) for decision in decisions]
        except (WireError, DecisionError) as error:
            raise Reject(str(error)) from None
        for decision, measure in zip(decisions, measures, strict=True):
            if measure in {Disregard.EXEMPT, Disregard.UNSUPPORTED}:
                log.warning("decision_not_enforced", decision=decision.id, rule=decision.rule_id, reason=str(measure))
        return measures

    async def _handle(messages: Sequence[Message]) -> None:
        at = now()
        measures = [measure for message in messages for measure in _measures(message, at)]
        try:
            await gate.enforce([measure for measure in measures if isinstance(measure, Measure)])
        except StoreUnavailable as error:
            raise Unavailable(f"Valkey: {error}") from error
        for measure in measures:
            metrics.decisions_enforced_total.labels(_effect(measure)).inc()

    return _handle


def _effect(measure: Measure | Disregard) -> str:
    if isinstance(measure, Disregard):
        return measure.value
    if not measure.milliseconds:
        return "lift"
    return "throttle" if measure.is_throttle else "block"
