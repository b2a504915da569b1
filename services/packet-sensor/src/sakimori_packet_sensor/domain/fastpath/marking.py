"""Marks: the packets that somebody should look at."""

# ruff: noqa: PLR0917  # compiled functions take words, by position

from typing import Final

import numpy as np

from sakimori_packet_sensor.compiled import called, inlined
from sakimori_packet_sensor.domain.fastpath.arrays import Array, Int, Record
from sakimori_packet_sensor.domain.fastpath.bounded_sets import place_of
from sakimori_packet_sensor.domain.fastpath.copying import clear
from sakimori_packet_sensor.domain.fastpath.index import hashed
from sakimori_packet_sensor.domain.fastpath.layout import Anomaly, Kind
from sakimori_packet_sensor.domain.fastpath.memory import marks, stations
from sakimori_packet_sensor.domain.fastpath.reading import be16, be32, be64

ANOMALIES_A_SECOND: Final = np.int64(32)
"""Marks of one reason; the rest is counted."""
STATIONS_A_SECOND: Final = np.int64(512)
"""Marks of new stations: a flood of invented addresses must not reach further than here."""
STATION_REPEATS: Final = 3_600_000_000
"""Microseconds after which a station is marked again."""
_STATIONS: Final = np.int64(len(Anomaly))  # place of their budget, behind those of the anomalies

_NEW_STATION: Final = np.int64(Kind.NEW_STATION.value)
_ANOMALY: Final = np.int64(Kind.ANOMALY.value)


@inlined
def mark(m: Record, kind: Int, index: Int, time: Int, at: Int, length: Int) -> Int:
    """Begin a mark and return its place."""
    place = m.marked
    m.marked = place + 1
    entry = marks(m)[place]
    entry.number = m.packets
    entry.time = time
    entry.payload_at = at
    entry.payload_bytes = length
    entry.index = index
    entry.flow = -1
    entry.offset = 0
    entry.missing = 0
    entry.kind = kind
    entry.side = 0
    entry.flags = 0
    entry.reason = 0
    entry.version = 0
    return place


@inlined
def add_link(m: Record, place: Int, data: Array, head: Record) -> None:
    """Note VLAN and source MAC address in a mark."""
    entry = marks(m)[place]
    entry.vlan = head.vlan
    at = head.source_mac_at
    for byte in range(6):
        entry.mac[byte] = data[at + byte] if at >= 0 else 0


@called
def _add_address(m: Record, place: Int, data: Array, head: Record) -> None:
    entry = marks(m)[place]
    entry.version = head.version
    clear(entry.address)
    if head.version:
        for byte in range(4 if head.version == 4 else 16):
            entry.address[byte] = data[head.source_at + byte]


@called
def _is_within_budget(m: Record, place: Int, limit: Int) -> bool:
    second = m.now // 1_000_000
    if second != m.budget_second:
        m.budget_second = second
        clear(m.budget)
    m.budget[place] += 1
    return bool(m.budget[place] <= limit)


@called
def mark_anomaly(m: Record, index: Int, time: Int, data: Array, end: Int, head: Record) -> None:
    """Count a header that is wrong, and mark it while there are not too many."""
    reason = head.anomaly
    m.anomalies[reason] += 1
    if _is_within_budget(m, reason, ANOMALIES_A_SECOND):
        place = mark(m, _ANOMALY, index, time, head.frame_at, end - head.frame_at)
        marks(m)[place].reason = reason
        add_link(m, place, data, head)
        _add_address(m, place, data, head)


@called
def is_private(data: Array, at: Int, version: Int) -> bool:
    """Whether an address is used on this link and not beyond the next router: as Python's `ipaddress` has it, without
    the blocks that nobody has (RFC 1918, RFC 3927, RFC 4193, RFC 4291; RFC 5737 and RFC 3849 for examples)."""
    word = be32(data, at)
    if version == 4:
        if data[at] == 10 or word >> 20 == 0xAC1 or word >> 16 == 0xC0A8 or word >> 16 == 0xA9FE:
            return True
        return bool(word >> 8 == 0xC00002 or word >> 8 == 0xC63364 or word >> 8 == 0xCB0071)
    return bool(word >> 25 == 0x7E or word >> 22 == 0x3FA or word == 0x20010DB8)


@called
def sight(m: Record, index: Int, time: Int, data: Array, end: Int, head: Record) -> None:
    """Mark the packet if its source MAC address, or that with its private IP address, was not seen within an hour."""
    at = head.source_mac_at
    if at < 0 or data[at] & 1:
        return
    mac = np.uint64((be16(data, at) << 32) | be32(data, at + 2))
    if mac == np.uint64(0):
        return
    nothing = np.uint64(0)
    is_new = _is_unseen(m, np.int64(hashed(m, nothing, nothing, nothing, mac, nothing)))
    has_address = False
    version, source = head.version, head.source_at
    if version and head.tunnel == 0 and is_private(data, source, version):
        has_address = True
        if version == 4:
            high, low = nothing, np.uint64(be32(data, source))
        else:
            high, low = be64(data, source), be64(data, source + 8)
        pair = hashed(m, high, low, nothing, mac, np.uint64(version))
        is_new = _is_unseen(m, np.int64(pair)) or is_new
    if not is_new:
        return
    if not _is_within_budget(m, _STATIONS, STATIONS_A_SECOND):
        m.stations_unmarked += 1
        return
    place = mark(m, _NEW_STATION, index, time, head.frame_at, end - head.frame_at)
    add_link(m, place, data, head)
    if has_address:
        _add_address(m, place, data, head)


@called
def _is_unseen(m: Record, value: Int) -> bool:
    """Enter a hash into the set of stations unless it was there within the hour."""
    wanted = value | 1
    now = m.now
    row = stations(m)[place_of(stations(m), wanted)]
    if row.hash == wanted and now - row.time < STATION_REPEATS:
        return False
    row.hash = wanted
    row.time = now
    return True
