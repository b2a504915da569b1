"""Events whose clock is wrong: what is far in the future counts as of now, what is late is told of."""

from collections.abc import Sequence
from typing import Final, NamedTuple

from sakimori_common.contracts import Event
from sakimori_common.instants import format_instant
from sakimori_detector.sigma.windows import microseconds

TOLERANCE: Final = microseconds(300)
"""How far ahead a clock may be. Farther, and one event would settle the windows of its key against all honest ones."""
CLAIMED_FIELD: Final = "sakimori.time.claimed"
"""What the event said, where it is counted at another time."""


class Timely(NamedTuple):
    """Events to evaluate, how many came from the future, and how many later than the lateness."""

    events: Sequence[Event]
    ahead: int
    late: int


def timely(events: Sequence[Event], now: int, lateness: int) -> Timely:
    """Set events from the future to `now` and mark them; count those that windows may have passed. In microseconds."""
    latest, earliest = now + TOLERANCE, now - lateness
    late = sum(event.time < earliest for event in events)
    ahead = sum(event.time > latest for event in events)
    if not ahead:
        return Timely(events, 0, late)
    return Timely([event if event.time <= latest else _at(event, now) for event in events], ahead, late)


def _at(event: Event, now: int) -> Event:
    return Event(event.id, now, event.dataset, {**event.fields, CLAIMED_FIELD: format_instant(event.time)})
