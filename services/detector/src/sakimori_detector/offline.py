"""The live engine without a broker: over files of events, and over the cases of the rules."""

import asyncio
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Final, NamedTuple
from zoneinfo import ZoneInfo

import msgspec

from sakimori_common.contracts import Event, EventError, Finding
from sakimori_detector.adapters.files import read_files
from sakimori_detector.adapters.memory import MemoryState
from sakimori_detector.adapters.models import model_in_use
from sakimori_detector.detection import Found, collect, detect
from sakimori_detector.domain.analytics import AnalyticError, World
from sakimori_detector.domain.cases import CaseError, events_of
from sakimori_detector.domain.engine import Engine
from sakimori_detector.domain.findings import instant
from sakimori_detector.domain.intelligence.allowed import AllowList
from sakimori_detector.domain.intelligence.holder import Intelligence
from sakimori_detector.domain.intelligence.lists import ALLOWED_LIST, FEEDS_LIST, read_list, table_of
from sakimori_detector.domain.loading import RuleSet, load
from sakimori_detector.domain.opinion.model import Model, ModelError
from sakimori_detector.domain.rules import Case, Rule
from sakimori_detector.recall import recall
from sakimori_detector.sigma.documents import Problem

BATCH_EVENTS: Final = 200
END_OF_TIME: Final = 1 << 61
"""Later than any event, in microseconds."""


class BadLine(NamedTuple):
    """A line of input that is no event; counts from 1."""

    number: int
    why: str


class CaseResult(NamedTuple):
    """How a case went; `why` is empty when it passed."""

    rule: Rule
    case: Case
    why: str


def load_folder(folder: Path, zone: str, kept_feeds: Path | None = None, opinion_file: str = "") -> RuleSet:
    """Load a rules' folder: rules, lists, feeds that are files and, from `kept_feeds`, the last good copies of others.

    The second opinion comes from `opinion_file` or with the detector; one that cannot be read is a problem.
    Raises FileNotFoundError, and ZoneInfoNotFoundError for an unknown time zone.
    """
    if not folder.is_dir():
        raise FileNotFoundError(f"{folder}: no such folder")
    files = read_files(folder)
    loaded = load(files.rules, files.lists, ZoneInfo(zone), feeds=files.feeds)
    known = recall(loaded.feeds, folder, kept_feeds)
    loaded.world.intelligence.table = known.table
    opinion, without = _opinion(opinion_file)
    problems = (*files.problems, *loaded.problems, *known.problems, *without)
    return replace(loaded, problems=problems, world=replace(loaded.world, opinion=opinion))


def _opinion(file: str) -> tuple[Model | None, list[Problem]]:
    try:
        return model_in_use(file), []
    except ModelError as error:
        return None, [Problem(file or "second opinion", 1, 1, str(error))]


class OfflineDetector:
    """Runs events through engine and memory state. `created_at` is in their time, so that a run can be repeated."""

    def __init__(self, rules: Iterable[Rule], world: World) -> None:
        self._engine = Engine(rules, world)
        self._state = MemoryState()
        self._batches = 0
        self._newest = 0

    def feed(self, events: Sequence[Event]) -> list[Found]:
        """Take a batch; returns findings opened or updated by it, and those of windows that are over since."""
        return _dated(asyncio.run(self._feed(events)))

    def finish(self) -> list[Found]:
        """Say that no more will come; returns the findings of windows that were waiting for their end."""
        return _dated(asyncio.run(self._collect(END_OF_TIME)))

    async def _feed(self, events: Sequence[Event]) -> list[Found]:
        self._batches += 1
        self._newest = max([self._newest, *(event.time for event in events)])
        found = await detect(
            self._engine, self._state, str(self._batches), events, _event_time, arrived_at=self._newest
        )
        return found + await self._collect(self._newest) if self._engine.judged else found

    async def _collect(self, now: int) -> list[Found]:
        found: list[Found] = []
        while True:
            collected = await collect(self._engine, self._state, now, _event_time)
            if not collected.settled:
                return found
            found += collected.found
            await self._state.settle(collected.settled)


def _event_time(event: Event) -> int:
    return event.time


def _dated(found: Iterable[Found]) -> list[Found]:
    """Say that findings were made when they were complete, wherever a batch ended."""
    return [
        each._replace(finding=msgspec.structs.replace(each.finding, created_at=instant(each.outcome.anchor)))
        for each in found
    ]


def read_events(lines: Iterable[bytes], bad: list[BadLine]) -> Iterator[Event]:
    """Read NDJSON; what is no event goes to `bad` with its line number, empty lines are passed over."""
    for number, line in enumerate(lines, start=1):
        if not line.strip():
            continue
        try:
            yield Event.from_json(line)
        except (msgspec.DecodeError, EventError, UnicodeDecodeError, RecursionError) as error:
            bad.append(BadLine(number, str(error)))


class Latest:
    """Gathers findings, one each id in the state it had last, in the order they opened."""

    def __init__(self) -> None:
        self._findings: dict[str, Finding] = {}

    def add(self, found: Iterable[Found]) -> None:
        """Take findings and their updates; the first `created_at` stays."""
        for finding, *_, replaced in found:
            earlier = self._findings.pop(replaced or "", None) or self._findings.get(finding.id)
            created_at = finding.created_at if earlier is None else earlier.created_at
            self._findings[finding.id] = msgspec.structs.replace(finding, created_at=created_at)

    def all(self) -> list[Finding]:
        """List the findings."""
        return list(self._findings.values())


def play(rule: Rule, case: Case, world: World) -> CaseResult:
    """Play one case against its rule alone."""
    latest = Latest()
    try:
        detector = OfflineDetector([rule], _world_of(case, world))
        latest.add(detector.feed(events_of(case)))
        latest.add(detector.finish())
    except (CaseError, AnalyticError, ValueError) as error:
        return CaseResult(rule, case, str(error))
    return CaseResult(rule, case, _verdict(case, len(latest.all())))


def _world_of(case: Case, world: World) -> World:
    """Replace what the case has lists of; feeds and allow-list are empty unless it does, whatever they hold here."""
    read = {name: read_list(name, "\n".join(entries)) for name, entries in case.lists.items()}
    for name, listed in read.items():
        if listed.problems:
            raise CaseError(f"lists: {name}: entry {listed.problems[0].line} is {listed.problems[0].why}")
    tables = {name: table_of(name, listed.entries) for name, listed in read.items()}
    allowed = read[ALLOWED_LIST].entries if ALLOWED_LIST in read else ()
    return replace(
        world,
        lists={**world.lists, **tables},
        intelligence=Intelligence(tables.get(FEEDS_LIST)),
        allowed=AllowList(allowed),
    )


def _verdict(case: Case, findings: int) -> str:
    if case.fires and not findings:
        return "should fire, did not"
    if not case.fires and findings:
        return f"should not fire, {findings} finding{'s' * (findings > 1)}"
    if case.count is not None and findings != case.count:
        return f"{findings} findings instead of {case.count}"
    return ""
