"""Activity at an hour that the entity's own past does not know (X-07, S1-31, S2-35): once per entity and night.

Of each entity a baseline is learned: on how many days it was active at which local hour, weekdays and weekends apart,
old days fading. An hour is out of character when it, and the hours beside it, were active on less than `max_share` of
the days of that kind, and there is enough to go by: `min_days` since the first event, `min_hours` active hours.

How often something happens within an hour says nothing here, so a day counts once an hour. An hour that is out of
character is learned by a quarter only, or whoever came every night would make it usual within two. What else is new
about the event (`novel`: fields such as the country) is named as a further reason.

Memory: a key for each entity, `detector:baseline:<rule>:<entity>`, of 48 float32 and some 40 bytes, 0.3 KB, and 0.2 KB
for each field of `novel`. docs/reference/baselines.md describes it for those who read it.
"""

import struct
from collections.abc import Sequence
from functools import partial
from typing import Annotated, Any, Final

import msgspec

from sakimori_common.contracts import Event
from sakimori_detector.domain.analytics.asked import Local, LocalHours, Wanted, Where, zone_of
from sakimori_detector.domain.analytics.contract import World, note, parameters
from sakimori_detector.domain.folds import Fold, Step, Write, fold_over, key_of_memory, recall
from sakimori_detector.domain.rules import AnalyticRule
from sakimori_detector.sigma.events import key_of
from sakimori_detector.sigma.windows import Group, Sign, Window, microseconds

HOURS: Final = 24
LEARNED_OF_ODD: Final = 0.25
NIGHT_SECONDS: Final = 12 * 3600
ENOUGH_DAYS: Final = 4
MAX_ASTRAY: Final = 20
"""Events of days that are over, and none of the current one, before the current one is taken for a wrong clock."""
MAX_VALUES: Final = 8
MAX_VALUE_CHARACTERS: Final = 32
_SHARES: Final = struct.Struct(f"<{2 * HOURS}f")
Floats = Annotated[bytes, msgspec.Meta(min_length=8 * HOURS, max_length=8 * HOURS)]
Days = Annotated[float, msgspec.Meta(gt=0, le=366)]


class Parameters(msgspec.Struct, forbid_unknown_fields=True, frozen=True, kw_only=True):
    """How much past there must be, how rare is too rare, and after how many days half of a day is forgotten."""

    min_days: Annotated[int, msgspec.Meta(ge=1, le=366)] = 14
    min_hours: Annotated[int, msgspec.Meta(ge=1, le=10_000)] = 30
    max_share: Annotated[float, msgspec.Meta(ge=0, lt=1)] = 0.05
    half_life_days: Days = 30
    where: dict[str, Wanted] = {}
    novel: Annotated[tuple[str, ...], msgspec.Meta(max_length=4)] = ()
    time_zone: str | None = None


class Baseline(msgspec.Struct, array_like=True):
    """What is known of an entity; docs/reference/baselines.md. Days are local days, 0001-01-01 is 1.

    `active`: 48 float32, little endian: days on which each hour was active, weekdays first, as of `day`. `days`: the
    days of either kind that had any activity. `marked`: one bit for each hour of `day` that has been counted.
    """

    first_day: int
    day: int
    marked: int = 0
    hours: int = 0
    days: tuple[float, float] = (0.0, 0.0)
    active: Floats = _SHARES.pack(*[0.0] * (2 * HOURS))
    values: dict[str, list[str]] = {}
    astray: int = 0

    def go_to(self, day: int, half_life_days: float) -> bool:
        """Go on to a day, or back to one if nothing but such events has come for long; says whether it is there."""
        self.astray = self.astray + 1 if day < self.day else 0
        if day < self.day and self.astray < MAX_ASTRAY:
            return False
        if day != self.day:
            self._fade(day, half_life_days)
        self.first_day, self.astray = min(self.first_day, day), 0
        return True

    def _fade(self, to_day: int, half_life_days: float) -> None:
        kept = 0.5 ** (max(0, to_day - self.day) / half_life_days)
        self.days = (self.days[0] * kept, self.days[1] * kept)
        self.active = _SHARES.pack(*(count * kept for count in _SHARES.unpack(self.active)))
        self.day, self.marked = to_day, 0

    def share(self, local: Local) -> float:
        """Tell on which share of its days of this kind the entity was active at this hour or one beside it."""
        counts, days = self.of_kind(local.is_weekend)
        near = sum(counts[(local.hour + step) % HOURS] for step in (-1, 0, 1))
        return min(1.0, near / days) if days >= 1 else 1.0

    def of_kind(self, is_weekend: bool) -> tuple[list[float], float]:
        """Give 24 counts and the days of one kind; of both while of this one there are too few to tell."""
        counts = list(_SHARES.unpack(self.active))
        weekdays, weekends = counts[:HOURS], counts[HOURS:]
        if self.days[is_weekend] < ENOUGH_DAYS:
            return [sum(both) for both in zip(weekdays, weekends, strict=True)], sum(self.days)
        return (weekends if is_weekend else weekdays), self.days[is_weekend]

    def learn(self, local: Local, weight: float) -> None:
        """Count an hour of `day`, once."""
        if not self.marked:
            weekdays, weekends = self.days
            self.days = (weekdays, weekends + 1) if local.is_weekend else (weekdays + 1, weekends)
        counts = list(_SHARES.unpack(self.active))
        counts[HOURS * local.is_weekend + local.hour] += weight
        self.active = _SHARES.pack(*counts)
        self.marked |= 1 << local.hour
        self.hours += 1


class OwnHours:
    """Learns hours by entity."""

    def __init__(self, rule: AnalyticRule, world: World) -> None:
        self._chosen = parameters(rule, Parameters)
        self._hours = LocalHours(zone_of(self._chosen.time_zone, world.zone))
        self._where = Where(self._chosen.where)
        self._entity = rule.entity
        self._ttl_seconds = round(max(4 * self._chosen.half_life_days, 2.0 * self._chosen.min_days) * 86_400)
        self.window = Window(rule.id, 1, 0, microseconds(NIGHT_SECONDS))

    def observe(self, events: Sequence[Event]) -> tuple[list[Group], list[Fold]]:
        """See Analytic."""
        by_entity: dict[str, list[Event]] = {}
        for event in events:
            entity = event.get(self._entity)
            if entity is not None and self._where.holds(event):
                by_entity.setdefault(key_of(entity), []).append(event)
        return [], [
            fold_over(
                (event.time for event in mine),
                (key_of_memory("baseline", self.window.rule_id, entity),),
                partial(self._step, entity, mine),
            )
            for entity, mine in by_entity.items()
        ]

    def _step(self, entity: str, events: Sequence[Event], values: Sequence[bytes | None]) -> Step:
        first = self._hours.at(events[0].time).day
        baseline = recall(values[0], Baseline) or Baseline(first, first)
        signs = [sign for event in events if (sign := self._look(baseline, event)) is not None]
        write = Write(msgspec.msgpack.encode(baseline), self._ttl_seconds)
        return Step([write], [Group(self.window, entity, signs)] if signs else [])

    def _look(self, baseline: Baseline, event: Event) -> Sign | None:
        """Judge an event by what was there before it, then learn it. What is older than the latest day is left out."""
        local = self._hours.at(event.time)
        if not baseline.go_to(local.day, self._chosen.half_life_days):
            return None
        novel = self._novel(baseline, event)
        facts = self._odd(baseline, local)
        if not baseline.marked >> local.hour & 1:
            baseline.learn(local, LEARNED_OF_ODD if facts else 1.0)
        return Sign(event.time, event.id, note=note({**facts, "reasons": _reasons(facts, novel)})) if facts else None

    def _odd(self, baseline: Baseline, local: Local) -> dict[str, Any]:
        chosen, share = self._chosen, baseline.share(local)
        age = local.day - baseline.first_day
        if age < chosen.min_days or baseline.hours < chosen.min_hours or share >= chosen.max_share:
            return {}
        return {
            "hour": local.hour,
            "share": round(share, 4),
            "usual_hours": _usual(baseline, local.is_weekend, chosen.max_share),
            "days": round(sum(baseline.days)),
            "kind_of_day": "weekend" if local.is_weekend else "weekday",
        }

    def _novel(self, baseline: Baseline, event: Event) -> list[str]:
        """Note the values of the fields that may be new; gives those that are, once any was known."""
        found = []
        for name in self._chosen.novel:
            value = key_of(event.get(name))[:MAX_VALUE_CHARACTERS]
            known = baseline.values.setdefault(name, [])
            if value and value not in known:
                found += [f"{name} {value} is new"] if known else []
                known.append(value)
                del known[:-MAX_VALUES]
        return found


def _reasons(facts: dict[str, Any], novel: list[str]) -> str:
    if not facts:
        return ""
    hour = (
        f"active at {facts['hour']:02}h on {facts['share']:.0%} of its {facts['kind_of_day']}s,"
        f" else at {facts['usual_hours']}, over {facts['days']} days"
    )
    return "; ".join([hour, *novel])


def _usual(baseline: Baseline, is_weekend: bool, max_share: float) -> str:
    """Write the hours that are usual, such as `08-17h`; `-` if there are none."""
    counts, days = baseline.of_kind(is_weekend)
    spans: list[list[int]] = []
    for hour in (hour for hour in range(HOURS) if counts[hour] >= max_share * days):
        if spans and spans[-1][1] == hour - 1:
            spans[-1][1] = hour
        else:
            spans.append([hour, hour])
    return ", ".join(f"{first:02}h" if first == last else f"{first:02}-{last:02}h" for first, last in spans) or "-"
