"""Access at an unusual hour (S1-29, X-07): once per entity and night, whatever follows.

Presets of the projects that this brings together: 2 to 5 (logins, bots), 22 to 6 (devices).
"""

from collections.abc import Sequence
from typing import Annotated

import msgspec

from sakimori_common.contracts import Event
from sakimori_detector.domain.analytics.asked import LocalHours, Wanted, Where, zone_of
from sakimori_detector.domain.analytics.contract import AnalyticError, World, note, parameters
from sakimori_detector.domain.folds import Fold
from sakimori_detector.domain.rules import AnalyticRule
from sakimori_detector.sigma.events import key_of
from sakimori_detector.sigma.windows import Group, Sign, Window, microseconds

Hour = Annotated[int, msgspec.Meta(ge=0, le=23)]


class Parameters(msgspec.Struct, forbid_unknown_fields=True, frozen=True):
    """Hours of local time, both included: 2 to 5 is 02:00:00 to 05:59:59. 22 to 6 goes over midnight.

    `where`: see Where. `time_zone`: the zone of the hours where it is not that of the service.
    """

    from_hour: Hour = 2
    to_hour: Hour = 5
    where: dict[str, Wanted] = {}
    time_zone: str | None = None


class UnusualHour:
    """One sign for each event of the night; the window lasts as long as the night, so one finding takes in all."""

    def __init__(self, rule: AnalyticRule, world: World) -> None:
        chosen = parameters(rule, Parameters)
        span = (chosen.to_hour - chosen.from_hour) % 24 + 1
        if span == 24:
            raise AnalyticError("analytic unusual_hour: all 24 hours cannot be unusual")
        self._unusual = frozenset((chosen.from_hour + hour) % 24 for hour in range(span))
        self._hours = LocalHours(zone_of(chosen.time_zone, world.zone))
        self._entity = rule.entity
        self._where = Where(chosen.where)
        self.window = Window(rule.id, 1, 0, microseconds(span * 3600))

    def observe(self, events: Sequence[Event]) -> tuple[list[Group], list[Fold]]:
        """See Analytic."""
        groups: list[Group] = []
        if self._unusual.isdisjoint(self._hours.present(events)):
            return groups, []
        for event in events:
            hour = self._hours.at(event.time).hour
            if hour not in self._unusual:
                continue
            entity = event.get(self._entity)
            if entity is not None and self._where.holds(event):
                sign = Sign(event.time, event.id, note=note({"hour": hour}))
                groups.append(Group(self.window, key_of(entity), [sign]))
        return groups, []
