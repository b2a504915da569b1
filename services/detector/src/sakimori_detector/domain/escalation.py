"""What findings add up to: each that opens is an event of its own, and an offence that climbs the entity's ladder.

Both go to the state in a second batch, once per batch and one level deep: a finding about findings is no such event.
"""

from collections.abc import Iterable, Sequence
from functools import partial
from typing import Final

import msgspec

from sakimori_common.contracts import Event, FieldValue, Finding
from sakimori_detector.domain.analytics.contract import facts, note
from sakimori_detector.domain.folds import Fold, Step, Write, key_of_memory
from sakimori_detector.domain.rules import Measure, Rule
from sakimori_detector.sigma.windows import Group, Outcome, Sign, Window, microseconds

DATASET: Final = "sakimori.finding"
UNKNOWN: Final = "unknown"
LADDER_RULE: Final = "policy/ladder"
"""Stands where the outcomes of windows have the id of a rule; no file can be called so."""
FORGET_SECONDS: Final = 7 * 86_400
"""An entity that kept quiet for so long after its last measure begins at the bottom again."""
_STEP: Final = Window(LADDER_RULE, 1, 0, 0)


class _Level(msgspec.Struct, array_like=True):
    """Where an entity stands: the step it is on, and until when the measure of it holds (microseconds)."""

    step: int
    until: int


def event_of(finding: Finding, rule: Rule, opened_at: int) -> Event:
    """Write a finding as the event that it opened (docs/reference/fields.md); its id is the finding's."""
    fields: dict[str, FieldValue] = {
        "event.category": "intrusion_detection",
        "event.severity": finding.severity.rank,
        "event.severity_name": finding.severity.value,
        "rule.id": rule.id,
        "rule.name": finding.title,
        "rule.ruleset": rule.path.rpartition("/")[0],
        "sakimori.finding.confidence": finding.confidence,
        "sakimori.finding.dataset": finding.dataset,
        "sakimori.finding.entity": finding.entity,
        "sakimori.finding.entity_type": finding.entity_type,
        "threat.tactic.name": list(finding.tactics),
        "threat.technique.id": list(finding.techniques),
    }
    if finding.entity != UNKNOWN:
        fields[finding.entity_type] = finding.entity
    if finding.trace_id:
        fields["trace.id"] = finding.trace_id
    return Event(finding.id, opened_at, DATASET, fields)


def offence(finding: Finding, measure: Measure, opened_at: int) -> Fold:
    """Make the fold that climbs the ladder of the finding's entity by one step."""
    key = key_of_memory("ladder", finding.entity_type, finding.entity)
    return Fold((key,), opened_at, partial(_climb, finding.id, measure.ladder, opened_at))


def _climb(finding_id: str, ladder: Sequence[int], time: int, values: Sequence[bytes | None]) -> Step:
    """Go one step up, unless the measure of the last one still holds: several rules may see one and the same attack."""
    raw = values[0]
    level = msgspec.msgpack.decode(raw, type=_Level) if raw else _Level(-1, 0)
    if time > level.until + microseconds(FORGET_SECONDS):
        level = _Level(-1, 0)
    step = min(level.step if time <= level.until else level.step + 1, len(ladder) - 1)
    until = max(level.until, time + microseconds(ladder[step]))
    write = Write(msgspec.msgpack.encode(_Level(step, until)), ladder[step] + FORGET_SECONDS)
    sign = Sign(time, finding_id, note=note({"seconds": ladder[step]}))
    return Step([write], [Group(_STEP, finding_id, [sign])])


def climbed_seconds(outcomes: Iterable[Outcome]) -> dict[str, int]:
    """Read how long the measure of each finding holds, by its id, from the outcomes of `offence`."""
    return {each.key: int(facts(each.note)["seconds"]) for each in outcomes if each.rule_id == LADDER_RULE}
