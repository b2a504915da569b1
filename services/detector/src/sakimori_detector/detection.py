"""One batch through engine and state to findings: the same way live, offline and in the cases of a rule."""

from collections.abc import Callable, Sequence
from typing import NamedTuple

from sakimori_common.contracts import Event, Finding
from sakimori_detector.domain.engine import Engine
from sakimori_detector.domain.findings import finding_of
from sakimori_detector.ports import Batch, DetectionState
from sakimori_detector.sigma.windows import Outcome


class Found(NamedTuple):
    """A finding and the outcome that it explains; `event` is the one that decided."""

    finding: Finding
    outcome: Outcome
    event: Event


async def detect(
    engine: Engine, state: DetectionState, batch_id: str, events: Sequence[Event], created_at: Callable[[Event], int]
) -> list[Found]:
    """Evaluate a batch, count it, explain what came of it. One round trip to the state, none when nothing matched.

    `created_at` tells when a finding whose latest event is this one was made. Raises Unavailable.
    """
    signs = engine.evaluate(events)
    if not signs.groups and not signs.folds:
        return []
    outcomes = await state.apply(Batch(batch_id, signs.groups, signs.folds))
    if not outcomes:
        return []
    by_id = {event.id: event for event in events}
    return [found for outcome in outcomes if (found := _found(engine, outcome, by_id, created_at)) is not None]


def _found(
    engine: Engine, outcome: Outcome, events: dict[str, Event], created_at: Callable[[Event], int]
) -> Found | None:
    event = events.get(outcome.event_id)
    if event is None or outcome.rule_id not in engine.rules:
        return None  # a redelivered batch, and the rule was taken away in between
    return Found(finding_of(engine, outcome, event, created_at(event)), outcome, event)
