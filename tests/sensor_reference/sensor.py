"""Packets in, flows and marks out."""

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, field
from ipaddress import ip_address, ip_network
from typing import NamedTuple

from sakimori_packet_sensor.domain.fastpath.layout import NO_PORT, Anomaly, Ending, Kind, Undecoded
from sakimori_packet_sensor.domain.fastpath.limits import FlowLimits
from sensor_reference.flow import STREAMS, Flow
from sensor_reference.link import read_link
from sensor_reference.network import read_network
from sensor_reference.packet import ACK, SYN, ArpPacket, Fragment, IpPacket, Link, Refused

SECOND = 1_000_000
LINGER = 5 * SECOND
_PRIVATE = [
    ip_network(block)
    for block in (
        "10.0.0.0/8", "172.16.0.0/12", "192.168.0.0/16", "169.254.0.0/16", "192.0.2.0/24", "198.51.100.0/24",
        "203.0.113.0/24", "fc00::/7", "fe80::/10", "2001:db8::/32",
    )
]  # fmt: skip


class Frame(NamedTuple):
    """One frame as a capture has it."""

    time: int
    link_type: int
    wire: int
    data: bytes


class Mark(NamedTuple):
    """One mark; `payload` are its bytes, `flow` the ends of its flow."""

    number: int
    kind: Kind
    payload: bytes
    reason: Anomaly = Anomaly.NONE
    side: int = 0
    offset: int = 0
    missing: int = 0
    flow: tuple[tuple[bytes, int], tuple[bytes, int]] | None = None
    address: bytes = b""


@dataclass
class _Fragments:
    """What is known of a fragmented packet."""

    time: int
    ports: tuple[int, int] = (NO_PORT, NO_PORT)
    there: set[int] = field(default_factory=set)
    latest: tuple[int, int] | None = None


class ReferenceSensor:
    """The fast path, whose face it has as far as the tests need it."""

    def __init__(self, limits: FlowLimits) -> None:
        self._idle, self._active = limits.idle_seconds * SECOND, limits.active_seconds * SECOND
        self._flows: dict[tuple[object, ...], Flow] = {}
        self._fragments: dict[tuple[object, ...], _Fragments] = {}
        self._stations: dict[tuple[bytes, bytes], int] = {}
        self._now = self._number = 0
        self.ended: list[dict[str, object]] = []
        self.marks: list[Mark] = []
        self.undecoded: Counter[Undecoded] = Counter()
        self.anomalies: Counter[Anomaly] = Counter()

    def process(self, frames: Sequence[Frame]) -> None:
        """Take frames, in order."""
        for frame in frames:
            self._pass_time(frame.time)
            self._number += 1
            self._take(frame)

    def _pass_time(self, now: int) -> None:
        """At every new second, end what was due in the one before or earlier."""
        previous, self._now = self._now, max(self._now, now)
        if self._now // SECOND == previous // SECOND:
            return
        for key, flow in list(self._flows.items()):
            patience = LINGER if flow.is_closing else self._idle
            if (flow.last + patience) // SECOND < self._now // SECOND:
                self._end(key, Ending.OVER if flow.is_closing else Ending.IDLE)

    def _end(self, key: tuple[object, ...], ending: Ending) -> None:
        self.ended.append(self._flows.pop(key).row(ending))

    def finish(self) -> None:
        """End what is left."""
        for key, flow in list(self._flows.items()):
            self._end(key, Ending.OVER if flow.is_closing else Ending.FINISHED)

    def _take(self, frame: Frame) -> None:
        link = Link(0, frame.data, max(frame.wire, len(frame.data)), is_whole=len(frame.data) >= frame.wire)
        try:
            read_link(frame.link_type, link)
            packet = read_network(link)
        except Refused as refused:
            sender = getattr(refused, "sender", b"")
            self._sight(frame, link.source_mac, sender)
            self._note(frame, refused.anomaly, sender)
            self.undecoded[refused.reason] += 1
            return
        if isinstance(packet, ArpPacket):
            self._sight(frame, link.source_mac, b"")
            self._mark(Kind.ARP, packet.message)
        else:
            if packet.fragment is not None:
                self._place_fragment(packet, packet.fragment)
            self._note(frame, packet.anomaly, packet.source)
            self._take_ip(frame, link, packet)

    def _mark(self, kind: Kind, payload: bytes, **more: object) -> None:
        self.marks.append(Mark(self._number, kind, payload, **more))  # type: ignore[arg-type]

    def _note(self, frame: Frame, anomaly: Anomaly, sender: bytes) -> None:
        if anomaly:
            self.anomalies[anomaly] += 1
            self._mark(Kind.ANOMALY, frame.data, reason=anomaly, address=sender)

    def _sight(self, frame: Frame, mac: bytes, address: bytes) -> None:
        if not mac or mac[0] & 1 or not any(mac):
            return
        is_private = bool(address) and any(ip_address(address) in block for block in _PRIVATE)
        is_new = False
        for name in [(mac, b""), (mac, address)] if is_private else [(mac, b"")]:
            seen = self._stations.get(name)
            if seen is None or self._now - seen >= 3600 * SECOND:
                self._stations[name] = self._now
                is_new = True
        if is_new:
            self._mark(Kind.NEW_STATION, frame.data, address=address if is_private else b"")

    def _place_fragment(self, packet: IpPacket, fragment: Fragment) -> None:
        key = (packet.source, packet.destination, packet.protocol, fragment.identification)
        known = self._fragments.get(key)
        if known is None or self._now - known.time > 30 * SECOND:
            known = self._fragments[key] = _Fragments(self._now)
        known.time = self._now
        if fragment.is_first:
            known.ports = packet.source_port, packet.destination_port
        packet.source_port, packet.destination_port = known.ports
        reach = fragment.begin, fragment.begin + fragment.length
        there = set(range(*reach))
        if known.latest != reach and known.there & there:
            packet.note(Anomaly.FRAGMENT_OVERLAP)
        known.latest = reach
        known.there |= there

    def _take_ip(self, frame: Frame, link: Link, packet: IpPacket) -> None:
        time = frame.time
        ends = sorted([(packet.source, packet.source_port), (packet.destination, packet.destination_port)])
        key = (*ends, packet.protocol, len(packet.source))
        flow = self._flows.get(key)
        if flow is not None:
            flow = self._continued(key, flow, packet, time)
        if flow is None:
            macs = link.source_mac, link.destination_mac
            flow = self._flows[key] = Flow.begin(packet, macs, link.vlan, time, self._number)
        side = flow.side_of(packet)
        if not flow.sides[side].packets:
            self._sight(frame, link.source_mac, b"" if packet.tunnel else packet.source)
        if packet.protocol == 6:
            flow.place_base(side, packet)
        flow.count(side, packet, time)
        if packet.payload_wire and (packet.fragment is None or packet.fragment.is_first):
            self._offer(flow, side, packet)

    def _continued(self, key: tuple[object, ...], flow: Flow, packet: IpPacket, time: int) -> Flow | None:
        if flow.is_closing:
            if packet.flags & (SYN | ACK) != SYN and time - flow.last <= LINGER:
                return flow
            self._end(key, Ending.OVER)
            return None
        if time - flow.last > self._idle:
            self._end(key, Ending.IDLE)
            return None
        if time - flow.start > self._active:
            self._end(key, Ending.ACTIVE)
            flow = self._flows[key] = flow.next_part(time, self._number)
        return flow

    def _offer(self, flow: Flow, side: int, packet: IpPacket) -> None:
        ends = flow.source, flow.destination
        if packet.protocol in STREAMS:
            offset = 0
            if packet.protocol == 6:
                begins = packet.sequence + bool(packet.flags & SYN)
                offset = (begins - (flow.base[side] or 0)) % 2**32
            missing = packet.payload_wire - len(packet.payload) + packet.payload_later
            self._mark(Kind.PAYLOAD, packet.payload, side=side, offset=offset, missing=missing, flow=ends)
        elif packet.protocol == 58 and len(packet.source) == 16 and 133 <= packet.source_port <= 137 and packet.payload:
            self._mark(Kind.NEIGHBOUR, packet.transport, side=side, flow=ends)
