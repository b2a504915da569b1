"""Lists of slots: deadlines by the second, and by age the flows that go first."""

from typing import Final

import numpy as np

from sakimori_packet_sensor.compiled import inlined
from sakimori_packet_sensor.domain.fastpath.arrays import Int, Record
from sakimori_packet_sensor.domain.fastpath.memory import WHEEL, links

SECOND: Final = 1_000_000


@inlined
def set_deadline(m: Record, slot: Int, second: Int, earliest: Int, latest: Int) -> None:
    """Have a slot looked at in the given second, kept between `earliest` and `latest`."""
    place = np.int64(min(max(second, earliest), latest) % WHEEL)
    first = m.wheel[place]
    link = links(m)[slot]
    link.due_next = first
    link.due_previous = -1 - place
    if first >= 0:
        links(m)[first].due_previous = slot
    m.wheel[place] = slot


@inlined
def drop_deadline(m: Record, slot: Int) -> None:
    """Take a slot out of the wheel."""
    following, previous = links(m)[slot].due_next, links(m)[slot].due_previous
    if following >= 0:
        links(m)[following].due_previous = previous
    if previous >= 0:
        links(m)[previous].due_next = following
    else:
        m.wheel[-1 - previous] = following


@inlined
def append(m: Record, queue: Record, slot: Int) -> None:
    """Put a slot at the end of one of the lists by age."""
    last = queue.last
    links(m)[slot].age_next = -1
    links(m)[slot].age_previous = last
    if last >= 0:
        links(m)[last].age_next = slot
    else:
        queue.first = slot
    queue.last = slot


@inlined
def unlink(m: Record, queue: Record, slot: Int) -> None:
    """Take a slot out of the list by age that it is in."""
    following, previous = links(m)[slot].age_next, links(m)[slot].age_previous
    if following >= 0:
        links(m)[following].age_previous = previous
    else:
        queue.last = previous
    if previous >= 0:
        links(m)[previous].age_next = following
    else:
        queue.first = following
