"""The rules in use: loaded at start, loaded again when a file changes."""

import asyncio
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from zoneinfo import ZoneInfo

import structlog

from sakimori_detector.adapters.files import read_files, stamp
from sakimori_detector.domain.engine import Engine
from sakimori_detector.domain.intelligence.allowed import AllowList
from sakimori_detector.domain.intelligence.feeds import FEEDS_PATH, Feed
from sakimori_detector.domain.intelligence.holder import Intelligence
from sakimori_detector.domain.intelligence.lists import ALLOWED_LIST
from sakimori_detector.domain.loading import RuleSet, load
from sakimori_detector.domain.opinion.model import Model
from sakimori_detector.domain.rules import Rule
from sakimori_detector.metrics import DetectorMetrics
from sakimori_detector.sigma.backtracking import switched_off

POLL_SECONDS = 2.0


class Rulebook:
    """Holds the engine of the latest load. Windows live in the state, so a new engine goes on where the old one was.

    A rule whose file was broken by a change stays in use as it was until the file is mended or removed, so do feeds and
    the allow-list; all do while the folder itself is away. `allowed` are the addresses that are allowed beside
    lists/allowed.txt, `intelligence` is what rules ask about what feeds say, `opinion` the second one on web payloads.
    Raises FileNotFoundError when the folder is not there at the start.
    """

    def __init__(
        self,
        folder: Path,
        zone: str,
        metrics: DetectorMetrics,
        log: structlog.stdlib.BoundLogger,
        *,
        allowed: Sequence[str] = (),
        intelligence: Intelligence | None = None,
        opinion: Model | None = None,
    ) -> None:
        if not folder.is_dir():
            raise FileNotFoundError(f"{folder}: no such folder; DETECTOR_RULES_DIR names that of the rules")
        self._folder = folder
        self._zone = ZoneInfo(zone)
        self._metrics = metrics
        self._log = log
        self._given_allowed = allowed
        self._intelligence = intelligence or Intelligence()
        self._opinion = opinion
        self._switched_off: set[str] = set()
        self.allowed = AllowList()
        self.feeds: tuple[Feed, ...] = ()
        self._stamp = stamp(folder)
        self.engine = self._build()

    async def watch(self, poll_seconds: float = POLL_SECONDS) -> None:
        """Look for changes for ever; loading runs beside the event loop."""
        while True:
            await asyncio.sleep(poll_seconds)
            await self.refresh()

    async def refresh(self) -> bool:
        """Load again if a file changed, came or went; says whether it did."""
        self._tell_switched_off()
        latest = await asyncio.to_thread(stamp, self._folder)
        if latest == self._stamp or not self._folder.is_dir():
            return False
        self._stamp = latest
        self.engine = await asyncio.to_thread(self._build)
        return True

    def _build(self) -> Engine:
        files = read_files(self._folder)
        loaded = load(
            files.rules,
            files.lists,
            self._zone,
            feeds=files.feeds,
            allowed=self._given_allowed,
            intelligence=self._intelligence,
        )
        problems = [*files.problems, *loaded.problems]
        rules = [*loaded.rules, *self._still_good(loaded, {problem.path for problem in problems})]
        for problem in problems:
            self._log.warning(
                "rule_refused", file=problem.path, line=problem.line, column=problem.column, why=problem.why
            )
        self._log.info("rules_loaded", rules=len(rules), problems=len(problems), folder=str(self._folder))
        self._metrics.rules_loaded.set(len(rules))
        self._metrics.rule_problems.set(len(problems))
        self._follow(loaded, {problem.path for problem in problems})
        return Engine(rules, replace(loaded.world, allowed=self.allowed, opinion=self._opinion))

    def _follow(self, loaded: RuleSet, broken: set[str]) -> None:
        """Take up feeds and allow-list; with a mistake in its file, what is missing now stays as it was."""
        present = {feed.name for feed in loaded.feeds}
        earlier = [feed for feed in self.feeds if FEEDS_PATH in broken and feed.name not in present]
        self.feeds = (*loaded.feeds, *earlier)
        known = self.allowed.entries if f"lists/{ALLOWED_LIST}.txt" in broken else ()
        self.allowed = AllowList(dict.fromkeys([*loaded.world.allowed.entries, *known]))

    def _tell_switched_off(self) -> None:
        """Tell of expressions that gave up so often that they are no longer asked; each is logged once."""
        found = switched_off()
        self._metrics.expressions_switched_off.set(len(found))
        for expression in set(found) - self._switched_off:
            self._log.warning("expression_switched_off", expression=expression)
        self._switched_off = set(found)

    def _still_good(self, loaded: RuleSet, broken: set[str]) -> list[Rule]:
        engine: Engine | None = getattr(self, "engine", None)
        if engine is None:
            return []
        present = {rule.id for rule in loaded.rules}
        return [rule for rule in engine.rules.values() if rule.path in broken and rule.id not in present]
