"""Marks: the packets that somebody should look at."""

from typing import Final

import numpy as np

from sakimori_packet_sensor.compiled import compiled
from sakimori_packet_sensor.domain.fastpath import header as h
from sakimori_packet_sensor.domain.fastpath import state as st
from sakimori_packet_sensor.domain.fastpath.arrays import Array, Int
from sakimori_packet_sensor.domain.fastpath.bounded_sets import place_of
from sakimori_packet_sensor.domain.fastpath.index import hashed
from sakimori_packet_sensor.domain.fastpath.layout import Anomaly, Kind
from sakimori_packet_sensor.domain.fastpath.reading import be16, be32, be64
from sakimori_packet_sensor.domain.fastpath.state import State

ANOMALIES_A_SECOND: Final = 32
"""Marks of one reason; the rest is counted."""
STATIONS_A_SECOND: Final = 512
"""Marks of new stations: a flood of invented addresses must not reach further than here."""
STATION_REPEATS: Final = 3_600_000_000
"""Microseconds after which a station is marked again."""
_STATIONS: Final = len(Anomaly)  # place of their budget, behind those of the anomalies

_NEW_STATION: Final = Kind.NEW_STATION.value
_ANOMALY: Final = Kind.ANOMALY.value


@compiled
def mark(s: State, kind: Int, index: Int, time: Int, at: Int, length: Int) -> Int:
    """Begin a mark and return its place."""
    place = s.reg[st.MARKED]
    s.reg[st.MARKED] = place + 1
    m = s.marks[place]
    m.number = s.reg[st.PACKETS]
    m.time = time
    m.payload_at = at
    m.payload_bytes = length
    m.index = index
    m.flow = -1
    m.offset = 0
    m.missing = 0
    m.kind = kind
    m.side = 0
    m.flags = 0
    m.reason = 0
    m.version = 0
    return place


@compiled
def add_link(s: State, place: Int, data: Array, head: Array) -> None:
    """Note VLAN and source MAC address in a mark."""
    m = s.marks[place]
    m.vlan = head[h.VLAN]
    at = head[h.SOURCE_MAC_AT]
    for byte in range(6):
        m.mac[byte] = data[at + byte] if at >= 0 else 0


@compiled
def _add_address(s: State, place: Int, data: Array, head: Array) -> None:
    m = s.marks[place]
    m.version = head[h.VERSION]
    m.address[:] = 0
    if head[h.VERSION]:
        for byte in range(4 if head[h.VERSION] == 4 else 16):
            m.address[byte] = data[head[h.SOURCE_AT] + byte]


@compiled
def _is_within_budget(s: State, place: Int, limit: Int) -> bool:
    second = s.reg[st.NOW] // 1_000_000
    if second != s.reg[st.BUDGET_SECOND]:
        s.reg[st.BUDGET_SECOND] = second
        s.budget[:] = 0
    s.budget[place] += 1
    return s.budget[place] <= limit


@compiled
def mark_anomaly(s: State, index: Int, time: Int, data: Array, end: Int, head: Array) -> None:
    """Count a header that is wrong, and mark it while there are not too many."""
    reason = head[h.ANOMALY]
    s.anomalies[reason] += 1
    if _is_within_budget(s, reason, ANOMALIES_A_SECOND):
        place = mark(s, _ANOMALY, index, time, head[h.FRAME_AT], end - head[h.FRAME_AT])
        s.marks[place].reason = reason
        add_link(s, place, data, head)
        _add_address(s, place, data, head)


@compiled
def is_private(data: Array, at: Int, version: Int) -> bool:
    """Whether an address is used on this link and not beyond the next router: as Python's `ipaddress` has it, without
    the blocks that nobody has (RFC 1918, RFC 3927, RFC 4193, RFC 4291; RFC 5737 and RFC 3849 for examples)."""
    if version == 4:
        low = be32(data, at)
        return (
            data[at] == 10
            or low >> 20 == 0xAC1
            or low >> 16 in (0xC0A8, 0xA9FE)
            or low >> 8 in (0xC00002, 0xC63364, 0xCB0071)
        )
    return data[at] & 0xFE == 0xFC or be16(data, at) & 0xFFC0 == 0xFE80 or be32(data, at) == 0x20010DB8


@compiled
def sight(s: State, index: Int, time: Int, data: Array, end: Int, head: Array) -> None:
    """Mark the packet if its source MAC address, or that with its private IP address, was not seen within an hour."""
    at = head[h.SOURCE_MAC_AT]
    if at < 0 or data[at] & 1:
        return
    mac = np.uint64((be16(data, at) << 32) | be32(data, at + 2))
    if mac == np.uint64(0):
        return
    nothing = np.uint64(0)
    is_new = _is_unseen(s, np.int64(hashed(s, nothing, nothing, nothing, mac, nothing)))
    has_address = False
    version, source = head[h.VERSION], head[h.SOURCE_AT]
    if version and head[h.TUNNEL] == 0 and is_private(data, source, version):
        has_address = True
        if version == 4:
            high, low = nothing, np.uint64(be32(data, source))
        else:
            high, low = be64(data, source), be64(data, source + 8)
        pair = hashed(s, high, low, nothing, mac, np.uint64(version))
        is_new = _is_unseen(s, np.int64(pair)) or is_new
    if not is_new:
        return
    if not _is_within_budget(s, _STATIONS, STATIONS_A_SECOND):
        s.reg[st.STATIONS_UNMARKED] += 1
        return
    place = mark(s, _NEW_STATION, index, time, head[h.FRAME_AT], end - head[h.FRAME_AT])
    add_link(s, place, data, head)
    if has_address:
        _add_address(s, place, data, head)


@compiled
def _is_unseen(s: State, value: Int) -> bool:
    """Enter a hash into the set of stations unless it was there within the hour."""
    wanted = value | 1
    now = s.reg[st.NOW]
    row = s.stations[place_of(s.stations, wanted)]
    if row[0] == wanted and now - row[1] < STATION_REPEATS:
        return False
    row[0], row[1] = wanted, now
    return True
