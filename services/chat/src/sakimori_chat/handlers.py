"""Decisions of the detector and of operators: enforced as they come."""

from collections.abc import Awaitable, Callable, Sequence

from sakimori_chat.domain.enforcement import DecisionError, Measure, measure_of
from sakimori_chat.metrics import ChatMetrics
from sakimori_chat.ports import Gate, StoreUnavailable
from sakimori_common.bus import Message, Reject, Unavailable
from sakimori_common.contracts import DECISIONS, WireError
from sakimori_common.instants import now


def enforce_decisions(gate: Gate, metrics: ChatMetrics) -> Callable[[Sequence[Message]], Awaitable[None]]:
    """Make the handler of `chat.decisions`. Idempotent: a block is set until an instant, whenever it is handled."""

    async def _handle(messages: Sequence[Message]) -> None:
        at = now()
        measures = [measure for message in messages for measure in _measures(message, at)]
        try:
            await gate.enforce([measure for measure in measures if measure is not None])
        except StoreUnavailable as error:
            raise Unavailable(f"Valkey: {error}") from error
        for measure in measures:
            metrics.decisions_enforced_total.labels(_effect(measure)).inc()

    return _handle


def _measures(message: Message, at: int) -> list[Measure | None]:
    try:
        return [measure_of(decision, at) for decision in DECISIONS.decode(message.body)]
    except (WireError, DecisionError) as error:
        raise Reject(str(error)) from None


def _effect(measure: Measure | None) -> str:
    if measure is None:
        return "ignored"
    return "block" if measure.milliseconds else "lift"
