"""Risk of an entity over everything found about it (S0-29, S0-34, S0-61): points that add up, fade, and climb a ladder.

Over `sakimori.finding`: each finding that opens gives its entity the weight of its severity, times its confidence,
times the factor of its rule. The score halves every `half_life_seconds`. Each finding at which it is on a rung or above
is a sign for that rung: the first opens a finding with the measure of the rung, the rest add to it within the window.

What comes out is a function of the set of findings, not of the order in which replicas came to them: the latest are
kept and the score is reckoned anew from the earliest of them. An earlier one that comes late only raises what follows
it, so a sign that was given stays right, and those that were missing are given then.

Memory: a key for each entity with points, `detector:risk:<entity type>:<entity>`, 4 KB at most, forgotten after ten
half-lives. MessagePack: [score before the first that is kept, at (microseconds), [[at, finding, rule, points, rungs
told], ...] by time].
"""

from bisect import insort
from collections.abc import Iterator, Mapping, Sequence
from functools import partial
from typing import Annotated, Final

import msgspec

from sakimori_common.contracts import Event, Severity
from sakimori_detector.domain import ladder
from sakimori_detector.domain.analytics.contract import (
    REPLACES_FIELD,
    AnalyticError,
    World,
    note,
    parameters,
    window_of,
)
from sakimori_detector.domain.folds import Fold, Step, Write, fold_over, key_of_memory, recall
from sakimori_detector.domain.ladder import Rung
from sakimori_detector.domain.rules import AnalyticRule
from sakimori_detector.sigma.windows import Group, Sign

MAX_KEPT: Final = 40
"""Findings of an entity that are kept one by one; of older ones only what their points have faded to."""
MAX_REASONS: Final = 10
HALF_LIVES_KEPT: Final = 10
Points = Annotated[float, msgspec.Meta(ge=0, le=10_000)]

WEIGHTS: Final = {"info": 0.0, "low": 2.0, "medium": 5.0, "high": 10.0, "critical": 20.0}
LADDER: Final = (
    Rung(10, "warn"),
    Rung(20, "block", 30),
    Rung(40, "block", 300),
    Rung(80, "block", 3600),
    Rung(160, "block", 86_400),
    Rung(320, "operator", 86_400),
)
ENTITIES: Final = ("source.ip", "client.fingerprint", "user.name", "user.id", "device.id", "device.mac", "bot.id")


class Parameters(msgspec.Struct, forbid_unknown_fields=True, frozen=True, kw_only=True):
    """Points by severity, multiplied by the factor of the rule (1 where none is named); entity types that have risk."""

    half_life_seconds: Annotated[int, msgspec.Meta(ge=1, le=30 * 86_400)] = 3600
    weights: dict[str, Points] = {}
    factors: dict[str, Points] = {}
    entities: tuple[str, ...] = ENTITIES
    ladder: tuple[Rung, ...] = LADDER


class _Given(msgspec.Struct, array_like=True, order=True):
    """Points that a finding gave; `told`: on how many rungs, from the lowest, it has been a sign."""

    time: int
    finding: str
    rule: str
    points: float
    told: int = 0


class _Memory(msgspec.Struct, array_like=True):
    """What is kept of an entity: the score of old at `at`, and what was given since, by time."""

    score: float = 0.0
    at: int = 0
    given: list[_Given] = []

    def add(self, given: _Given, half_life_seconds: float, replaces: str = "") -> None:
        """Take in a finding, in the place of the one that it replaces; one that is there already changes nothing."""
        self.given = [each for each in self.given if each.finding != replaces]
        if any(each.finding == given.finding for each in self.given):
            return
        insort(self.given, given)
        if len(self.given) > MAX_KEPT:
            oldest = self.given.pop(0)
            self.score = ladder.halved(self.score, oldest.time - self.at, half_life_seconds) + oldest.points
            self.at = max(self.at, oldest.time)

    def scores(self, half_life_seconds: float) -> Iterator[tuple[int, float]]:
        """Reckon the score right after each finding; gives its place among `given`."""
        score, at = self.score, self.at
        for place, each in enumerate(self.given):
            score = ladder.halved(score, each.time - at, half_life_seconds) + each.points
            at = max(at, each.time)
            yield place, score


class Risk:
    """Adds up the risk of entities."""

    def __init__(self, rule: AnalyticRule, world: World) -> None:  # all are built alike
        self._chosen = parameters(rule, Parameters)
        unknown = set(self._chosen.weights) - set(Severity)
        if unknown:
            raise AnalyticError(f"analytic risk: {sorted(unknown)[0]!r} is no severity")
        try:
            ladder.check(self._chosen.ladder)
        except ladder.LadderError as error:
            raise AnalyticError(f"analytic risk: {error}") from None
        self._weights: Mapping[str, float] = {**WEIGHTS, **self._chosen.weights}
        self._ttl_seconds = self._chosen.half_life_seconds * HALF_LIVES_KEPT
        self.window = window_of(rule)

    def observe(self, events: Sequence[Event]) -> tuple[list[Group], list[Fold]]:
        """See Analytic."""
        by_entity: dict[tuple[str, str], list[Event]] = {}
        for event in events:
            place = self._entity(event)
            if place is not None and self._points(event) > 0:
                by_entity.setdefault(place, []).append(event)
        return [], [
            fold_over(
                (event.time for event in mine), (key_of_memory("risk", *place),), partial(self._step, place, mine)
            )
            for place, mine in by_entity.items()
        ]

    def _entity(self, event: Event) -> tuple[str, str] | None:
        kind = event.fields.get("sakimori.finding.entity_type")
        entity = event.fields.get("sakimori.finding.entity")
        if kind not in self._chosen.entities or not isinstance(entity, str) or kind not in event.fields:
            return None
        return str(kind), entity

    def _points(self, event: Event) -> float:
        weight = self._weights.get(str(event.fields.get("event.severity_name")), 0.0)
        confidence = event.fields.get("sakimori.finding.confidence")
        factor = self._chosen.factors.get(str(event.fields.get("rule.id")), 1.0)
        return weight * factor * confidence if isinstance(confidence, int | float) and 0 <= confidence <= 1 else 0.0

    def _step(self, place: tuple[str, str], events: Sequence[Event], values: Sequence[bytes | None]) -> Step:
        memory = recall(values[0], _Memory) or _Memory()
        for event in events:
            rule = str(event.fields.get("rule.id"))[:128]
            given = _Given(event.time, event.id, rule, round(self._points(event), 3))
            memory.add(given, self._chosen.half_life_seconds, _replaces(event))
        replaced = {event.id: _replaces(event) for event in events}
        groups = [
            group
            for at, score in memory.scores(self._chosen.half_life_seconds)
            for group in self._tell(place, memory, at, score, replaced)
        ]
        return Step([Write(msgspec.msgpack.encode(memory), self._ttl_seconds)], groups)

    def _tell(
        self, place: tuple[str, str], memory: _Memory, at: int, score: float, shown: Mapping[str, str]
    ) -> Iterator[Group]:
        """Give the signs of one finding for the rungs that it has not been told of.

        `shown` are the findings that showed it, the last one latest, and those that they replace.
        """
        given = memory.given[at]
        reached = [rung for rung in self._chosen.ladder if score >= rung.score]
        reasons = memory.given[: at + 1][-MAX_REASONS:]
        for rung in reached[given.told :]:
            facts = {
                "entity_type": place[0],
                "entity": place[1],
                "risk_score": round(score, 1),
                "reason": ", ".join(f"{each.rule} {each.points:+g}" for each in reasons),
                "rung_score": rung.score,
                "once": True,
                "shown_by": list(shown)[-1],
                **rung.facts(),
            }
            key = "\x1f".join([*place, f"{rung.score:g}"])
            sign = Sign(given.time, given.finding, note=note(facts), replaces=shown.get(given.finding, ""))
            yield Group(self.window, key, [sign])
        given.told = max(given.told, len(reached))


def _replaces(event: Event) -> str:
    """Name the finding that this one took the place of when its anchor moved."""
    return str(event.fields.get(REPLACES_FIELD, ""))
