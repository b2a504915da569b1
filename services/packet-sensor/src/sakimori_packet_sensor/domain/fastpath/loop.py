"""The loop over the packets of a block, and the passing of time."""

from typing import Final

import numpy as np

from sakimori_packet_sensor.compiled import compiled
from sakimori_packet_sensor.domain.fastpath import header as h
from sakimori_packet_sensor.domain.fastpath import state as st
from sakimori_packet_sensor.domain.fastpath.arrays import Array, Int
from sakimori_packet_sensor.domain.fastpath.bounded_sets import place_of
from sakimori_packet_sensor.domain.fastpath.eviction import make_room
from sakimori_packet_sensor.domain.fastpath.flows import ACK, RST, SYN, begin, begin_part, count, end, report
from sakimori_packet_sensor.domain.fastpath.fragments import place_fragment
from sakimori_packet_sensor.domain.fastpath.index import both_ends, find, hashed
from sakimori_packet_sensor.domain.fastpath.layout import Ending, Kind, SlotState, Watch
from sakimori_packet_sensor.domain.fastpath.marking import add_link, mark, mark_anomaly, sight
from sakimori_packet_sensor.domain.fastpath.network import read_frame
from sakimori_packet_sensor.domain.fastpath.queues import SECOND, drop_deadline, set_deadline
from sakimori_packet_sensor.domain.fastpath.state import State

_LATEST: Final = 1 << 60
_MARKS_A_PACKET: Final = 4
_ENDINGS_A_PACKET: Final = 2
_FREE: Final = SlotState.FREE.value
_CLOSING: Final = SlotState.CLOSING.value
_OVER: Final = Ending.OVER.value
_IDLE: Final = Ending.IDLE.value
_ACTIVE: Final = Ending.ACTIVE.value
_FINISHED: Final = Ending.FINISHED.value
_PAYLOAD: Final = Kind.PAYLOAD.value
_ARP: Final = Kind.ARP.value
_NEIGHBOUR: Final = Kind.NEIGHBOUR.value
_ALL: Final = Watch.ALL.value
_BEYOND: Final = Watch.BEYOND.value
_WORD: Final = 0xFFFFFFFF


@compiled
def process(
    s: State, data: Array, at: Array, captured: Array, wire: Array, time: Array, link: Array, first: Int
) -> Int:
    """Handle packets from `first` on; returns the first one not handled, for want of room in an output table."""
    _recycle(s)
    s.reg[st.MARKED] = 0
    limit = len(data)
    for i in range(first, len(at)):
        if (
            s.reg[st.MARKED] + _MARKS_A_PACKET > len(s.marks)
            or s.reg[st.ENDED] + _ENDINGS_A_PACKET > len(s.ended)
            or s.reg[st.FREE] == 0
        ):
            return i
        now = min(max(time[i], 0), _LATEST)
        if now > s.reg[st.NOW]:
            s.reg[st.NOW] = now
            if now // SECOND != s.reg[st.SECOND] and not sweep(s):
                return i
        begin_at = min(max(at[i], 0), limit)
        length = min(max(np.int64(captured[i]), 0), limit - begin_at)
        on_wire = max(np.int64(wire[i]), length)
        s.reg[st.PACKETS] += 1
        s.reg[st.BYTES] += on_wire
        _handle(s, i, data, begin_at, begin_at + length, begin_at + on_wire, link[i], now)
    return len(at)


@compiled
def _recycle(s: State) -> None:
    """Free the slots of flows that were taken; `ended` is emptied by whoever takes them."""
    if s.reg[st.ENDED] == 0:
        for place in range(s.reg[st.PENDING]):
            s.free[s.reg[st.FREE]] = s.pending[place]
            s.reg[st.FREE] += 1
        s.reg[st.PENDING] = 0


@compiled
def _handle(s: State, i: Int, data: Array, at: Int, end_at: Int, wire_end: Int, link: Int, now: Int) -> None:
    head = s.head
    status = read_frame(data, at, end_at, wire_end, link, head, s.outer)
    if status == h.IS_IP:
        if head[h.FRAGMENT] != h.WHOLE:
            place_fragment(s, data, head)
        if head[h.ANOMALY]:
            mark_anomaly(s, i, now, data, end_at, head)
        _handle_ip(s, i, data, end_at, head, now)
        return
    sight(s, i, now, data, end_at, head)
    if head[h.ANOMALY]:
        mark_anomaly(s, i, now, data, end_at, head)
    if status == h.IS_ARP:
        place = mark(s, _ARP, i, now, head[h.PAYLOAD_AT], head[h.PAYLOAD_BYTES])
        add_link(s, place, data, head)
    else:
        s.undecoded[status] += 1


@compiled
def _handle_ip(s: State, i: Int, data: Array, end_at: Int, head: Array, now: Int) -> None:
    a, b, c, d, rest, is_turned = both_ends(data, head)
    value = hashed(s, a, b, c, d, rest)
    slot = find(s, value, a, b, c, d, rest)
    if slot >= 0:
        slot = _continued(s, slot, head, now)
    if slot < 0:
        if (s.reg[st.IS_SHEDDING] or s.reg[st.SHED_FLOWS]) and _is_shed(s, value, head, now):
            s.reg[st.SHED_PACKETS] += 1
            return
        if s.reg[st.LIVE] >= s.reg[st.LIMIT]:
            make_room(s)
        slot = begin(s, data, head, a, b, c, d, rest, value, is_turned, now)
    f = s.table[slot]
    side = is_turned ^ np.int64(f.turned)
    if f.packets[side] == 0:
        sight(s, i, now, data, end_at, head)
    protocol = f.protocol
    if protocol == 6:
        _place_base(f, side, head)
    count(s, slot, side, data, head, now)
    if head[h.PAYLOAD_WIRE] and head[h.FRAGMENT] != h.LATER_FRAGMENT:
        if protocol == 6 or protocol == 17 or protocol == 132:
            _mark_payload(s, i, slot, side, data, head, now)
        elif protocol == 58 and head[h.VERSION] == 6 and 133 <= head[h.SOURCE_PORT] <= 137 and head[h.PAYLOAD_BYTES]:
            place = mark(s, _NEIGHBOUR, i, now, head[h.TRANSPORT_AT], head[h.PAYLOAD_BYTES] + 8)
            add_link(s, place, data, head)
            s.marks[place].flow = slot
            s.marks[place].side = side


@compiled
def _continued(s: State, slot: Int, head: Array, now: Int) -> Int:
    """Return the slot if the packet belongs to the flow there, -1 if that is over."""
    f = s.table[slot]
    if f.state == _CLOSING:
        if head[h.FLAGS] & (SYN | ACK) == SYN or now - f.last > s.reg[st.LINGER]:
            end(s, slot, _OVER)
            return -1
        return slot
    if now - f.last > s.reg[st.IDLE]:
        end(s, slot, _IDLE)
        return -1
    if now - f.start > s.reg[st.ACTIVE]:
        report(s, slot, _ACTIVE)
        begin_part(s, slot, now)
        s.reg[st.STARTED] += 1
    return slot


@compiled
def _is_shed(s: State, value: Int, head: Array, now: Int) -> bool:
    """Whether a packet without a flow is left out: none may begin now, or this one has begun while none might."""
    wanted = np.int64(value) | 1
    row = s.shed[place_of(s.shed, wanted)]
    is_known = row[0] == wanted and now - row[1] <= s.reg[st.IDLE]
    if not s.reg[st.IS_SHEDDING] and (not is_known or head[h.FLAGS] & (SYN | ACK) == SYN):
        return False
    if not is_known:
        s.reg[st.SHED_FLOWS] += 1
    row[0], row[1] = wanted, now
    return True


@compiled
def _place_base(f: Array, side: Int, head: Array) -> None:
    """Learn where a side's stream begins: behind its SYN, else at the first segment that is seen."""
    flags = head[h.FLAGS]
    if flags & SYN:
        if f.has_base[side] == 0 or f.payload_bytes[side] == 0:
            f.base[side] = np.uint32((head[h.SEQUENCE] + 1) & _WORD)
            f.has_base[side] = 2
    elif f.has_base[side] == 0 and not flags & RST:
        f.base[side] = np.uint32(head[h.SEQUENCE])
        f.has_base[side] = 1


@compiled
def _mark_payload(s: State, i: Int, slot: Int, side: Int, data: Array, head: Array, now: Int) -> None:
    f = s.table[slot]
    watch = f.watch[side]
    offset = 0
    if f.protocol == 6:
        begins = head[h.SEQUENCE] + (1 if head[h.FLAGS] & SYN else 0)
        offset = (begins - np.int64(f.base[side])) & _WORD
    if watch != _ALL:
        if watch != _BEYOND:
            return
        beyond = (offset + head[h.PAYLOAD_WIRE] - np.int64(f.skip_to[side])) & _WORD
        if beyond == 0 or beyond >= 1 << 31:
            return
    place = mark(s, _PAYLOAD, i, now, head[h.PAYLOAD_AT], head[h.PAYLOAD_BYTES])
    add_link(s, place, data, head)
    m = s.marks[place]
    m.flow = slot
    m.side = side
    m.offset = offset
    m.missing = head[h.PAYLOAD_WIRE] - head[h.PAYLOAD_BYTES]
    m.flags = head[h.FLAGS]


@compiled
def sweep(s: State) -> bool:
    """End what is idle now; False if there is no room for more endings before all is done.

    A flow is idle in the first second after the one in which its time was over.
    """
    reached = s.reg[st.NOW] // SECOND
    if reached - s.reg[st.SECOND] > st.WHEEL:
        s.reg[st.SECOND] = reached - st.WHEEL
    while s.reg[st.SECOND] < reached:
        second = s.reg[st.SECOND] + 1
        place = second % st.WHEEL
        while s.wheel[place] >= 0:
            if s.reg[st.ENDED] + _ENDINGS_A_PACKET > len(s.ended):
                return False
            _look_at_deadline(s, np.int64(s.wheel[place]), second, reached)
        s.reg[st.SECOND] = second
    return True


@compiled
def _look_at_deadline(s: State, slot: Int, second: Int, reached: Int) -> None:
    f = s.table[slot]
    is_closing = f.state == _CLOSING
    patience = s.reg[st.LINGER] if is_closing else s.reg[st.IDLE]
    due = (f.last + patience) // SECOND + 1
    if due <= reached:
        end(s, slot, _OVER if is_closing else _IDLE)
    else:
        drop_deadline(s, slot)
        set_deadline(s, slot, due, reached + 1, second + st.WHEEL - 1)


@compiled
def tick(s: State, now: Int) -> bool:
    """Let time pass without a packet; False if flows must be taken before all of it passed."""
    _recycle(s)
    s.reg[st.MARKED] = 0
    s.reg[st.NOW] = max(s.reg[st.NOW], min(now, _LATEST))
    return sweep(s)


@compiled
def finish(s: State) -> bool:
    """End every flow, in the order of the slots; False if flows must be taken before all ended."""
    _recycle(s)
    s.reg[st.MARKED] = 0
    while s.reg[st.FINISHING] < len(s.table):
        if s.reg[st.ENDED] + _ENDINGS_A_PACKET > len(s.ended):
            return False
        slot = s.reg[st.FINISHING]
        if s.table[slot].state != _FREE:
            end(s, slot, _OVER if s.table[slot].state == _CLOSING else _FINISHED)
        s.reg[st.FINISHING] = slot + 1
    s.reg[st.FINISHING] = 0
    return True
