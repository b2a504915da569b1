"""Counts signs level by level, where correlations count findings of others."""

from collections.abc import Mapping, Sequence

from sakimori_common.contracts import Event
from sakimori_detector.domain.counting import fed
from sakimori_detector.domain.engine import Engine, Signs
from sakimori_detector.ports import Batch, DetectionState
from sakimori_detector.sigma.windows import Group, Outcome


async def counted(
    engine: Engine, state: DetectionState, batch_id: str, signs: Signs, events: Sequence[Event]
) -> list[Outcome]:
    """Count the signs of some events: a round trip to the state a level, one where nothing feeds a correlation.

    What a correlation of correlations counts of the events themselves waits for its level, so that all its signs of a
    batch come together and in order. Idempotent: each level is a batch of its own, named by the batch and the level.
    """
    levels: dict[int, list[Group]] = {}
    for group in signs.groups:
        levels.setdefault(engine.levels.get(group.window.rule_id, 0), []).append(group)
    by_id = {event.id: event for event in events} if engine.depth else {}
    outcomes: list[Outcome] = []
    for level in range(engine.depth + 1):
        folds = () if level else signs.folds
        if folds or level in levels:
            found = await state.apply(Batch(f"{batch_id}:{level}" if level else batch_id, levels.get(level, ()), folds))
            outcomes += found
            for group in _fed(engine, found, by_id):
                levels.setdefault(engine.levels[group.window.rule_id], []).append(group)
    return outcomes


def _fed(engine: Engine, outcomes: Sequence[Outcome], events: Mapping[str, Event]) -> list[Group]:
    """List the signs that findings are, as they open, for correlations over their rules."""
    return [
        group
        for outcome in outcomes
        if outcome.is_opened and outcome.rule_id in engine.feeds and outcome.event_id in events
        for group in fed(engine.feeds, outcome, events[outcome.event_id])
    ]
