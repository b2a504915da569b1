"""The life of one flow in its slot."""

# ruff: noqa: PLR0917  # compiled functions take words, by position

from typing import Final

import numpy as np

from sakimori_packet_sensor.compiled import called, inlined
from sakimori_packet_sensor.domain.fastpath.arrays import Array, Int, Record
from sakimori_packet_sensor.domain.fastpath.copying import clear
from sakimori_packet_sensor.domain.fastpath.index import insert, remove
from sakimori_packet_sensor.domain.fastpath.layout import (
    HEAD_BYTES,
    LARGE_BYTES,
    SAMPLE_BYTES,
    SIZES,
    SMALL_BYTES,
    SlotState,
)
from sakimori_packet_sensor.domain.fastpath.memory import (
    WHEEL,
    ended_flows,
    ended_slots,
    ended_why,
    flow_words,
    flows,
    free_slots,
    histogram,
    pending_slots,
)
from sakimori_packet_sensor.domain.fastpath.queues import SECOND, append, drop_deadline, set_deadline, unlink

FIN: Final = 0x01
SYN: Final = 0x02
RST: Final = 0x04
ACK: Final = 0x10
_FREE: Final = np.int64(SlotState.FREE.value)
_ATTEMPT: Final = np.int64(SlotState.ATTEMPT.value)
_OPEN: Final = np.int64(SlotState.OPEN.value)
_CLOSING: Final = np.int64(SlotState.CLOSING.value)


@called
def begin(
    m: Record,
    data: Array,
    head: Record,
    a: Int,
    b: Int,
    c: Int,
    d: Int,
    rest: Int,
    value: Int,
    is_turned: Int,
    time: Int,
) -> Int:
    """Open a flow with its first packet, not counted yet, and return its slot.

    A flow that begins with SYN and ACK is an answer whose question was not captured: its source is the other side.
    """
    m.free -= 1
    slot = np.int64(free_slots(m)[m.free])
    m.live += 1
    m.started += 1
    clear(flow_words(m, slot))
    f = flows(m)[slot]
    key = f.key
    key[0], key[1], key[2], key[3], key[4] = a, b, c, d, rest
    is_own = a == c and b == d and head.source_port == head.destination_port  # of one end to itself: no side to turn
    is_answer = head.flags & (SYN | ACK) == (SYN | ACK) and not is_own
    f.turned = is_turned ^ np.int64(is_answer)
    f.state = _ATTEMPT
    f.protocol = head.protocol
    f.version = head.version
    f.opening_flags = head.flags
    f.tunnel = head.tunnel
    f.vlan = head.vlan
    f.start = time
    f.last = time
    f.number = m.packets
    f.entropy[0] = -1.0
    f.entropy[1] = -1.0
    _copy_ends(f, data, head, is_answer)
    insert(m, value, slot)
    append(m, m.attempts, slot)
    second = m.second
    set_deadline(m, slot, (time + m.idle) // SECOND + 1, second + 1, second + WHEEL - 1)
    return slot


@inlined
def _copy_ends(f: Record, data: Array, head: Record, is_answer: Int) -> None:
    source, destination = head.source_at, head.destination_at
    source_port, destination_port = head.source_port, head.destination_port
    source_mac, destination_mac = head.source_mac_at, head.destination_mac_at
    if is_answer:
        source, destination = destination, source
        source_port, destination_port = destination_port, source_port
        source_mac, destination_mac = destination_mac, source_mac
    f.source_port = source_port
    f.destination_port = destination_port
    for byte in range(4 if head.version == 4 else 16):
        f.source[byte] = data[source + byte]
        f.destination[byte] = data[destination + byte]
    if source_mac >= 0:
        for byte in range(6):
            f.source_mac[byte] = data[source_mac + byte]
    if destination_mac >= 0:
        for byte in range(6):
            f.destination_mac[byte] = data[destination_mac + byte]


@called
def begin_part(m: Record, slot: Int, time: Int) -> None:
    """Begin the next part of a flow that is too long for one report: same sides, counters at zero."""
    f = flows(m)[slot]
    f.opening_flags = ACK
    f.start = time
    f.last = time
    f.number = m.packets
    for side in range(2):
        f.flags[side] = 0
        f.packets[side] = 0
        f.bytes[side] = 0
        f.payload_bytes[side] = 0
        f.head_bytes[side] = 0
        clear(f.head[side])
        f.sampled[side] = 0
        f.entropy[side] = -1.0
    f.gap_squares = 0.0
    f.small_packets = 0
    f.large_packets = 0
    clear(f.sizes)


@inlined
def count(m: Record, slot: Int, side: Int, data: Array, head: Record, time: Int) -> None:
    """Count a packet to its flow."""
    f = flows(m)[slot]
    ip_bytes = head.ip_bytes
    place = f.packets[0] + f.packets[1]
    if place < SIZES:
        size = min(ip_bytes, 32_767)
        f.sizes[place] = -size if side else size
    f.packets[side] += 1
    f.bytes[side] += ip_bytes
    if ip_bytes <= SMALL_BYTES:
        f.small_packets += 1
    elif ip_bytes >= LARGE_BYTES:
        f.large_packets += 1
    f.flags[side] |= head.flags
    gap = time - f.last
    if gap > 0:
        f.gap_squares += np.float64(gap) * np.float64(gap)
        f.last = time
    if head.payload_wire:
        f.payload_bytes[side] += head.payload_wire
        _sample(m, slot, side, data, head)
    if f.state == _ATTEMPT and _is_more_than_an_attempt(f, head):
        f.state = _OPEN
        unlink(m, m.attempts, slot)
    if head.flags & (FIN | RST) and f.state != _CLOSING and f.protocol == 6 and is_over(f):
        _close(m, slot)


@inlined
def _is_more_than_an_attempt(f: Record, head: Record) -> bool:
    if head.payload_wire > 0 and f.protocol in (6, 17, 132):
        return True
    return bool(f.packets[0] > 0 and f.packets[1] > 0)


@inlined
def is_over(f: Record) -> bool:
    """Whether TCP is done with it: FIN from both sides, or RST."""
    return bool(f.flags[0] & f.flags[1] & FIN) or bool((f.flags[0] | f.flags[1]) & RST)


@called
def _close(m: Record, slot: Int) -> None:
    f = flows(m)[slot]
    if f.state == _ATTEMPT:
        unlink(m, m.attempts, slot)
    f.state = _CLOSING
    append(m, m.closing, slot)
    drop_deadline(m, slot)
    second = m.second
    set_deadline(m, slot, (f.last + m.linger) // SECOND + 1, second + 1, second + WHEEL - 1)


@called
def _sample(m: Record, slot: Int, side: Int, data: Array, head: Record) -> None:
    """Keep the first payload bytes and count them by value."""
    f = flows(m)[slot]
    at, length = head.payload_at, head.payload_bytes
    kept = np.int64(f.head_bytes[side])
    if kept < HEAD_BYTES and (kept == 0 or f.protocol == 6):
        more = min(length, HEAD_BYTES - kept)
        for byte in range(more):
            f.head[side, kept + byte] = data[at + byte]
        f.head_bytes[side] = kept + more
    sampled = np.int64(f.sampled[side])
    more = min(length, SAMPLE_BYTES - sampled)
    if more > 0:
        bins = histogram(m, slot, side)
        for place in range(at, at + more):
            bins[data[place]] += 1
        f.sampled[side] = sampled + more


@called
def measure(m: Record, slot: Int) -> None:
    """Work out the entropy of both sides' payload, and leave the histogram as it was found: zeros."""
    f = flows(m)[slot]
    for side in range(2):
        sampled = np.int64(f.sampled[side])
        if sampled:
            bins = histogram(m, slot, side)
            total = 0.0
            for value in range(256):
                total += m.entropy_terms[bins[value]]
            clear(bins)
            f.entropy[side] = (m.entropy_terms[sampled] - total) / sampled


@called
def report(m: Record, slot: Int, why: Int) -> None:
    """Copy a flow, or a part of one, to those that ended."""
    measure(m, slot)
    f = flows(m)[slot]
    f.gap_sum = np.float64(f.last - f.start)
    place = m.ended
    ended_flows(m)[place] = flows(m)[slot]
    ended_slots(m)[place] = slot
    ended_why(m)[place] = why
    m.ended = place + 1


@called
def release(m: Record, slot: Int) -> None:
    """Take a flow out of everything that leads to its slot."""
    f = flows(m)[slot]
    if f.state == _ATTEMPT:
        unlink(m, m.attempts, slot)
    elif f.state == _CLOSING:
        unlink(m, m.closing, slot)
    drop_deadline(m, slot)
    remove(m, slot)
    f.state = _FREE
    m.live -= 1


@called
def end(m: Record, slot: Int, why: Int) -> None:
    """End a flow: it is reported, and its slot is free once that was taken."""
    report(m, slot, why)
    release(m, slot)
    pending_slots(m)[m.pending] = slot
    m.pending += 1
