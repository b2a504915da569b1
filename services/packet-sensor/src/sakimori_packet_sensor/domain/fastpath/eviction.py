"""Room in a full table.

Flows that TCP is done with go first, the oldest of them; they are only reported earlier. Then attempts that nobody
answered, the oldest first, since a flood consists of nothing else: they are folded, one report for all of one
destination. Only then flows that are alive: the one that was quiet for longest among SAMPLE neighbours.
"""

from typing import Final

import numpy as np

from sakimori_packet_sensor.compiled import called
from sakimori_packet_sensor.domain.fastpath.arrays import Int, Record
from sakimori_packet_sensor.domain.fastpath.flows import end, measure, release
from sakimori_packet_sensor.domain.fastpath.index import hashed
from sakimori_packet_sensor.domain.fastpath.layout import Ending, SlotState
from sakimori_packet_sensor.domain.fastpath.memory import FOLDS, REGISTERS, flows, folded, free_slots, sketch

SAMPLE: Final = 16
_PROBES: Final = 8
_OVER: Final = np.int64(Ending.OVER.value)
_EVICTED: Final = np.int64(Ending.EVICTED.value)
_FREE: Final = np.int64(SlotState.FREE.value)


@called
def make_room(m: Record) -> None:
    """End one flow."""
    slot = m.closing.first
    if slot >= 0:
        end(m, slot, _OVER)
        return
    m.evicted += 1
    slot = m.attempts.first
    if slot >= 0:
        _fold(m, slot)
        measure(m, slot)  # an unanswered ping has payload
        release(m, slot)
        free_slots(m)[m.free] = slot
        m.free += 1
        return
    end(m, _quietest(m), _EVICTED)


@called
def _quietest(m: Record) -> Int:
    slots = m.slots
    hand = m.hand
    chosen = -1
    seen = 0
    while seen < SAMPLE or chosen < 0:
        if flows(m)[hand].state != _FREE and (chosen < 0 or flows(m)[hand].last < flows(m)[chosen].last):
            chosen = hand
        hand = hand + 1 if hand + 1 < slots else 0
        seen += 1
    m.hand = hand
    return chosen


@called
def _fold(m: Record, slot: Int) -> None:
    """Add an attempt to those of the same destination."""
    f = flows(m)[slot]
    m.folded += 1
    place = _place(m, slot)
    entry = folded(m)[place]
    if entry.count == 0:
        entry.first = f.start
        entry.last = f.last
        entry.number = f.number
        entry.protocol = f.protocol
        entry.vlan = f.vlan
        entry.source_port = f.source_port
        entry.destination_port = f.destination_port if place else -1
        entry.version = f.version if place else 0
        for byte in range(16):
            entry.source[byte] = f.source[byte]
            entry.destination[byte] = f.destination[byte] if place else 0
        for byte in range(6):
            entry.source_mac[byte] = f.source_mac[byte]
            entry.destination_mac[byte] = f.destination_mac[byte]
    entry.count += 1
    entry.packets += f.packets[0] + f.packets[1]
    entry.bytes += f.bytes[0] + f.bytes[1]
    entry.flags |= f.flags[0] | f.flags[1]
    entry.first = min(entry.first, f.start)
    entry.last = max(entry.last, f.last)
    _count_source(m, slot, place)


@called
def _place(m: Record, slot: Int) -> Int:
    """Find the entry of a flow's destination; 0, that of the others, when there is none left near its hash."""
    f = flows(m)[slot]
    key = f.key
    high, low = (key[0], key[1]) if f.turned else (key[2], key[3])
    nothing = np.uint64(0)
    rest = np.uint64(((np.int64(f.destination_port) + 1) << 16) | (np.int64(f.protocol) << 8) | np.int64(f.version))
    home = np.int64(hashed(m, high, low, nothing, nothing, rest) & np.uint64(FOLDS - 1))
    for step in range(_PROBES):
        place = (home + step) & (FOLDS - 1)
        entry = folded(m)[place]
        if place == 0:
            continue
        if entry.count == 0:
            return place
        if entry.destination_port != f.destination_port or entry.protocol != f.protocol or entry.version != f.version:
            continue
        is_same = True
        for byte in range(16):
            is_same = is_same and entry.destination[byte] == f.destination[byte]
        if is_same:
            return place
    return 0


@called
def _count_source(m: Record, slot: Int, place: Int) -> None:
    """Enter a source into the sketch of its destination (Flajolet and others, "HyperLogLog", 2007)."""
    f = flows(m)[slot]
    key = f.key
    high, low = (key[2], key[3]) if f.turned else (key[0], key[1])
    nothing = np.uint64(0)
    value = hashed(m, high, low, nothing, nothing, nothing)
    register = np.int64(value & np.uint64(REGISTERS - 1))
    value >>= np.uint64(8)
    rank = 1
    while value & np.uint64(1) == np.uint64(0) and rank < 57:
        value >>= np.uint64(1)
        rank += 1
    sketch(m, place)[register] = max(sketch(m, place)[register], rank)
