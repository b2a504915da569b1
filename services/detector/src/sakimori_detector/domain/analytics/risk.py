"""Risk of an entity over everything found about it (S0-29, S0-34, S0-61): points that add up, fade, and climb a ladder.

Over `sakimori.finding`: each finding that opens gives its entity the weight of its severity, times its confidence,
times the factor of its rule. The score halves every `half_life_seconds`. Entering a rung of the ladder from below is a
sign, and each rung a finding of its own. It says which findings the points came from.

Memory: a key for each entity with points, `detector:risk:<entity type>:<entity>`, of 1 KB at most (the latest ten
findings), forgotten after ten half-lives: MessagePack [score, at in microseconds, [[rule, points], ...]].
"""

from collections.abc import Mapping, Sequence
from functools import partial
from typing import Annotated, Final

import msgspec

from sakimori_common.contracts import Event, Severity
from sakimori_detector.domain import ladder
from sakimori_detector.domain.analytics.contract import AnalyticError, World, note, parameters, window_of
from sakimori_detector.domain.folds import Fold, Step, Write, key_of_memory
from sakimori_detector.domain.ladder import Rung
from sakimori_detector.domain.rules import AnalyticRule
from sakimori_detector.sigma.windows import Group, Sign

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


class _Memory(msgspec.Struct, array_like=True):
    score: float = 0.0
    at: int = 0
    reasons: list[tuple[str, float]] = []


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
            Fold((key_of_memory("risk", *place),), mine[-1].time, partial(self._step, place, mine))
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
        return weight * factor * confidence if isinstance(confidence, int | float) else 0.0

    def _step(self, place: tuple[str, str], events: Sequence[Event], values: Sequence[bytes | None]) -> Step:
        raw = values[0]
        memory = msgspec.msgpack.decode(raw, type=_Memory) if raw else _Memory()
        groups = []
        for event in events:
            rung = self._add(memory, event)
            if rung is not None:
                sign = Sign(event.time, event.id, note=self._note(place, memory, rung))
                groups.append(Group(self.window, "\x1f".join([*place, f"{rung.score:g}"]), [sign]))
        return Step([Write(msgspec.msgpack.encode(memory), self._ttl_seconds)], groups)

    def _add(self, memory: _Memory, event: Event) -> Rung | None:
        """Add the points of a finding, late ones as faded as they are by now; gives the rung that this enters."""
        points = self._points(event)
        half_life = self._chosen.half_life_seconds
        before = ladder.halved(memory.score, event.time - memory.at, half_life)
        memory.score = before + ladder.halved(points, memory.at - event.time, half_life)
        memory.at = max(memory.at, event.time)
        memory.reasons = [*memory.reasons, (str(event.fields.get("rule.id"))[:128], round(points, 2))][-MAX_REASONS:]
        return ladder.climbed(self._chosen.ladder, before, memory.score)

    def _note(self, place: tuple[str, str], memory: _Memory, rung: Rung) -> str:
        facts = {
            "entity_type": place[0],
            "entity": place[1],
            "risk_score": round(memory.score, 1),
            "reason": ", ".join(f"{rule} {points:+g}" for rule, points in memory.reasons),
            "rung_score": rung.score,
            **rung.facts(),
        }
        return note(facts)
