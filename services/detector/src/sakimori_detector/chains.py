"""Counts signs level by level, where correlations count findings of others."""

from collections.abc import Mapping, Sequence, Set
from typing import NamedTuple

import msgspec

from sakimori_common.contracts import Event
from sakimori_detector.domain.counting import fed
from sakimori_detector.domain.engine import Engine, Signs
from sakimori_detector.domain.samples import sample_of
from sakimori_detector.ports import Batch, DetectionState
from sakimori_detector.sigma.judging import latest_of_slots
from sakimori_detector.sigma.windows import Group, Outcome


class Part(NamedTuple):
    """Events that are counted together: a name that is stable over redelivery, and when they came."""

    id: str
    events: Sequence[Event]
    arrived_at: int


async def counted(
    engine: Engine, state: DetectionState, part: Part, signs: Signs, judged: Sequence[Outcome] = ()
) -> list[Outcome]:
    """Count the signs of some events: one round trip to the state, and one more a level where a finding may feed it.

    `judged` are findings that correlations may count beside those that come of the signs.

    What a correlation of correlations counts of the events themselves waits for its level, so that all its signs of a
    batch come together and in order. Idempotent: each level is a batch of its own, named by the batch and the level.
    """
    events = {event.id: event for event in part.events} if engine.depth or engine.judged else {}
    levels: dict[int, list[Group]] = {}
    present = {group.window.rule_id for group in signs.groups} | {outcome.rule_id for outcome in judged}
    _enter(engine, levels, signs.groups, present)
    _enter(engine, levels, _fed(engine, judged, events), present)
    outcomes: list[Outcome] = []
    for level in range(engine.depth + 1):
        folds = () if level else signs.folds
        if folds or level in levels:
            name = f"{part.id}:{level}" if level else part.id
            groups = [_with_samples(group, events) for group in levels.get(level, ())]
            found = await state.apply(Batch(name, groups, folds, part.arrived_at))
            outcomes += [_shown(outcome, events) for outcome in found]
            _enter(engine, levels, _fed(engine, found, events), present)
    return outcomes


def _enter(engine: Engine, levels: dict[int, list[Group]], groups: Sequence[Group], present: Set[str]) -> None:
    """Put groups where they belong: at once, if nothing of this part can come up to them from the rules below."""
    for group in groups:
        rule_id = group.window.rule_id
        below = engine.below.get(rule_id)
        level = engine.levels[rule_id] if below and not below.isdisjoint(present) else 0
        levels.setdefault(level, []).append(group)


def _shown(outcome: Outcome, events: Mapping[str, Event]) -> Outcome:
    """Name the event that a finding brought along instead of the finding."""
    event = events.get(outcome.event_id)
    if event is None or event.id == outcome.event_id:
        return outcome
    return msgspec.structs.replace(outcome, event_id=event.id)


def _with_samples(group: Group, events: Mapping[str, Event]) -> Group:
    """Give signs that wait to be judged some of their events along."""
    if not group.window.is_judged:
        return group
    chosen = latest_of_slots(group.window, group.signs)
    return group._replace(
        signs=[
            sign._replace(sample=sample_of(events[sign.event_id])) if sign.event_id in chosen & events.keys() else sign
            for sign in group.signs
        ]
    )


def _fed(engine: Engine, outcomes: Sequence[Outcome], events: dict[str, Event]) -> list[Group]:
    """List the signs that findings are, as they open or move, for correlations over their rules.

    What explains them goes into `events` under their ids.
    """
    groups: list[Group] = []
    for outcome in outcomes:
        event = events.get(outcome.event_id)
        if event is not None and outcome.rule_id in engine.feeds and (outcome.is_opened or outcome.replaced >= 0):
            signs = fed(engine, outcome, event)
            events.update({group.signs[0].event_id: event for group in signs})
            groups += signs
    return groups
