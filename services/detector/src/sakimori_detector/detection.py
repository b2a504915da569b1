"""One batch through engine and state to findings: the same way live, offline and in the cases of a rule."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from typing import NamedTuple

from sakimori_common.contracts import Event, Finding
from sakimori_detector.chains import Part, counted
from sakimori_detector.domain import escalation
from sakimori_detector.domain.analytics.contract import REPLACES_FIELD, facts
from sakimori_detector.domain.engine import Engine, Signs
from sakimori_detector.domain.findings import Looks, finding_of, replaced_id
from sakimori_detector.domain.policy import measure_for
from sakimori_detector.domain.rules import Measure
from sakimori_detector.domain.samples import event_of
from sakimori_detector.ports import Batch, DetectionState
from sakimori_detector.sigma.judging import Ripe, Settled, Verdict, judge
from sakimori_detector.sigma.windows import Group, Outcome

CreatedAt = Callable[[Event], int]


class Found(NamedTuple):
    """A finding, the outcome that it explains, the event that decided, and the measure that its rule asks for.

    `replaced` is the id under which the finding was known until an earlier event came, None if under no other.
    """

    finding: Finding
    outcome: Outcome
    event: Event
    measure: Measure | None = None
    replaced: str | None = None


class Collected(NamedTuple):
    """What came of windows that are over; `settled` goes back to the state once the findings are safe."""

    found: list[Found]
    settled: list[Settled]


async def detect(
    engine: Engine,
    state: DetectionState,
    batch_id: str,
    events: Sequence[Event],
    created_at: CreatedAt,
    *,
    arrived_at: int = 0,
) -> list[Found]:
    """Evaluate a batch, count it, explain what came of it, and what follows from that for the entities.

    No round trip to the state when nothing matched, a second one when findings opened that anything follows from.
    `created_at` tells when a finding whose latest event is this one was made; `arrived_at` as in `ports.Batch`. Raises
    Unavailable.
    """
    signs = engine.evaluate(events)
    if not signs.groups and not signs.folds:
        return []
    part = Part(batch_id, events, arrived_at)
    outcomes = await counted(engine, state, part, signs)
    return await _followed(engine, state, part, _all_found(engine, outcomes, events, created_at), created_at)


async def collect(engine: Engine, state: DetectionState, now: int, created_at: CreatedAt) -> Collected:
    """Judge windows that are over at `now`, some at a time; nothing settled means there are no more.

    Whoever settles only after storing what was found loses nothing: until then the same comes out again, under the
    same ids. Raises Unavailable.
    """
    found: list[Found] = []
    settled = [_judged(engine, ripe, state.lateness) for ripe in await state.ripe(now)]
    for _, ripe, verdict in settled:
        if verdict.outcomes:
            events = [event_of(outcome.sample) for outcome in verdict.outcomes if outcome.sample]
            part = Part(f"{ripe.id}:{verdict.outcomes[0].first}", events, now)
            outcomes = [*verdict.outcomes, *await counted(engine, state, part, Signs(), verdict.outcomes)]
            explained = _all_found(engine, outcomes, events, created_at)
            found += await _followed(engine, state, part, explained, created_at)
    return Collected(found, settled)


def _judged(engine: Engine, ripe: Ripe, lateness: int) -> Settled:
    """Judge what waits for a key; of a rule that is gone nothing is kept."""
    window, correlation = engine.windows.get(ripe.rule_id), engine.judged.get(ripe.rule_id)
    if window is None or correlation is None:
        return Settled(None, ripe, Verdict([], ripe.judged, []))
    return Settled(window, ripe, judge(window, correlation, ripe, lateness))


async def _followed(
    engine: Engine, state: DetectionState, part: Part, found: list[Found], created_at: CreatedAt
) -> list[Found]:
    if any(each.outcome.is_opened or each.outcome.replaced >= 0 for each in found):
        found += await _follow_up(engine, state, part, found, created_at)
        found = await _climb(state, part.id, found)
    return found


async def _follow_up(
    engine: Engine, state: DetectionState, part: Part, found: Sequence[Found], created_at: CreatedAt
) -> list[Found]:
    """Let the findings that opened count as events. One level: what is found about findings does not."""
    ours = sorted((each for each in found if each.finding.dataset != escalation.DATASET), key=_order)
    events = [_event_of(engine, each) for each in ours if each.outcome.is_opened or each.outcome.replaced >= 0]
    signs = engine.evaluate(events)
    if not signs.groups and not signs.folds:
        return []
    replaced = {event.id: str(event.fields.get(REPLACES_FIELD, "")) for event in events}
    signs.groups = [_replacing(group, replaced) for group in signs.groups]
    outcomes = await counted(engine, state, Part(f"{part.id}:findings", events, part.arrived_at), signs)
    return _all_found(engine, outcomes, events, created_at)


def _replacing(group: Group, replaced: Mapping[str, str]) -> Group:
    """Let the signs of findings whose anchor moved take the place of those that they were."""
    return group._replace(signs=[sign._replace(replaces=replaced.get(sign.event_id, "")) for sign in group.signs])


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
    outcome = found.outcome
    replaces = None if outcome.is_opened or outcome.replaced < 0 else found.replaced or found.finding.id
    return escalation.event_of(found.finding, engine.rules[found.finding.rule_id], outcome.anchor, replaces)


def _climbed(found: Found, seconds: dict[str, int]) -> Found:
    if found.measure is None or found.finding.id not in seconds:
        return found
    return found._replace(measure=replace(found.measure, seconds=seconds[found.finding.id]))


def _all_found(
    engine: Engine, outcomes: Sequence[Outcome], events: Sequence[Event], created_at: CreatedAt
) -> list[Found]:
    if not outcomes:
        return []
    by_id, looks = {event.id: event for event in events}, Looks(engine)
    return [found for outcome in outcomes if (found := _found(looks, outcome, by_id, created_at)) is not None]


def _found(looks: Looks, outcome: Outcome, events: dict[str, Event], created_at: CreatedAt) -> Found | None:
    engine = looks.engine
    event = events.get(outcome.event_id) or events.get(str(facts(outcome.note).get("shown_by")))
    if event is None or outcome.rule_id not in engine.rules:
        return None  # a redelivered batch, and the rule was taken away in between
    rule, replaced = engine.rules[outcome.rule_id], replaced_id(engine.windows[outcome.rule_id], outcome)
    finding = finding_of(looks, outcome, event, created_at(event))
    return Found(finding, outcome, event, measure_for(rule, outcome), replaced)
