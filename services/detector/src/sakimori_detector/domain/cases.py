"""The cases of a rule: its firing examples and its near misses."""

from collections.abc import Iterator, Mapping
from typing import Any, Final

from sakimori_common.contracts import Event, EventError
from sakimori_common.ids import event_id
from sakimori_common.instants import MICROSECONDS
from sakimori_detector.domain.rules import Case, Rule
from sakimori_detector.sigma.documents import Problem

MAX_REPEAT: Final = 100_000


class CaseError(ValueError):
    """A case cannot be played; says why."""


def events_of(case: Case) -> list[Event]:
    """Expand a case into events, in order of time. Raises CaseError that names the event by its number from 1."""
    events: list[Event] = []
    for number, written in enumerate(case.events, start=1):
        try:
            events += _expanded(written, f"{case.name} {number}")
        except EventError as error:
            raise CaseError(f"event {number}: {error}") from None
    return sorted(events, key=lambda event: event.time)


def missing_cases(rule: Rule) -> list[Problem]:
    """Say which kind of case a rule of ours lacks: it must have one that fires and a near miss."""
    if rule.is_imported:
        return []
    kinds = {True: "one that fires (fires: true)", False: "a near miss that does not (fires: false)"}
    return [
        Problem(rule.path, rule.line, 1, f"cases: {text} is missing")
        for fires, text in kinds.items()
        if not any(case.fires is fires for case in rule.cases)
    ]


def _expanded(written: Mapping[str, Any], seed: str) -> Iterator[Event]:
    fields = dict(written)
    repeat, every = fields.pop("repeat", 1), fields.pop("every_seconds", 0)
    if not isinstance(repeat, int) or not 1 <= repeat <= MAX_REPEAT:
        raise CaseError(f"repeat: a whole number from 1 to {MAX_REPEAT}, not {repeat!r}")
    if isinstance(every, bool) or not isinstance(every, int | float) or every < 0:
        raise CaseError(f"every_seconds: a number of seconds, not {every!r}")
    for turn in range(repeat):
        first = Event.from_flat({name: _numbered(value, turn) for name, value in fields.items()})
        time = first.time + round(turn * every * MICROSECONDS)
        yield Event(event_id(time, seed, str(turn)), time, first.dataset, first.fields)


def _numbered(value: Any, turn: int) -> Any:
    if isinstance(value, str):
        return value.replace("{n}", str(turn))
    if isinstance(value, list):
        return [_numbered(item, turn) for item in value]
    return {name: _numbered(item, turn) for name, item in value.items()} if isinstance(value, dict) else value
