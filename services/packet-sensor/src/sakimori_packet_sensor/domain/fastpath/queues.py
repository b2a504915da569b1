"""Lists of slots through `State.links`: deadlines by the second, and by age the flows that go first."""

import numpy as np

from sakimori_packet_sensor.compiled import compiled
from sakimori_packet_sensor.domain.fastpath import state as st
from sakimori_packet_sensor.domain.fastpath.arrays import Int
from sakimori_packet_sensor.domain.fastpath.state import State

SECOND: int = 1_000_000


@compiled
def set_deadline(s: State, slot: Int, second: Int, earliest: Int, latest: Int) -> None:
    """Have a slot looked at in the given second, kept between `earliest` and `latest`."""
    place = np.int64(min(max(second, earliest), latest) % st.WHEEL)
    first = s.wheel[place]
    s.links[slot, st.DUE_NEXT] = first
    s.links[slot, st.DUE_PREVIOUS] = -1 - place
    if first >= 0:
        s.links[first, st.DUE_PREVIOUS] = slot
    s.wheel[place] = slot


@compiled
def drop_deadline(s: State, slot: Int) -> None:
    """Take a slot out of the wheel."""
    following, previous = s.links[slot, st.DUE_NEXT], s.links[slot, st.DUE_PREVIOUS]
    if following >= 0:
        s.links[following, st.DUE_PREVIOUS] = previous
    if previous >= 0:
        s.links[previous, st.DUE_NEXT] = following
    else:
        s.wheel[-1 - previous] = following


@compiled
def append(s: State, first: Int, slot: Int) -> None:
    """Put a slot at the end of one of the lists by age; `first` is ATTEMPTS_FIRST or CLOSING_FIRST."""
    last = s.reg[first + 1]
    s.links[slot, st.AGE_NEXT] = -1
    s.links[slot, st.AGE_PREVIOUS] = last
    if last >= 0:
        s.links[last, st.AGE_NEXT] = slot
    else:
        s.reg[first] = slot
    s.reg[first + 1] = slot


@compiled
def unlink(s: State, first: Int, slot: Int) -> None:
    """Take a slot out of the list by age that it is in."""
    following, previous = s.links[slot, st.AGE_NEXT], s.links[slot, st.AGE_PREVIOUS]
    if following >= 0:
        s.links[following, st.AGE_PREVIOUS] = previous
    else:
        s.reg[first + 1] = previous
    if previous >= 0:
        s.links[previous, st.AGE_NEXT] = following
    else:
        s.reg[first] = following
