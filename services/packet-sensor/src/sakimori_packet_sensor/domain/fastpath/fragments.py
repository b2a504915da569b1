"""Fragments of larger packets: only the first has the ports, and none may overlap another."""

from typing import Final

import numpy as np

from sakimori_packet_sensor.compiled import called
from sakimori_packet_sensor.domain.fastpath import header as h
from sakimori_packet_sensor.domain.fastpath.arrays import Array, Int, Record
from sakimori_packet_sensor.domain.fastpath.bounded_sets import place_of
from sakimori_packet_sensor.domain.fastpath.index import hashed
from sakimori_packet_sensor.domain.fastpath.layout import Anomaly
from sakimori_packet_sensor.domain.fastpath.memory import RANGES, fragments
from sakimori_packet_sensor.domain.fastpath.reading import be32, be64

LIFETIME: Final = 30_000_000
"""Microseconds after which an identification may name another packet."""
_OVERLAP: Final = np.int64(Anomaly.FRAGMENT_OVERLAP.value)


@called
def place_fragment(m: Record, data: Array, head: Record) -> None:
    """Fill in the ports of a fragment, as far as its first is known, and look whether it overlaps another."""
    row = _recall(m, data, head)
    row.time = m.now
    if head.fragment == h.FIRST_FRAGMENT:
        row.source_port = head.source_port
        row.destination_port = head.destination_port
        row.has_ports = 1
    elif row.has_ports:
        head.source_port = row.source_port
        head.destination_port = row.destination_port
    begin, end = head.fragment_at, head.fragment_at + head.fragment_bytes
    is_repeated = row.ranges > 0 and row.begin == begin and row.end == end  # as a mirrored port shows it twice
    row.begin = begin
    row.end = end
    if not is_repeated and end > begin and _is_overlap(row, begin, end) and not head.anomaly:
        head.anomaly = _OVERLAP


@called
def _recall(m: Record, data: Array, head: Record) -> Record:
    one_at, other_at = head.source_at, head.destination_at
    if head.version == 4:
        a, b, c, d = np.uint64(0), np.uint64(be32(data, one_at)), np.uint64(0), np.uint64(be32(data, other_at))
    else:
        a, b = be64(data, one_at), be64(data, one_at + 8)
        c, d = be64(data, other_at), be64(data, other_at + 8)
    rest = np.uint64((head.fragment_id << 16) | (head.protocol << 8) | head.version)
    wanted = np.int64(hashed(m, a, b, c, d, rest)) | 1
    row = fragments(m)[place_of(fragments(m), wanted)]
    if row.hash != wanted or m.now - row.time > LIFETIME:
        row.hash = wanted
        row.has_ports = 0
        row.ranges = 0
    return row


@called
def _is_overlap(row: Record, begin: Int, end: Int) -> bool:
    """Look for bytes that were there before, and add the range to those known."""
    kept = 0
    is_overlap = False
    for place in range(row.ranges):
        low, high = row.range[place, 0], row.range[place, 1]
        if begin < high and low < end:
            is_overlap = True
        if begin <= high and low <= end:  # they touch: one range from now on
            begin, end = min(begin, low), max(end, high)
        else:
            row.range[kept, 0] = low
            row.range[kept, 1] = high
            kept += 1
    if kept < RANGES:
        row.range[kept, 0] = begin
        row.range[kept, 1] = end
        kept += 1
    row.ranges = kept
    return is_overlap
