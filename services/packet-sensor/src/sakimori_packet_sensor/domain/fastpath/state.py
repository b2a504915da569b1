"""The memory of the fast path: allocated once, by the limits, and not touched before it is needed."""

from collections.abc import Iterator
from typing import Final, NamedTuple

import numpy as np

from sakimori_packet_sensor.domain.fastpath import header
from sakimori_packet_sensor.domain.fastpath.arrays import Array
from sakimori_packet_sensor.domain.fastpath.layout import FLOW, FOLDED, MARK, SAMPLE_BYTES, Anomaly, Undecoded
from sakimori_packet_sensor.domain.fastpath.limits import FlowLimits

MARKS: Final = 4096
"""Packets marked in one call at most, so that what decoders want of a flow is known soon."""
WHEEL: Final = 1024
"""Seconds that deadlines are kept apart; later ones are looked at again after so long."""
STATIONS: Final = 1 << 15
FRAGMENTS: Final = 4096
"""Fragmented packets that are remembered; the rest of a packet follows within milliseconds."""
RANGES: Final = 8
"""Gaps that a fragmented packet may have before overlaps go unseen."""
SHED: Final = 1 << 16
FOLDS: Final = 512
"""Destinations whose attempts are told apart between two calls of take_folded; the first entry is for the others."""
REGISTERS: Final = 256
"""Of a HyperLogLog sketch: 6.5 % standard error."""
WAYS: Final = 4
"""Places that an entry of a bounded set may take; the oldest there gives way."""

# Places in `State.reg`.
NOW: Final = 0  # time that never runs backwards, microseconds
SECOND: Final = 1  # up to which deadlines were looked at
LIVE: Final = 2  # flows in the table
FREE: Final = 3  # entries of `free`
PENDING: Final = 4  # entries of `pending`
ENDED: Final = 5
MARKED: Final = 6
LIMIT: Final = 7  # flows
IDLE: Final = 8  # microseconds
ACTIVE: Final = 9
LINGER: Final = 10
HAND: Final = 11  # slot at which the next search for a quiet flow begins
PACKETS: Final = 12
BYTES: Final = 13
STARTED: Final = 14
EVICTED: Final = 15
SHED_FLOWS: Final = 16
SHED_PACKETS: Final = 17
IS_SHEDDING: Final = 18
FOLDED_FLOWS: Final = 19
FOLDED_ENTRIES: Final = 20
BUDGET_SECOND: Final = 21  # of `budget`
STATIONS_UNMARKED: Final = 22
ATTEMPTS_FIRST: Final = 23  # the flows that go first when there are too many: lists by age
ATTEMPTS_LAST: Final = 24
CLOSING_FIRST: Final = 25
CLOSING_LAST: Final = 26
FINISHING: Final = 27  # slot at which finish() goes on
REGISTERS_USED: Final = 28

# Columns of `State.links`: the list of flows with a deadline, and the list of those that go first.
DUE_NEXT: Final = 0
DUE_PREVIOUS: Final = 1  # of the first: -1 minus the place in the wheel
AGE_NEXT: Final = 2
AGE_PREVIOUS: Final = 3

_U64: Final = (1 << 64) - 1


class State(NamedTuple):
    """All arrays of one fast path, as the compiled functions take them."""

    table: Array  # FLOW by slot
    raw: Array  # uint8 (slots, size of FLOW): the same memory
    histogram: Array  # uint16 (slots, 2, 256): payload bytes of each side by value, zeros where there were none
    index: Array  # uint64: 32 bits of hash, slot + 1; open addressing, at most half full
    links: Array  # int32 (slots, 4)
    free: Array  # int32: slots without a flow
    pending: Array  # int32: slots of ended flows that were not taken yet
    wheel: Array  # int32: the first flow with a deadline in each second, -1 for none
    ended: Array  # FLOW: copies
    ended_slot: Array  # int32
    ended_why: Array  # uint8
    marks: Array  # MARK
    stations: Array  # int64 (STATIONS, 2): hash of an address, when it was marked
    fragments: Array  # int64 (FRAGMENTS, 8): see fragments.py
    ranges: Array  # int64 (FRAGMENTS, RANGES, 2)
    shed: Array  # int64 (SHED, 2): hash of a flow, when it had its latest packet
    folded: Array  # FOLDED
    sketches: Array  # uint8 (FOLDS, REGISTERS)
    reg: Array  # int64: see the names above
    undecoded: Array  # int64 by Undecoded
    anomalies: Array  # int64 by Anomaly
    budget: Array  # int64 by Anomaly, then stations: marks in this second
    secrets: Array  # uint64: keys of the hashes
    head: Array  # int64: see header.py
    outer: Array  # int64: scratch
    entropy_terms: Array  # float64: n log2 n


def allocate(limits: FlowLimits, seed: int) -> State:
    """Make the memory for at most `limits.flows` flows at a time."""
    flows = max(limits.flows, 1)
    slots = flows + min(max(flows // 4, 64), 16_384)  # those beyond hold flows that ended and were not taken yet
    table = np.zeros(slots, FLOW)
    state = State(
        table=table,
        raw=table.view(np.uint8).reshape(slots, FLOW.itemsize),
        histogram=np.zeros((slots, 2, 256), np.uint16),
        index=np.zeros(1 << (2 * flows).bit_length(), np.uint64),
        links=np.full((slots, 4), -1, np.int32),
        free=np.arange(slots - 1, -1, -1, dtype=np.int32),
        pending=np.zeros(slots, np.int32),
        wheel=np.full(WHEEL, -1, np.int32),
        ended=np.zeros(slots, FLOW),
        ended_slot=np.zeros(slots, np.int32),
        ended_why=np.zeros(slots, np.uint8),
        marks=np.zeros(MARKS, MARK),
        stations=np.zeros((STATIONS, 2), np.int64),
        fragments=np.zeros((FRAGMENTS, 8), np.int64),
        ranges=np.zeros((FRAGMENTS, RANGES, 2), np.int64),
        shed=np.zeros((SHED, 2), np.int64),
        folded=np.zeros(FOLDS, FOLDED),
        sketches=np.zeros((FOLDS, REGISTERS), np.uint8),
        reg=np.zeros(REGISTERS_USED, np.int64),
        undecoded=np.zeros(len(Undecoded), np.int64),
        anomalies=np.zeros(len(Anomaly), np.int64),
        budget=np.zeros(len(Anomaly) + 1, np.int64),
        secrets=np.fromiter(_secrets(seed, 12), np.uint64, 12),
        head=np.zeros(header.FIELDS, np.int64),
        outer=np.zeros(header.FIELDS, np.int64),
        entropy_terms=_entropy_terms(),
    )
    state.reg[[FREE, LIMIT]] = slots, flows
    state.reg[[ATTEMPTS_FIRST, ATTEMPTS_LAST, CLOSING_FIRST, CLOSING_LAST]] = -1
    return state


def _secrets(seed: int, count: int) -> Iterator[int]:
    """Stretch a seed to odd 64-bit numbers (SplitMix64; Steele, Lea and Flood, OOPSLA 2014)."""
    for place in range(1, count + 1):
        word = (seed + place * 0x9E3779B97F4A7C15) & _U64
        word = (word ^ word >> 30) * 0xBF58476D1CE4E5B9 & _U64
        word = (word ^ word >> 27) * 0x94D049BB133111EB & _U64
        yield (word ^ word >> 31) | 1


def _entropy_terms() -> Array:
    counts = np.arange(SAMPLE_BYTES + 1, dtype=np.float64)
    counts[0] = 1
    terms = counts * np.log2(counts)
    terms[0] = 0
    return terms
