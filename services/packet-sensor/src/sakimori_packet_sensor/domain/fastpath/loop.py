"""The loop over the packets of a block, and the passing of time."""

# ruff: noqa: PLR0917  # compiled functions take words, by position

from typing import Final

import numpy as np

from sakimori_packet_sensor.compiled import called, compiled, inlined
from sakimori_packet_sensor.domain.fastpath import header as h
from sakimori_packet_sensor.domain.fastpath.arrays import Array, Int, Record
from sakimori_packet_sensor.domain.fastpath.bounded_sets import place_of
from sakimori_packet_sensor.domain.fastpath.eviction import make_room
from sakimori_packet_sensor.domain.fastpath.flows import ACK, RST, SYN, begin, begin_part, count, end, report
from sakimori_packet_sensor.domain.fastpath.fragments import place_fragment
from sakimori_packet_sensor.domain.fastpath.index import both_ends, find, hashed
from sakimori_packet_sensor.domain.fastpath.layout import Ending, Kind, SlotState, Watch
from sakimori_packet_sensor.domain.fastpath.marking import add_link, mark, mark_anomaly, sight
from sakimori_packet_sensor.domain.fastpath.memory import MARKS, WHEEL, flows, free_slots, marks, pending_slots, shed
from sakimori_packet_sensor.domain.fastpath.network import read_frame
from sakimori_packet_sensor.domain.fastpath.queues import SECOND, drop_deadline, set_deadline

_LATEST: Final = 1 << 60
_MARKS_A_PACKET: Final = 4
_ENDINGS_A_PACKET: Final = 2
_FREE: Final = np.int64(SlotState.FREE.value)
_CLOSING: Final = np.int64(SlotState.CLOSING.value)
_OVER: Final = np.int64(Ending.OVER.value)
_IDLE: Final = np.int64(Ending.IDLE.value)
_ACTIVE: Final = np.int64(Ending.ACTIVE.value)
_FINISHED: Final = np.int64(Ending.FINISHED.value)
_PAYLOAD: Final = np.int64(Kind.PAYLOAD.value)
_ARP: Final = np.int64(Kind.ARP.value)
_NEIGHBOUR: Final = np.int64(Kind.NEIGHBOUR.value)
_ALL: Final = np.int64(Watch.ALL.value)
_BEYOND: Final = np.int64(Watch.BEYOND.value)
_WORD: Final = 0xFFFFFFFF


@compiled
def process(
    memory: Array, headers: Array, data: Array, at: Array, captured: Array, wire: Array, time: Array, link: Array,
    first: Int, clock: Int, is_last: Int,
) -> Int:  # fmt: skip
    """Handle packets from `first` on; returns the first one not handled, for want of room in an output table.

    After all packets let time pass until `clock`, and end all flows if `is_last`; -1 if there is no room for that. One
    function for all, because each that Python calls is compiled with everything below it.
    """
    m, head = memory[0], headers[0]
    _recycle(m)
    m.marked = 0
    count = len(at)
    for i in range(first, count):
        if m.marked + _MARKS_A_PACKET > MARKS or m.ended + _ENDINGS_A_PACKET > m.slots or m.free == 0:
            return i
        now = min(max(time[i], 0), _LATEST)
        m.now = max(m.now, now)
        if m.now // SECOND != m.second and not sweep(m):
            return i
        begin_at = min(max(at[i], 0), len(data))
        end_at = begin_at + min(max(np.int64(captured[i]), 0), len(data) - begin_at)
        wire_end = max(begin_at + np.int64(wire[i]), end_at)
        m.packets += 1
        m.bytes += wire_end - begin_at
        status = read_frame(data, begin_at, end_at, wire_end, link[i], headers)
        if status == h.IS_IP:
            if head.fragment != h.WHOLE:
                place_fragment(m, data, head)
            if head.anomaly:
                mark_anomaly(m, i, now, data, end_at, head)
            _handle_ip(m, i, data, end_at, head, now)
        else:
            _handle_other(m, i, data, end_at, head, now, status)
    return count if _pass_time(m, clock, is_last) else -1


@called
def _handle_other(m: Record, i: Int, data: Array, end_at: Int, head: Record, now: Int, status: Int) -> None:
    sight(m, i, now, data, end_at, head)
    if head.anomaly:
        mark_anomaly(m, i, now, data, end_at, head)
    if status == h.IS_ARP:
        place = mark(m, _ARP, i, now, head.payload_at, head.payload_bytes)
        add_link(m, place, data, head)
    else:
        m.undecoded[status] += 1


@called
def _recycle(m: Record) -> None:
    """Free the slots of flows that were taken; `ended` is emptied by whoever takes them."""
    if m.ended == 0:
        for place in range(m.pending):
            free_slots(m)[m.free] = pending_slots(m)[place]
            m.free += 1
        m.pending = 0


@inlined
def _handle_ip(m: Record, i: Int, data: Array, end_at: Int, head: Record, now: Int) -> None:
    a, b, c, d, rest, is_turned = both_ends(data, head)
    value = hashed(m, a, b, c, d, rest)
    slot = find(m, value, a, b, c, d, rest)
    if slot >= 0:
        slot = _continued(m, slot, head, now)
    if slot < 0:
        if (m.is_shedding or m.shed_flows) and _is_shed(m, value, head, now):
            m.shed_packets += 1
            return
        if m.live >= m.limit:
            make_room(m)
        slot = begin(m, data, head, a, b, c, d, rest, value, is_turned, now)
    f = flows(m)[slot]
    side = is_turned ^ np.int64(f.turned)
    if f.packets[side] == 0:
        sight(m, i, now, data, end_at, head)
    protocol = f.protocol
    if protocol == 6:
        _place_base(f, side, head)
    count(m, slot, side, data, head, now)
    if head.payload_wire and head.fragment != h.LATER_FRAGMENT:
        if protocol in (6, 17, 132):  # a set would be made for every packet
            _mark_payload(m, i, slot, side, data, head, now)
        elif protocol == 58 and head.version == 6 and 133 <= head.source_port <= 137 and head.payload_bytes:
            place = mark(m, _NEIGHBOUR, i, now, head.transport_at, head.payload_bytes + 8)
            add_link(m, place, data, head)
            marks(m)[place].flow = slot
            marks(m)[place].side = side


@inlined
def _continued(m: Record, slot: Int, head: Record, now: Int) -> Int:
    """Return the slot if the packet belongs to the flow there, -1 if that is over."""
    f = flows(m)[slot]
    if f.state == _CLOSING:
        if head.flags & (SYN | ACK) == SYN or now - f.last > m.linger:
            end(m, slot, _OVER)
            return -1
        return slot
    if now - f.last > m.idle:
        end(m, slot, _IDLE)
        return -1
    if now - f.start > m.active:
        report(m, slot, _ACTIVE)
        begin_part(m, slot, now)
        m.started += 1
    return slot


@called
def _is_shed(m: Record, value: Int, head: Record, now: Int) -> bool:
    """Whether a packet without a flow is left out: none may begin now, or this one has begun while none might."""
    wanted = np.int64(value) | 1
    row = shed(m)[place_of(shed(m), wanted)]
    is_known = row.hash == wanted and now - row.time <= m.idle
    if not m.is_shedding and (not is_known or head.flags & (SYN | ACK) == SYN):
        return False
    if not is_known:
        m.shed_flows += 1
    row.hash = wanted
    row.time = now
    return True


@inlined
def _place_base(f: Record, side: Int, head: Record) -> None:
    """Learn where a side's stream begins: behind its SYN, else at the first segment that is seen."""
    flags = head.flags
    if flags & SYN:
        if f.has_base[side] == 0 or f.payload_bytes[side] == 0:
            f.base[side] = np.uint32((head.sequence + 1) & _WORD)
            f.has_base[side] = 2
    elif f.has_base[side] == 0 and not flags & RST:
        f.base[side] = np.uint32(head.sequence)
        f.has_base[side] = 1


@inlined
def _mark_payload(m: Record, i: Int, slot: Int, side: Int, data: Array, head: Record, now: Int) -> None:
    f = flows(m)[slot]
    watch = f.watch[side]
    offset = 0
    if f.protocol == 6:
        begins = head.sequence + (1 if head.flags & SYN else 0)
        offset = (begins - np.int64(f.base[side])) & _WORD
    if watch != _ALL:
        if watch != _BEYOND:
            return
        beyond = (offset + head.payload_wire - np.int64(f.skip_to[side])) & _WORD
        if beyond == 0 or beyond >= 1 << 31:
            return
    place = mark(m, _PAYLOAD, i, now, head.payload_at, head.payload_bytes)
    add_link(m, place, data, head)
    entry = marks(m)[place]
    entry.flow = slot
    entry.side = side
    entry.offset = offset
    entry.missing = head.payload_wire - head.payload_bytes + head.payload_later
    entry.flags = head.flags


@called
def sweep(m: Record) -> bool:
    """End what is idle now; False if there is no room for more endings before all is done.

    A flow is idle in the first second after the one in which its time was over.
    """
    reached = m.now // SECOND
    if reached - m.second > WHEEL:
        m.second = reached - WHEEL
    while m.second < reached:
        second = m.second + 1
        place = second % WHEEL
        while m.wheel[place] >= 0:
            if m.ended + _ENDINGS_A_PACKET > m.slots:
                return False
            _look_at_deadline(m, np.int64(m.wheel[place]), second, reached)
        m.second = second
    return True


@called
def _look_at_deadline(m: Record, slot: Int, second: Int, reached: Int) -> None:
    f = flows(m)[slot]
    is_closing = f.state == _CLOSING
    patience = m.linger if is_closing else m.idle
    due = (f.last + patience) // SECOND + 1
    if due <= reached:
        end(m, slot, _OVER if is_closing else _IDLE)
    else:
        drop_deadline(m, slot)
        set_deadline(m, slot, due, reached + 1, second + WHEEL - 1)


@called
def _pass_time(m: Record, clock: Int, is_last: Int) -> bool:
    """Let time pass without a packet, then end all flows if asked to; False if flows must be taken first."""
    m.now = max(m.now, min(clock, _LATEST))
    if not sweep(m):
        return False
    while is_last and m.finishing < m.slots:
        if m.ended + _ENDINGS_A_PACKET > m.slots:
            return False
        if flows(m)[m.finishing].state != _FREE:
            end(m, m.finishing, _OVER if flows(m)[m.finishing].state == _CLOSING else _FINISHED)
        m.finishing += 1
    m.finishing = 0
    return True
