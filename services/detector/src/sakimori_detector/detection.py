"""One batch through engine and state to findings: the same way live, offline and in the cases of a rule."""

from collections.abc import Callable, Sequence
from dataclasses import replace
from typing import NamedTuple

from sakimori_common.contracts import Event, Finding
from sakimori_detector.chains import counted
from sakimori_detector.domain import escalation
from sakimori_detector.domain.engine import Engine
from sakimori_detector.domain.findings import finding_of
from sakimori_detector.domain.policy import measure_for
from sakimori_detector.domain.rules import Measure
from sakimori_detector.ports import Batch, DetectionState
from sakimori_detector.sigma.windows import Outcome

CreatedAt = Callable[[Event], int]


class Found(NamedTuple):
    """A finding, the outcome that it explains, the event that decided, and the measure that its rule asks for."""

    finding: Finding
    outcome: Outcome
    event: Event
    measure: Measure | None = None


async def detect(
    engine: Engine, state: DetectionState, batch_id: str, events: Sequence[Event], created_at: CreatedAt
) -> list[Found]:
    """Evaluate a batch, count it, explain what came of it, and what follows from that for the entities.

    No round trip to the state when nothing matched, a second one when findings opened that anything follows from.
    `created_at` tells when a finding whose latest event is this one was made. Raises Unavailable.
    """
    signs = engine.evaluate(events)
    if not signs.groups and not signs.folds:
        return []
    outcomes = await counted(engine, state, batch_id, signs, events)
    found = _all_found(engine, outcomes, events, created_at)
    if any(each.outcome.is_opened for each in found):
        found += await _follow_up(engine, state, batch_id, found, created_at)
        found = await _climb(state, batch_id, found)
    return found


async def _follow_up(
    engine: Engine, state: DetectionState, batch_id: str, found: Sequence[Found], created_at: CreatedAt
) -> list[Found]:
    """Let the findings that opened count as events. One level: what is found about findings does not."""
    opened = [each for each in found if each.outcome.is_opened and each.finding.dataset != escalation.DATASET]
    events = [_event_of(engine, each) for each in sorted(opened, key=_order)]
    signs = engine.evaluate(events)
    if not signs.groups and not signs.folds:
        return []
    outcomes = await counted(engine, state, f"{batch_id}:findings", signs, events)
    return _all_found(engine, outcomes, events, created_at)


async def _climb(state: DetectionState, batch_id: str, found: list[Found]) -> list[Found]:
    """Put entities one step up where the rule has a ladder, and the length of that step into the measure."""
    offences = [
        escalation.Offence(each.outcome.anchor, each.finding, each.measure.ladder)
        for each in sorted(found, key=_order)
        if each.outcome.is_opened and each.measure is not None and each.measure.ladder
    ]
    if not offences:
        return found
    outcomes = await state.apply(Batch(f"{batch_id}:ladder", [], escalation.climb(offences)))
    seconds = escalation.climbed_seconds(outcomes)
    return [_climbed(each, seconds) for each in found]


def _order(found: Found) -> tuple[int, str]:
    """Sort by the event that opened a finding, so that batch boundaries do not matter."""
    return found.outcome.anchor, found.finding.id


def _event_of(engine: Engine, found: Found) -> Event:
    return escalation.event_of(found.finding, engine.rules[found.finding.rule_id], found.outcome.anchor)


def _climbed(found: Found, seconds: dict[str, int]) -> Found:
    if found.measure is None or found.finding.id not in seconds:
        return found
    return found._replace(measure=replace(found.measure, seconds=seconds[found.finding.id]))


def _all_found(
    engine: Engine, outcomes: Sequence[Outcome], events: Sequence[Event], created_at: CreatedAt
) -> list[Found]:
    if not outcomes:
        return []
    by_id = {event.id: event for event in events}
    return [found for outcome in outcomes if (found := _found(engine, outcome, by_id, created_at)) is not None]


def _found(engine: Engine, outcome: Outcome, events: dict[str, Event], created_at: CreatedAt) -> Found | None:
    event = events.get(outcome.event_id)
    if event is None or outcome.rule_id not in engine.rules:
        return None  # a redelivered batch, and the rule was taken away in between
    finding = finding_of(engine, outcome, event, created_at(event))
    return Found(finding, outcome, event, measure_for(engine.rules[outcome.rule_id], outcome))
