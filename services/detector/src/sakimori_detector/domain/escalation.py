"""What findings add up to: each that opens is an event of its own, and perhaps an offence that climbs a ladder.

Both go to the state after the events did, in batches of their own. One level deep: what is found about findings is no
event.
"""

from collections.abc import Iterable, Sequence
from functools import partial
from typing import Final, NamedTuple

import msgspec

from sakimori_common.contracts import Event, FieldValue, Finding
from sakimori_detector.domain.analytics.contract import REPLACES_FIELD, facts, note
from sakimori_detector.domain.folds import Fold, Step, Write, fold_over, key_of_memory, recall
from sakimori_detector.domain.rules import Rule
from sakimori_detector.sigma.windows import Group, Outcome, Sign, Window, microseconds

DATASET: Final = "sakimori.finding"
UNKNOWN: Final = "unknown"
LADDER_RULE: Final = "policy/ladder"
"""Stands where the outcomes of windows have the id of a rule; no file can be called so."""
FORGET_SECONDS: Final = 7 * 86_400
"""An entity that kept quiet for so long after its last measure begins at the bottom again."""
_STEP: Final = Window(LADDER_RULE, 1, 0, 0)


class Offence(NamedTuple):
    """A finding that opened at `time` (microseconds), and the ladder of its rule: seconds by step."""

    time: int
    finding: Finding
    ladder: Sequence[int]


class _Level(msgspec.Struct, array_like=True):
    """Where an entity stands: the step it is on, and until when the measure of it holds (microseconds)."""

    step: int
    until: int


def event_of(finding: Finding, rule: Rule, opened_at: int, replaces: str | None = None) -> Event:
    """Write a finding as the event that it opened (docs/reference/fields.md); its id is the finding's.

    `replaces` is the id that it had, or has, as an event of a later time, until an earlier event came.
    """
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
    if replaces is not None:
        fields[REPLACES_FIELD] = replaces
    if finding.trace_id:
        fields["trace.id"] = finding.trace_id
    return Event(finding.id, opened_at, DATASET, fields)


def climb(offences: Sequence[Offence]) -> list[Fold]:
    """Make the folds that put each entity one step up its ladder, one fold an entity. Offences by time."""
    by_key: dict[str, list[Offence]] = {}
    for offence in offences:
        key = key_of_memory("ladder", offence.finding.entity_type, offence.finding.entity)
        by_key.setdefault(key, []).append(offence)
    return [fold_over((each.time for each in mine), (key,), partial(_climb, mine)) for key, mine in by_key.items()]


def _climb(offences: Sequence[Offence], values: Sequence[bytes | None]) -> Step:
    level = recall(values[0], _Level) or _Level(-1, 0)
    groups = []
    for offence in offences:
        level, seconds = _next(level, offence)
        sign = Sign(offence.time, offence.finding.id, note=note({"seconds": seconds}))
        groups.append(Group(_STEP, offence.finding.id, [sign]))
    write = Write(msgspec.msgpack.encode(level), max(offences[-1].ladder) + FORGET_SECONDS)
    return Step([write], groups)


def _next(level: _Level, offence: Offence) -> tuple[_Level, int]:
    """Go one step up, unless the measure of the last one still holds: several rules may see one and the same attack."""
    if offence.time > level.until + microseconds(FORGET_SECONDS):
        level = _Level(-1, 0)
    is_held = level.step >= 0 and offence.time <= level.until
    step = min(level.step if is_held else level.step + 1, len(offence.ladder) - 1)
    seconds = offence.ladder[step]
    return _Level(step, max(level.until, offence.time + microseconds(seconds))), seconds


def climbed_seconds(outcomes: Iterable[Outcome]) -> dict[str, int]:
    """Read how long the measure of each finding holds, by its id, from the outcomes of `climb`."""
    return {each.key: int(facts(each.note)["seconds"]) for each in outcomes if each.rule_id == LADDER_RULE}
