"""Fragments of larger packets: only the first has the ports, and none may overlap another.

A row of `State.fragments`: hash of addresses, protocol and identification; time of the latest fragment, microseconds;
both ports; begin and end of the latest fragment; number of ranges; whether the ports are known.
"""

from typing import Final

import numpy as np

from sakimori_packet_sensor.compiled import compiled
from sakimori_packet_sensor.domain.fastpath import header as h
from sakimori_packet_sensor.domain.fastpath import state as st
from sakimori_packet_sensor.domain.fastpath.arrays import Array, Int
from sakimori_packet_sensor.domain.fastpath.bounded_sets import place_of
from sakimori_packet_sensor.domain.fastpath.index import hashed
from sakimori_packet_sensor.domain.fastpath.layout import Anomaly
from sakimori_packet_sensor.domain.fastpath.reading import be32, be64
from sakimori_packet_sensor.domain.fastpath.state import State

LIFETIME: Final = 30_000_000
"""Microseconds after which an identification may name another packet."""
_OVERLAP: Final = Anomaly.FRAGMENT_OVERLAP.value


@compiled
def place_fragment(s: State, data: Array, head: Array) -> None:
    """Fill in the ports of a fragment, as far as its first is known, and look whether it overlaps another."""
    place = _recall(s, data, head)
    row = s.fragments[place]
    row[1] = s.reg[st.NOW]
    if head[h.FRAGMENT] == h.FIRST_FRAGMENT:
        row[2], row[3], row[7] = head[h.SOURCE_PORT], head[h.DESTINATION_PORT], 1
    elif row[7]:
        head[h.SOURCE_PORT], head[h.DESTINATION_PORT] = row[2], row[3]
    begin, end = head[h.FRAGMENT_AT], head[h.FRAGMENT_AT] + head[h.FRAGMENT_BYTES]
    is_repeated = row[6] > 0 and row[4] == begin and row[5] == end  # as a mirrored port shows it twice
    row[4], row[5] = begin, end
    if not is_repeated and end > begin and _is_overlap(row, s.ranges[place], begin, end):
        head[h.ANOMALY] = head[h.ANOMALY] or _OVERLAP


@compiled
def _recall(s: State, data: Array, head: Array) -> Int:
    one_at, other_at = head[h.SOURCE_AT], head[h.DESTINATION_AT]
    if head[h.VERSION] == 4:
        a, b, c, d = np.uint64(0), np.uint64(be32(data, one_at)), np.uint64(0), np.uint64(be32(data, other_at))
    else:
        a, b = be64(data, one_at), be64(data, one_at + 8)
        c, d = be64(data, other_at), be64(data, other_at + 8)
    rest = np.uint64((head[h.FRAGMENT_ID] << 16) | (head[h.PROTOCOL] << 8) | head[h.VERSION])
    wanted = np.int64(hashed(s, a, b, c, d, rest)) | 1
    place = place_of(s.fragments, wanted)
    row = s.fragments[place]
    if row[0] != wanted or s.reg[st.NOW] - row[1] > LIFETIME:
        row[:] = 0
        row[0] = wanted
    return place


@compiled
def _is_overlap(row: Array, ranges: Array, begin: Int, end: Int) -> bool:
    """Look for bytes that were there before, and add the range to those known."""
    count = row[6]
    kept = 0
    is_overlap = False
    for place in range(count):
        low, high = ranges[place, 0], ranges[place, 1]
        if begin < high and low < end:
            is_overlap = True
        if begin <= high and low <= end:  # they touch: one range from now on
            begin, end = min(begin, low), max(end, high)
        else:
            ranges[kept, 0], ranges[kept, 1] = low, high
            kept += 1
    if kept < st.RANGES:
        ranges[kept, 0], ranges[kept, 1] = begin, end
        kept += 1
    row[6] = kept
    return is_overlap
