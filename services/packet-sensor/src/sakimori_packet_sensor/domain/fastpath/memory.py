"""The memory of the fast path: allocated once, by the limits, and not touched before it is needed.

Compiled functions take it as one record, MEMORY: a pointer. (Arrays cost seven words each, and reference counts, at
every call: a packet took 2 us.) What grows with the limits lies outside, behind the addresses in the record.
"""

from collections.abc import Iterator
from typing import Any, Final, NamedTuple

import numpy as np
from numba import types
from numba.extending import intrinsic
from numba.np.numpy_support import carray

from sakimori_common.instants import MICROSECONDS
from sakimori_packet_sensor.compiled import inlined
from sakimori_packet_sensor.domain.fastpath.arrays import Array, Int, Record
from sakimori_packet_sensor.domain.fastpath.header import HEADER
from sakimori_packet_sensor.domain.fastpath.layout import (
    FLOW,
    FOLDED,
    LINGER_SECONDS,
    MARK,
    SAMPLE_BYTES,
    Anomaly,
    Undecoded,
)
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

SEEN: Final = np.dtype([("hash", "i8"), ("time", "i8")])
"""Of a bounded set: what was seen, and when it was last."""
FRAGMENTED: Final = np.dtype(
    [
        ("hash", "i8"), ("time", "i8"),  # of addresses, protocol and identification; of the latest fragment
        ("source_port", "i8"), ("destination_port", "i8"), ("has_ports", "i8"),
        ("begin", "i8"), ("end", "i8"),  # of the latest fragment
        ("ranges", "i8"),  # how many of `range` are set
        ("range", "i8", (RANGES, 2)),  # what is there: begin, end
    ]
)  # fmt: skip
LINKS: Final = np.dtype(
    [
        ("due_next", "i4"), ("due_previous", "i4"),  # flows with a deadline; before the first: -1 - its second
        ("age_next", "i4"), ("age_previous", "i4"),  # flows that go first, -1 at the ends
    ]
)  # fmt: skip
"""The lists that a slot is in."""
LIST: Final = np.dtype([("first", "i8"), ("last", "i8")])

MEMORY: Final = np.dtype(
    [
        # Addresses, and what they lead to.
        ("flows_at", "i8"), ("histograms_at", "i8"), ("index_at", "i8"), ("links_at", "i8"), ("free_at", "i8"),
        ("pending_at", "i8"), ("ended_at", "i8"), ("ended_slots_at", "i8"), ("ended_why_at", "i8"), ("marks_at", "i8"),
        ("stations_at", "i8"), ("fragments_at", "i8"), ("shed_at", "i8"), ("folded_at", "i8"), ("sketches_at", "i8"),
        ("slots", "i8"), ("index_size", "i8"),
        # Limits, microseconds and flows.
        ("idle", "i8"), ("active", "i8"), ("linger", "i8"), ("limit", "i8"),
        # State.
        ("now", "i8"),  # time that never runs backwards, microseconds
        ("second", "i8"),  # up to which deadlines were looked at
        ("live", "i8"), ("free", "i8"), ("pending", "i8"), ("ended", "i8"), ("marked", "i8"),  # how many
        ("hand", "i8"),  # slot at which the next search for a quiet flow begins
        ("finishing", "i8"),  # slot at which finish() goes on
        ("is_shedding", "i8"),
        ("attempts", LIST), ("closing", LIST),  # the flows that go first when there are too many, by age
        # Counts: see FastCounts.
        ("packets", "i8"), ("bytes", "i8"), ("started", "i8"), ("evicted", "i8"), ("folded", "i8"),
        ("shed_flows", "i8"), ("shed_packets", "i8"), ("stations_unmarked", "i8"),
        ("undecoded", "i8", len(Undecoded)), ("anomalies", "i8", len(Anomaly)),
        # Marks in this second by reason, then of stations.
        ("budget_second", "i8"), ("budget", "i8", len(Anomaly) + 1),
        ("secrets", "u8", 12),  # keys of the hashes
        ("wheel", "i4", WHEEL),  # the first flow with a deadline in each second, -1 for none
        ("entropy_terms", "f8", SAMPLE_BYTES + 1),  # n log2 n
    ]
)  # fmt: skip


class Memory(NamedTuple):
    """The record, and the arrays whose addresses are in it, kept alive beside it."""

    record: Array  # MEMORY, one
    header: Array  # HEADER, two: the packet's, and scratch
    flows: Array  # FLOW by slot
    histograms: Array  # uint16 (slots, 2, 256): payload bytes of each side by value, zeros where there were none
    index: Array  # uint64: 32 bits of hash, slot + 1; open addressing, at most half full
    links: Array  # LINKS by slot
    free: Array  # int32: slots without a flow
    pending: Array  # int32: slots of ended flows that were not taken yet
    ended: Array  # FLOW: copies
    ended_slots: Array  # int32
    ended_why: Array  # uint8: Ending
    marks: Array  # MARK
    stations: Array  # SEEN
    fragments: Array  # FRAGMENTED
    shed: Array  # SEEN
    folded: Array  # FOLDED
    sketches: Array  # uint8 (FOLDS, REGISTERS)


def allocate(limits: FlowLimits, seed: int) -> Memory:
    """Make the memory for at most `limits.flows` flows at a time."""
    flows = max(limits.flows, 1)
    slots = flows + min(max(flows // 4, 64), 16_384)  # those beyond hold flows that ended and were not taken yet
    memory = Memory(
        record=np.zeros(1, MEMORY),
        header=np.zeros(2, HEADER),
        flows=_aligned(slots),
        histograms=np.zeros((slots, 2, 256), np.uint16),
        index=np.zeros(1 << (2 * flows).bit_length(), np.uint64),
        links=np.full(slots, -1, np.int32).repeat(4).view(LINKS),
        free=np.arange(slots - 1, -1, -1, dtype=np.int32),
        pending=np.zeros(slots, np.int32),
        ended=np.zeros(slots, FLOW),
        ended_slots=np.zeros(slots, np.int32),
        ended_why=np.zeros(slots, np.uint8),
        marks=np.zeros(MARKS, MARK),
        stations=np.zeros(STATIONS, SEEN),
        fragments=np.zeros(FRAGMENTS, FRAGMENTED),
        shed=np.zeros(SHED, SEEN),
        folded=np.zeros(FOLDS, FOLDED),
        sketches=np.zeros((FOLDS, REGISTERS), np.uint8),
    )
    _set_up(memory, limits, seed)
    return memory


def _set_up(memory: Memory, limits: FlowLimits, seed: int) -> None:
    record = memory.record[0]
    for name, array in memory._asdict().items():
        if f"{name}_at" in record.dtype.names:
            record[f"{name}_at"] = array.ctypes.data
    record["slots"], record["index_size"] = len(memory.flows), len(memory.index)
    record["idle"] = limits.idle_seconds * MICROSECONDS
    record["active"] = limits.active_seconds * MICROSECONDS
    record["linger"] = LINGER_SECONDS * MICROSECONDS
    record["limit"] = max(limits.flows, 1)
    record["free"] = len(memory.flows)
    for name in ("attempts", "closing"):
        record[name]["first"] = record[name]["last"] = -1
    record["wheel"] = -1
    record["secrets"] = np.fromiter(_secrets(seed, 12), np.uint64, 12)
    counts = np.arange(SAMPLE_BYTES + 1, dtype=np.float64)
    record["entropy_terms"] = counts * np.log2(np.maximum(counts, 1))


def _aligned(slots: int) -> Array:
    """Allocate flows at the beginning of cache lines (64 bytes)."""
    memory = np.zeros(slots * FLOW.itemsize + 64, np.uint8)
    first = -memory.ctypes.data % 64
    return memory[first : first + slots * FLOW.itemsize].view(FLOW)


def _secrets(seed: int, count: int) -> Iterator[int]:
    """Stretch a seed to odd 64-bit numbers (SplitMix64; Steele, Lea and Flood, OOPSLA 2014)."""
    bits = (1 << 64) - 1
    for place in range(1, count + 1):
        word = (seed + place * 0x9E3779B97F4A7C15) & bits
        word = (word ^ word >> 30) * 0xBF58476D1CE4E5B9 & bits
        word = (word ^ word >> 27) * 0x94D049BB133111EB & bits
        yield (word ^ word >> 31) | 1


def _typed(_: Any, address: Any) -> Any:
    """Make a pointer of an address: its type, and how the instruction is made."""

    def generate(context: Any, builder: Any, signature: Any, arguments: Any) -> Any:
        return builder.inttoptr(arguments[0], context.get_value_type(signature.return_type))

    return types.voidptr(address), generate


_pointer: Final[Any] = intrinsic(_typed)


@inlined
def flows(m: Record) -> Array:
    """FLOW by slot."""
    return carray(_pointer(m.flows_at), (m.slots,), FLOW)


@inlined
def flow_words(m: Record, slot: Int) -> Array:
    """One flow as words of 64 bits."""
    return carray(_pointer(m.flows_at + slot * _FLOW_BYTES), (_FLOW_WORDS,), np.uint64)


@inlined
def histogram(m: Record, slot: Int, side: Int) -> Array:
    """Payload bytes of one side by value."""
    return carray(_pointer(m.histograms_at + (slot * 2 + side) * 512), (256,), np.uint16)


@inlined
def index_of(m: Record) -> Array:
    """Hash and slot."""
    return carray(_pointer(m.index_at), (m.index_size,), np.uint64)


@inlined
def links(m: Record) -> Array:
    """LINKS by slot."""
    return carray(_pointer(m.links_at), (m.slots,), LINKS)


@inlined
def free_slots(m: Record) -> Array:
    """Stack of slots without a flow."""
    return carray(_pointer(m.free_at), (m.slots,), np.int32)


@inlined
def pending_slots(m: Record) -> Array:
    """Slots of ended flows that were not taken yet."""
    return carray(_pointer(m.pending_at), (m.slots,), np.int32)


@inlined
def ended_flows(m: Record) -> Array:
    """FLOW: copies of those that ended."""
    return carray(_pointer(m.ended_at), (m.slots,), FLOW)


@inlined
def ended_slots(m: Record) -> Array:
    """Where those that ended were."""
    return carray(_pointer(m.ended_slots_at), (m.slots,), np.int32)


@inlined
def ended_why(m: Record) -> Array:
    """Ending of those that ended."""
    return carray(_pointer(m.ended_why_at), (m.slots,), np.uint8)


@inlined
def marks(m: Record) -> Array:
    """MARK."""
    return carray(_pointer(m.marks_at), (MARKS,), MARK)


@inlined
def stations(m: Record) -> Array:
    """SEEN: hashes of MAC addresses, alone and with a private IP address."""
    return carray(_pointer(m.stations_at), (STATIONS,), SEEN)


@inlined
def fragments(m: Record) -> Array:
    """FRAGMENTED."""
    return carray(_pointer(m.fragments_at), (FRAGMENTS,), FRAGMENTED)


@inlined
def shed(m: Record) -> Array:
    """SEEN: hashes of flows that were left out."""
    return carray(_pointer(m.shed_at), (SHED,), SEEN)


@inlined
def folded(m: Record) -> Array:
    """FOLDED."""
    return carray(_pointer(m.folded_at), (FOLDS,), FOLDED)


@inlined
def sketch(m: Record, place: Int) -> Array:
    """HyperLogLog registers of one entry of `folded`."""
    return carray(_pointer(m.sketches_at + place * REGISTERS), (REGISTERS,), np.uint8)


_FLOW_BYTES: Final = FLOW.itemsize
_FLOW_WORDS: Final = FLOW.itemsize // 8
