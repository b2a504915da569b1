"""What several analytics ask of an event: its local hour, whether it is one they are meant for, whose it is."""

from collections.abc import Mapping, Sequence
from datetime import datetime, tzinfo
from typing import Final, NamedTuple
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

from sakimori_common.contracts import Event, FieldValue
from sakimori_common.instants import LATEST
from sakimori_detector.domain.analytics.contract import AnalyticError
from sakimori_detector.sigma.events import elements, key_of
from sakimori_detector.sigma.windows import microseconds

Wanted = str | int | list[str | int]
"""A value, or several of which one must be there."""

_QUARTER: Final = microseconds(900)
_LAST_QUARTER: Final = (LATEST - microseconds(86_400)) // _QUARTER
"""Later ones may be in a year that no zone knows."""
_REMEMBERED_QUARTERS: Final = 10_000
_FRIDAY: Final = 5


class Local(NamedTuple):
    """An hour of local time: `day` counts days (0001-01-01 is 1), `hour` is 0 to 23."""

    day: int
    hour: int
    is_weekend: bool


class LocalHours:
    """Tells local hours. Offsets from UTC are whole quarters of an hour, so each quarter is asked of the zone once."""

    def __init__(self, zone: tzinfo) -> None:
        self._zone = zone
        self._known: dict[int, Local] = {}

    def at(self, time: int) -> Local:
        """Give the local hour of a time in microseconds; the last days of the year 9999 are one."""
        quarter = min(time // _QUARTER, _LAST_QUARTER)
        known = self._known.get(quarter)
        if known is None:
            if len(self._known) > _REMEMBERED_QUARTERS:
                self._known.clear()
            moment = datetime.fromtimestamp(quarter * 900, self._zone)
            known = Local(moment.toordinal(), moment.hour, moment.isoweekday() > _FRIDAY)
            self._known[quarter] = known
        return known

    def present(self, events: Sequence[Event]) -> set[int]:
        """List the local hours of a batch, some 0.1 us an event."""
        return {self.at(quarter * _QUARTER).hour for quarter in {event.time // _QUARTER for event in events}}


def zone_of(name: str | None, default: tzinfo) -> tzinfo:
    """Find a zone by the name that a rule gives. Raises AnalyticError."""
    if name is None:
        return default
    try:
        return ZoneInfo(name)
    except (ZoneInfoNotFoundError, ValueError, OSError):
        raise AnalyticError(f"{name!r} is no time zone; one is Asia/Tokyo") from None


class Where:
    """Field to value or values that an event must have, case folded; all of the fields."""

    def __init__(self, wanted: Mapping[str, Wanted]) -> None:
        self._wanted = {name: _folded(value) for name, value in wanted.items()}

    def holds(self, event: Event) -> bool:
        """Say whether an event has them."""
        if not self._wanted:
            return True
        return all(not values.isdisjoint(_folded(event.get(name))) for name, values in self._wanted.items())


def _folded(value: FieldValue | Wanted) -> frozenset[str]:
    return frozenset(key_of(item).casefold() for item in elements(value))  # type: ignore[arg-type]  # a list of less
