"""The life of one flow in its slot."""

from typing import Final

import numpy as np

from sakimori_packet_sensor.compiled import compiled
from sakimori_packet_sensor.domain.fastpath import header as h
from sakimori_packet_sensor.domain.fastpath import state as st
from sakimori_packet_sensor.domain.fastpath.arrays import Array, Int
from sakimori_packet_sensor.domain.fastpath.index import insert, remove
from sakimori_packet_sensor.domain.fastpath.layout import HEAD_BYTES, LARGE_BYTES, SAMPLE_BYTES, SIZES, SMALL_BYTES, SlotState
from sakimori_packet_sensor.domain.fastpath.queues import SECOND, append, drop_deadline, set_deadline, unlink
from sakimori_packet_sensor.domain.fastpath.state import State

FIN: Final = 0x01
SYN: Final = 0x02
RST: Final = 0x04
ACK: Final = 0x10
_FREE: Final = SlotState.FREE.value
_ATTEMPT: Final = SlotState.ATTEMPT.value
_OPEN: Final = SlotState.OPEN.value
_CLOSING: Final = SlotState.CLOSING.value


@compiled
def begin(
    s: State, data: Array, head: Array, a: Int, b: Int, c: Int, d: Int, rest: Int, value: Int, is_turned: Int, time: Int
) -> Int:
    """Open a flow with its first packet, not counted yet, and return its slot.

    A flow that begins with SYN and ACK is an answer whose question was not captured: its source is the other side.
    """
    s.reg[st.FREE] -= 1
    slot = np.int64(s.free[s.reg[st.FREE]])
    s.reg[st.LIVE] += 1
    s.reg[st.STARTED] += 1
    s.raw[slot, :] = 0
    f = s.table[slot]
    key = f.key
    key[0], key[1], key[2], key[3], key[4] = a, b, c, d, rest
    is_answer = head[h.FLAGS] & (SYN | ACK) == (SYN | ACK)
    f.turned = is_turned ^ np.int64(is_answer)
    f.state = _ATTEMPT
    f.protocol = head[h.PROTOCOL]
    f.version = head[h.VERSION]
    f.opening_flags = head[h.FLAGS]
    f.tunnel = head[h.TUNNEL]
    f.vlan = head[h.VLAN]
    f.start = time
    f.last = time
    f.number = s.reg[st.PACKETS]
    f.entropy[0] = -1.0
    f.entropy[1] = -1.0
    _copy_ends(f, data, head, is_answer)
    insert(s, value, slot)
    append(s, st.ATTEMPTS_FIRST, slot)
    second = s.reg[st.SECOND]
    set_deadline(s, slot, (time + s.reg[st.IDLE]) // SECOND + 1, second + 1, second + st.WHEEL - 1)
    return slot


@compiled
def _copy_ends(f: Array, data: Array, head: Array, is_answer: Int) -> None:
    source, destination = head[h.SOURCE_AT], head[h.DESTINATION_AT]
    source_port, destination_port = head[h.SOURCE_PORT], head[h.DESTINATION_PORT]
    source_mac, destination_mac = head[h.SOURCE_MAC_AT], head[h.MACS_AT]
    if is_answer:
        source, destination = destination, source
        source_port, destination_port = destination_port, source_port
        source_mac, destination_mac = destination_mac, source_mac
    f.source_port = source_port
    f.destination_port = destination_port
    for byte in range(4 if head[h.VERSION] == 4 else 16):
        f.source[byte] = data[source + byte]
        f.destination[byte] = data[destination + byte]
    if source_mac >= 0:
        for byte in range(6):
            f.source_mac[byte] = data[source_mac + byte]
    if destination_mac >= 0:
        for byte in range(6):
            f.destination_mac[byte] = data[destination_mac + byte]


@compiled
def begin_part(s: State, slot: Int, time: Int) -> None:
    """Begin the next part of a flow that is too long for one report: same sides, counters at zero."""
    f = s.table[slot]
    f.opening_flags = ACK
    f.start = time
    f.last = time
    f.number = s.reg[st.PACKETS]
    for side in range(2):
        f.flags[side] = 0
        f.packets[side] = 0
        f.bytes[side] = 0
        f.payload_bytes[side] = 0
        f.head_bytes[side] = 0
        f.head[side, :] = 0
        f.sampled[side] = 0
        f.entropy[side] = -1.0
    f.gap_sum = 0.0
    f.gap_squares = 0.0
    f.small_packets = 0
    f.large_packets = 0
    f.sizes[:] = 0


@compiled
def count(s: State, slot: Int, side: Int, data: Array, head: Array, time: Int) -> None:
    """Count a packet to its flow."""
    f = s.table[slot]
    ip_bytes = head[h.IP_BYTES]
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
    f.flags[side] |= head[h.FLAGS]
    gap = time - f.last
    if gap > 0:
        seconds = np.float64(gap)
        f.gap_sum += seconds
        f.gap_squares += seconds * seconds
        f.last = time
    if head[h.PAYLOAD_WIRE]:
        f.payload_bytes[side] += head[h.PAYLOAD_WIRE]
        _sample(s, slot, side, data, head)
    if f.state == _ATTEMPT and _is_more_than_an_attempt(f, head):
        f.state = _OPEN
        unlink(s, st.ATTEMPTS_FIRST, slot)
    if head[h.FLAGS] & (FIN | RST) and f.state != _CLOSING and f.protocol == 6 and is_over(f):
        _close(s, slot)


@compiled
def _is_more_than_an_attempt(f: Array, head: Array) -> bool:
    protocol = f.protocol
    has_payload = head[h.PAYLOAD_WIRE] > 0 and (protocol == 6 or protocol == 17 or protocol == 132)
    return has_payload or (f.packets[0] > 0 and f.packets[1] > 0)


@compiled
def is_over(f: Array) -> bool:
    """Whether TCP is done with it: FIN from both sides, or RST."""
    return bool(f.flags[0] & f.flags[1] & FIN) or bool((f.flags[0] | f.flags[1]) & RST)


@compiled
def _close(s: State, slot: Int) -> None:
    f = s.table[slot]
    if f.state == _ATTEMPT:
        unlink(s, st.ATTEMPTS_FIRST, slot)
    f.state = _CLOSING
    append(s, st.CLOSING_FIRST, slot)
    drop_deadline(s, slot)
    second = s.reg[st.SECOND]
    set_deadline(s, slot, (f.last + s.reg[st.LINGER]) // SECOND + 1, second + 1, second + st.WHEEL - 1)


@compiled
def _sample(s: State, slot: Int, side: Int, data: Array, head: Array) -> None:
    """Keep the first payload bytes and count them by value."""
    f = s.table[slot]
    at, length = head[h.PAYLOAD_AT], head[h.PAYLOAD_BYTES]
    kept = np.int64(f.head_bytes[side])
    if kept < HEAD_BYTES and (kept == 0 or f.protocol == 6):
        more = min(length, HEAD_BYTES - kept)
        for byte in range(more):
            f.head[side, kept + byte] = data[at + byte]
        f.head_bytes[side] = kept + more
    sampled = np.int64(f.sampled[side])
    more = min(length, SAMPLE_BYTES - sampled)
    if more > 0:
        bins = s.histogram[slot, side]
        for place in range(at, at + more):
            bins[data[place]] += 1
        f.sampled[side] = sampled + more


@compiled
def measure(s: State, slot: Int) -> None:
    """Work out the entropy of both sides' payload, and leave the histogram as it was found: zeros."""
    f = s.table[slot]
    for side in range(2):
        sampled = np.int64(f.sampled[side])
        if sampled:
            bins = s.histogram[slot, side]
            total = 0.0
            for value in range(256):
                total += s.entropy_terms[bins[value]]
            bins[:] = 0
            f.entropy[side] = (s.entropy_terms[sampled] - total) / sampled


@compiled
def report(s: State, slot: Int, why: Int) -> None:
    """Copy a flow, or a part of one, to those that ended."""
    measure(s, slot)
    place = s.reg[st.ENDED]
    s.ended[place] = s.table[slot]
    s.ended_slot[place] = slot
    s.ended_why[place] = why
    s.reg[st.ENDED] = place + 1


@compiled
def release(s: State, slot: Int) -> None:
    """Take a flow out of everything that leads to its slot."""
    f = s.table[slot]
    if f.state == _ATTEMPT:
        unlink(s, st.ATTEMPTS_FIRST, slot)
    elif f.state == _CLOSING:
        unlink(s, st.CLOSING_FIRST, slot)
    drop_deadline(s, slot)
    remove(s, slot)
    f.state = _FREE
    s.reg[st.LIVE] -= 1


@compiled
def end(s: State, slot: Int, why: Int) -> None:
    """End a flow: it is reported, and its slot is free once that was taken."""
    report(s, slot, why)
    release(s, slot)
    s.pending[s.reg[st.PENDING]] = slot
    s.reg[st.PENDING] += 1
