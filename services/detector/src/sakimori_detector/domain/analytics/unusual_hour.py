"""Access at an unusual hour (S1-29, X-07): once per entity and night, whatever follows."""

from collections.abc import Sequence
from datetime import datetime
from typing import Annotated, Final

import msgspec

from sakimori_common.contracts import Event, FieldValue
from sakimori_detector.domain.analytics.contract import AnalyticError, World, note, parameters
from sakimori_detector.domain.folds import Fold
from sakimori_detector.domain.rules import AnalyticRule
from sakimori_detector.sigma.events import elements, key_of
from sakimori_detector.sigma.windows import Group, Sign, Window, microseconds

Hour = Annotated[int, msgspec.Meta(ge=0, le=23)]


_QUARTER: Final = microseconds(900)
_REMEMBERED_QUARTERS: Final = 10_000


class Parameters(msgspec.Struct, forbid_unknown_fields=True, frozen=True):
    """Hours of local time, both included: 2 to 5 is 02:00:00 to 05:59:59. 22 to 6 goes over midnight.

    `where`: field to value or values that an event must have, case folded; all of them.
    """

    from_hour: Hour = 2
    to_hour: Hour = 5
    where: dict[str, str | int | list[str | int]] = {}


class UnusualHour:
    """One sign for each event of the night; the window lasts as long as the night, so one finding takes in all."""

    def __init__(self, rule: AnalyticRule, world: World) -> None:
        chosen = parameters(rule, Parameters)
        span = (chosen.to_hour - chosen.from_hour) % 24 + 1
        if span == 24:
            raise AnalyticError("analytic unusual_hour: all 24 hours cannot be unusual")
        self._hours = frozenset((chosen.from_hour + hour) % 24 for hour in range(span))
        self._zone = world.zone
        self._known: dict[int, int] = {}
        self._entity = rule.entity
        self._where = {name: _folded(value) for name, value in chosen.where.items()}
        self.window = Window(rule.id, 1, 0, microseconds(span * 3600))

    def observe(self, events: Sequence[Event]) -> tuple[list[Group], list[Fold]]:
        """See Analytic."""
        groups: list[Group] = []
        quarters = {event.time // _QUARTER for event in events}
        if self._hours.isdisjoint(map(self._hour, quarters)):
            return groups, []
        for event in events:
            hour = self._hour(event.time // _QUARTER)
            if hour not in self._hours:
                continue
            entity = event.get(self._entity)
            if entity is not None and self._is_meant(event):
                sign = Sign(event.time, event.id, note=note({"hour": hour}))
                groups.append(Group(self.window, key_of(entity), [sign]))
        return groups, []

    def _hour(self, quarter: int) -> int:
        """Give the local hour of a quarter of an hour; offsets from UTC are whole quarters."""
        hour = self._known.get(quarter)
        if hour is None:
            if len(self._known) > _REMEMBERED_QUARTERS:
                self._known.clear()
            hour = self._known[quarter] = datetime.fromtimestamp(quarter * 900, self._zone).hour
        return hour

    def _is_meant(self, event: Event) -> bool:
        return all(not values.isdisjoint(_folded(event.get(name))) for name, values in self._where.items())


def _folded(value: FieldValue | list[str | int]) -> frozenset[str]:
    return frozenset(key_of(item).casefold() for item in elements(value))  # type: ignore[arg-type]  # a list of less
