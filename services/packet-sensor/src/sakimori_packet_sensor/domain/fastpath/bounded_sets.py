"""Sets of hashes with the time they were last seen, of fixed size: the oldest of WAYS gives way."""

from typing import Final

from sakimori_packet_sensor.compiled import inlined
from sakimori_packet_sensor.domain.fastpath.arrays import Array, Int

WAYS: Final = 4
"""Places that an entry may take."""


@inlined
def place_of(entries: Array, wanted: Int) -> Int:
    """Find the record whose `hash` is `wanted` (not 0), else the one that may be overwritten for it."""
    group = (wanted & (len(entries) // WAYS - 1)) * WAYS
    oldest = group
    for place in range(group, group + WAYS):
        if entries[place].hash == wanted:
            return place
        if entries[place].time < entries[oldest].time:
            oldest = place
    return oldest
