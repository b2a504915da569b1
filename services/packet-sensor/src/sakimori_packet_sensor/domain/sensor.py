"""The sensor: blocks of packets in, events out."""

from collections import Counter
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, field
from typing import Final

from sakimori_common.contracts import Event
from sakimori_common.instants import MICROSECONDS
from sakimori_packet_sensor.domain.anomaly_events import AnomalyEvents
from sakimori_packet_sensor.domain.capture.block import Block
from sakimori_packet_sensor.domain.conversations.conversation import Conversation
from sakimori_packet_sensor.domain.conversations.conversations import Conversations
from sakimori_packet_sensor.domain.conversations.rows import (
    MarkRow,
    OpeningRows,
    Sender,
    flow_rows,
    folded_rows,
    mark_rows,
    sender_of,
)
from sakimori_packet_sensor.domain.conversations.streams import MAX_HELD_BYTES
from sakimori_packet_sensor.domain.events import MessageEvents, PacketEvents
from sakimori_packet_sensor.domain.fastpath.fast_path import FastPath
from sakimori_packet_sensor.domain.fastpath.layout import Anomaly, Ending, Kind
from sakimori_packet_sensor.domain.fastpath.limits import FlowLimits
from sakimori_packet_sensor.domain.flow_events import FlowEvents
from sakimori_packet_sensor.domain.headers import Origin, header, turned
from sakimori_packet_sensor.domain.protocols.contract import Message
from sakimori_packet_sensor.domain.protocols.registry import PROTOCOLS, Registry

STEP_PACKETS: Final = 1024
"""Packets between two looks at what they hold, after which the fast path knows what is not wanted any more."""

_PAYLOAD, _ACTIVE = int(Kind.PAYLOAD), int(Ending.ACTIVE)
_REASONS: Final = {int(reason): reason.name.lower() for reason in Anomaly}


@dataclass(slots=True)
class Counts:
    """What went through it; `bytes` as on the wire, `undecoded` and `anomalies` by reason, `malformed` by protocol."""

    packets: int = 0
    bytes: int = 0
    flows: int = 0
    evicted: int = 0
    shed_flows: int = 0
    shed_packets: int = 0
    streams_given_up: int = 0
    events: Counter[str] = field(default_factory=Counter)
    undecoded: Counter[str] = field(default_factory=Counter)
    malformed: Counter[str] = field(default_factory=Counter)
    anomalies: Counter[str] = field(default_factory=Counter)


class Sensor:
    """Everything that is known of one capture while it is read; nothing in it makes this raise.

    With `decoded_ports`, flows on other ports are counted and not looked into. All streams together hold `held_bytes`
    at most; beyond, the one that has held something for longest gives way. `counts` is right after every call.
    `seed` keys the table of flows: a secret where strangers send the packets, so that they cannot choose what collides;
    the same one gives the same events also when the table is full. Making a sensor takes the compiled loop from its
    cache, or compiles it.
    """

    def __init__(
        self,
        origin: Origin,
        limits: FlowLimits | None = None,
        decoded_ports: frozenset[int] | None = None,
        registry: Registry = PROTOCOLS,
        *,
        seed: int = 0,
        held_bytes: int = MAX_HELD_BYTES,
    ) -> None:
        self._fast = FastPath(limits or FlowLimits(), seed)
        self._openings = OpeningRows(self._fast.table)
        self._talks = Conversations(
            self._fast.table, registry, self._say, self._object, decoded_ports, held_bytes=held_bytes
        )
        self._flow_events = FlowEvents(origin, registry)
        self._message_events = MessageEvents(origin)
        self._packet_events = PacketEvents(origin)
        self._anomaly_events = AnomalyEvents(origin)
        self._origin = origin
        self._events: list[Event] = []
        self._overlaps = 0
        self._folded_at = 0
        self.counts = Counts()

    @property
    def is_shedding(self) -> bool:
        """Whether no new flow begins: its packets are counted as shed."""
        return self._fast.is_shedding

    @is_shedding.setter
    def is_shedding(self, is_shedding: bool) -> None:
        self._fast.is_shedding = is_shedding

    @property
    def bytes_held(self) -> int:
        """What waits to be read, of all conversations together; as of their last segment."""
        return self._talks.streams.bytes_held

    def events(self, blocks: Iterable[Block]) -> Iterator[list[Event]]:
        """Read a whole capture: yields what is complete after each block, at the end what is left; maybe nothing."""
        for block in blocks:
            yield self.take(block)
        yield from self.endings()

    def take(self, block: Block) -> list[Event]:
        """Take packets; returns what is complete by now."""
        data = memoryview(block.data)  # type: ignore[arg-type]  # an array is a buffer
        for begin in range(0, len(block.at), STEP_PACKETS):
            part = block.part(begin, begin + STEP_PACKETS)
            first, size = 0, len(part.at)
            while first < size:
                first = self._fast.process(part, first)
                self._look(data)
                self._end_flows()
        if len(block.time) and abs(int(block.time[-1]) - self._folded_at) >= MICROSECONDS:
            self._folded_at = int(block.time[-1])
            self._unfold()
        return self._report()

    def tick(self, now: int) -> list[Event]:
        """Let time pass without a packet, `now` by the clock in microseconds; returns the flows that ended."""
        is_done = False
        while not is_done:
            is_done = self._fast.tick(now)
            self._end_flows()
        self._unfold()
        return self._report()

    def finish(self) -> list[Event]:
        """Return what is left, all at once."""
        return [event for events in self.endings() for event in events]

    def endings(self) -> Iterator[list[Event]]:
        """Return what is left, in lists of bounded length."""
        is_done = False
        while not is_done:
            is_done = self._fast.finish()
            self._end_flows()
            yield self._report()
        self._unfold()
        yield self._report()

    def _look(self, data: memoryview) -> None:
        """Go through what the fast path marked."""
        take = self._talks.take
        marks = self._fast.marks()
        for place, mark in enumerate(mark_rows(marks)):
            if mark[0] == _PAYLOAD:
                take(mark, data)
            else:
                self._look_at(mark, data, sender_of(marks, place))

    def _look_at(self, mark: MarkRow, data: memoryview, sender: Sender) -> None:
        """Look at a packet that is not payload of a flow."""
        kind, slot, side, _, begin, size, _, time, number, reason, _ = mark
        if kind == Kind.NEW_STATION:
            self._events.append(self._packet_events.sighting(sender, time, number))
        elif kind == Kind.ARP:
            self._events.append(self._packet_events.arp(sender, bytes(data[begin : begin + size]), time, number))
        elif kind == Kind.NEIGHBOUR and slot >= 0:
            ends = header(self._openings.at(slot), self._origin)
            payload = bytes(data[begin : begin + size])
            self._events.append(self._packet_events.neighbour(turned(ends) if side else ends, payload, time, number))
        elif kind == Kind.ANOMALY:
            event = self._anomaly_events.of_packet(sender, _REASONS.get(reason, "other"), time, number)
            if event is not None:
                self._events.append(event)

    def _end_flows(self) -> None:
        """Report flows that ended, behind what was left to say in them."""
        ended = self._fast.take_ended()
        for row, slot, ending in zip(flow_rows(ended.flows), ended.slot.tolist(), ended.ending.tolist(), strict=True):
            talk = self._talks.known(slot) if ending == _ACTIVE else self._talks.end(slot)
            self._events.append(self._flow_events.of(row, ending, talk))

    def _unfold(self) -> None:
        """Report attempts that were given up together."""
        self._events += [self._flow_events.folded(row) for row in folded_rows(self._fast.take_folded())]

    def _say(self, talk: Conversation, messages: Sequence[Message]) -> None:
        self._events += self._message_events.of(talk, messages)
        for dataset, fields, *_ in messages:
            if "error.code" in fields and fields["error.code"] == "malformed":
                self.counts.malformed[dataset.removeprefix("network.")] += 1

    def _object(self, talk: Conversation, reason: str) -> None:
        self._overlaps += 1
        fields = header(talk.opening, self._origin)
        event = self._anomaly_events.of(talk.opening.source, reason, (talk.now, talk.number), fields)
        if event is not None:
            self._events.append(event)

    def _report(self) -> list[Event]:
        """Hand out events, and bring the counts up to date."""
        events, self._events = self._events, []
        counts, fast = self.counts, self._fast.counts
        counts.packets, counts.bytes, counts.flows = fast.packets, fast.bytes, fast.flows
        counts.evicted, counts.shed_flows, counts.shed_packets = fast.evicted, fast.shed_flows, fast.shed_packets
        counts.streams_given_up = self._talks.streams.given_up
        counts.undecoded = Counter({reason.name.lower(): count for reason, count in fast.undecoded.items() if count})
        counts.anomalies = Counter({reason.name.lower(): count for reason, count in fast.anomalies.items() if count})
        if self._overlaps:
            counts.anomalies["tcp_overlap"] = self._overlaps
        counts.events.update(event.dataset for event in events)
        return events
