"""Far more than usual at this time of day (S2-20, S2-36): the rate of an entity against its own baseline.

Events are counted in steps of `step_seconds`. Of each hour of the day, weekdays and weekends apart, mean and variance
of the steps are learned (exponentially weighted, a plain mean as long as there are few). A step is an anomaly once its
count exceeds `factor` times the mean, the mean by `deviations` standard deviations, and `min_count`; the first
`learn_seconds` only teach. The deviation is at least that of a Poisson process, the square root of the mean. A sign is
the event with which a step becomes too much, and each with which that has doubled.

An hour of which little is known yet is judged by the busiest known one. Steps without events count as 0, but after a
day without any the source is taken to have been away. Of an anomaly only mean and one deviation are learned, so a
level that is new becomes usual within weeks, not hours. An event of a step that is over counts no more; when nothing
else comes, the clock was wrong, and counting goes back.

Memory: a key for each entity, `detector:baseline:<rule>:<entity>`, of 96 float32 and 48 bytes of counts, 0.5 KB.
docs/reference/baselines.md describes it for those who read it.
"""

import struct
from collections.abc import Sequence
from functools import partial
from math import floor, sqrt
from typing import Annotated, Final

import msgspec

from sakimori_common.contracts import Event
from sakimori_detector.domain.analytics.asked import LocalHours, Wanted, Where, zone_of
from sakimori_detector.domain.analytics.contract import World, note, parameters, window_of
from sakimori_detector.domain.folds import Fold, Step, Write, fold_over, key_of_memory, recall
from sakimori_detector.domain.rules import AnalyticRule
from sakimori_detector.sigma.events import key_of
from sakimori_detector.sigma.windows import Group, Sign, microseconds

SLOTS: Final = 48
"""Hours of weekdays, then of weekends."""
NEWEST_WEIGHT: Final = 0.05
"""Of a new step against all before it, once a slot has had twenty."""
ENOUGH_STEPS: Final = 4
"""Before a slot has had so many, others are asked about it."""
AWAY_SECONDS: Final = 86_400
MAX_ASTRAY: Final = 1000
"""Events of steps that are over, and none of the current one, before the current one is taken for a wrong clock."""
_FLOATS: Final = struct.Struct(f"<{SLOTS}f")
Floats = Annotated[bytes, msgspec.Meta(min_length=4 * SLOTS, max_length=4 * SLOTS)]


class Parameters(msgspec.Struct, forbid_unknown_fields=True, frozen=True, kw_only=True):
    """How long a step is, how long to learn before saying anything, and how much is too much."""

    step_seconds: Annotated[int, msgspec.Meta(ge=10, le=3600)] = 300
    learn_seconds: Annotated[int, msgspec.Meta(ge=0, le=90 * 86_400)] = 2 * 86_400
    factor: Annotated[float, msgspec.Meta(ge=1, le=1000)] = 3.0
    deviations: Annotated[float, msgspec.Meta(ge=1, le=100)] = 5.0
    min_count: Annotated[int, msgspec.Meta(ge=1, le=10_000_000)] = 100
    where: dict[str, Wanted] = {}
    time_zone: str | None = None


class Rates(msgspec.Struct, array_like=True):
    """What is known of an entity; docs/reference/baselines.md. `step` numbers the current one from the epoch."""

    first_step: int
    step: int
    count: int = 0
    means: Floats = _FLOATS.pack(*[0.0] * SLOTS)
    variances: Floats = _FLOATS.pack(*[0.0] * SLOTS)
    steps: Annotated[bytes, msgspec.Meta(min_length=SLOTS, max_length=SLOTS)] = bytes(SLOTS)
    astray: int = 0

    def expected(self, slot: int) -> tuple[float, float]:
        """Give mean and standard deviation to hold a step of this slot against."""
        means, variances = _FLOATS.unpack(self.means), _FLOATS.unpack(self.variances)
        if self.steps[slot] < ENOUGH_STEPS:
            slot = max(range(SLOTS), key=lambda each: means[each])
        return means[slot], sqrt(max(variances[slot], means[slot]))

    def learn(self, slot: int, count: float) -> None:
        """Take in a step."""
        means, variances = list(_FLOATS.unpack(self.means)), list(_FLOATS.unpack(self.variances))
        weight = max(1 / (self.steps[slot] + 1), NEWEST_WEIGHT)
        difference = count - means[slot]
        means[slot] += weight * difference
        variances[slot] = (1 - weight) * (variances[slot] + weight * difference**2)
        self.means, self.variances = _FLOATS.pack(*means), _FLOATS.pack(*variances)
        steps = bytearray(self.steps)
        steps[slot] = min(steps[slot] + 1, 255)
        self.steps = bytes(steps)


class RateAnomaly:
    """Learns rates by entity."""

    def __init__(self, rule: AnalyticRule, world: World) -> None:
        self._chosen = parameters(rule, Parameters)
        self._hours = LocalHours(zone_of(self._chosen.time_zone, world.zone))
        self._where = Where(self._chosen.where)
        self._entity = rule.entity
        self._is_by_dataset = rule.entity == "event.dataset"
        self._step_us = microseconds(self._chosen.step_seconds)
        self.window = window_of(rule)

    def observe(self, events: Sequence[Event]) -> tuple[list[Group], list[Fold]]:
        """See Analytic."""
        by_entity: dict[str, list[Event]] = {}
        for event in events:
            entity = event.dataset if self._is_by_dataset else event.get(self._entity)
            if entity is not None and self._where.holds(event):
                by_entity.setdefault(entity if type(entity) is str else key_of(entity), []).append(event)
        return [], [
            fold_over(
                (event.time for event in mine),
                (key_of_memory("baseline", self.window.rule_id, entity),),
                partial(self._look, entity, mine),
            )
            for entity, mine in by_entity.items()
        ]

    def _look(self, entity: str, events: Sequence[Event], values: Sequence[bytes | None]) -> Step:
        first = events[0].time // self._step_us
        rates = recall(values[0], Rates) or Rates(first, first)
        signs: list[Sign] = []
        for step, mine in sorted(self._by_step(events).items()):
            if step < rates.step and not self._goes_back(rates, step, len(mine)):
                continue
            self._go_on(rates, step)
            signs += self._signs(rates, mine)
            rates.count += len(mine)
        write = Write(msgspec.msgpack.encode(rates), 60 * 86_400)
        return Step([write], [Group(self.window, entity, signs)] if signs else [])

    def _by_step(self, events: Sequence[Event]) -> dict[int, list[Event]]:
        found: dict[int, list[Event]] = {}
        for event in events:
            found.setdefault(event.time // self._step_us, []).append(event)
        return found

    def _goes_back(self, rates: Rates, step: int, count: int) -> bool:
        """Go back to an earlier step, if nothing but such events has come for long."""
        rates.astray += count
        if rates.astray < MAX_ASTRAY:
            return False
        rates.first_step -= rates.step - step
        rates.step, rates.count, rates.astray = step, 0, 0
        return True

    def _go_on(self, rates: Rates, step: int) -> None:
        """Learn the steps up to this one, the empty ones, too, unless the source was away."""
        rates.astray = 0
        if step == rates.step:
            return
        slot = self._slot(rates.step)
        is_odd = self._is_judged(rates) and rates.count > self._limit(rates, slot)
        rates.learn(slot, sum(rates.expected(slot)) if is_odd else rates.count)
        if (step - rates.step) * self._chosen.step_seconds <= AWAY_SECONDS:
            for empty in range(rates.step + 1, step):
                rates.learn(self._slot(empty), 0)
        rates.step, rates.count = step, 0

    def _signs(self, rates: Rates, events: Sequence[Event]) -> list[Sign]:
        """Make a sign of the event with which the step becomes too much, and of each with which that has doubled.

        `events` are new ones of the current step.
        """
        slot = self._slot(rates.step)
        bound = floor(self._limit(rates, slot)) + 1
        signs: list[Sign] = []
        while self._is_judged(rates) and bound <= rates.count + len(events):
            if bound > rates.count:
                event = events[bound - rates.count - 1]
                signs.append(Sign(event.time, event.id, note=self._note(rates, slot, bound)))
            bound *= 2
        return signs

    def _note(self, rates: Rates, slot: int, count: int) -> str:
        mean, deviation = rates.expected(slot)
        facts = {
            "count": count,
            "expected": round(mean, 1),
            "deviation": round(deviation, 1),
            "limit": round(self._limit(rates, slot), 1),
            "hour": slot % 24,
            "step_seconds": self._chosen.step_seconds,
        }
        return note(facts)

    def _is_judged(self, rates: Rates) -> bool:
        return (rates.step - rates.first_step) * self._chosen.step_seconds >= self._chosen.learn_seconds

    def _limit(self, rates: Rates, slot: int) -> float:
        mean, deviation = rates.expected(slot)
        chosen = self._chosen
        return max(chosen.factor * mean, mean + chosen.deviations * deviation, chosen.min_count)

    def _slot(self, step: int) -> int:
        local = self._hours.at(step * self._step_us)
        return local.hour + 24 * local.is_weekend
