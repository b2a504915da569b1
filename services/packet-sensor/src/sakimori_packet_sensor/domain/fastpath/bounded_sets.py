"""Sets of hashes with the time they were last seen, of fixed size: the oldest of WAYS gives way."""

from sakimori_packet_sensor.compiled import compiled
from sakimori_packet_sensor.domain.fastpath import state as st
from sakimori_packet_sensor.domain.fastpath.arrays import Array, Int


@compiled
def place_of(entries: Array, wanted: Int) -> Int:
    """Find the row whose first column is `wanted` (not 0), else the one that may be overwritten for it."""
    group = (wanted & (len(entries) // st.WAYS - 1)) * st.WAYS
    oldest = group
    for place in range(group, group + st.WAYS):
        if entries[place, 0] == wanted:
            return place
        if entries[place, 1] < entries[oldest, 1]:
            oldest = place
    return oldest
