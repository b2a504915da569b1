"""The sensor: frames in, events out."""

from collections import Counter
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass, field
from itertools import islice
from typing import Final

from sakimori_common.contracts import Event
from sakimori_packet_sensor.domain.capture import Block
from sakimori_packet_sensor.domain.capture.frame import Frame, frames_of
from sakimori_packet_sensor.domain.decode import ArpPacket, IpPacket, Undecodable, decode
from sakimori_packet_sensor.domain.decode.packet import Protocol
from sakimori_packet_sensor.domain.sightings import Devices
from sakimori_packet_sensor.domain.events import Origin, device_event, dns_events, flow_event
from sakimori_packet_sensor.domain.flows import Flow, FlowLimits, FlowTable
from sakimori_packet_sensor.domain.protocols.dhcp import decode_dhcp
from sakimori_packet_sensor.domain.protocols.dns import decode_dns
from sakimori_packet_sensor.domain.protocols.dns_streams import DnsStreams
from sakimori_packet_sensor.domain.protocols.malformed import Malformed

SLICE_FRAMES: Final = 2000
"""Frames between two looks at what came of them: some 20 ms of work."""
_BATCH_EVENTS: Final = 2000
"""Events handed out at once, should very many flows end together."""

_TCP, _UDP = int(Protocol.TCP), int(Protocol.UDP)
_DNS_NAMES: Final = {53: "dns", 5353: "mdns", 5355: "llmnr"}
_DHCP_PORTS: Final = frozenset({67, 68})


@dataclass(slots=True)
class Counts:
    """What went through a sensor. `bytes` as on the wire; `undecoded` by reason, `malformed` by protocol."""

    packets: int = 0
    bytes: int = 0
    flows: int = 0
    evicted: int = 0
    events: Counter[str] = field(default_factory=Counter)
    undecoded: Counter[str] = field(default_factory=Counter)
    malformed: Counter[str] = field(default_factory=Counter)


class Sensor:
    """Everything that is known of one capture while it is read. `counts` is right after every slice."""

    def __init__(self, origin: Origin, limits: FlowLimits | None = None) -> None:
        self._origin = origin
        self._flows = FlowTable(limits or FlowLimits())
        self._devices = Devices()
        self._dns_streams = DnsStreams()
        self._events: list[Event] = []
        self._udp: dict[int, Callable[[IpPacket, Flow], None]] = dict.fromkeys(_DNS_NAMES, self._dns)
        self._udp |= dict.fromkeys(_DHCP_PORTS, self._dhcp)
        self.counts = Counts()

    def events(self, blocks: Iterable[Block]) -> Iterator[list[Event]]:
        """Read a whole capture, slice by slice: yields what is complete, at the end what is left.

        A slice may be empty. Packets are taken as they are: nothing in them makes this raise.
        """
        rest = frames_of(blocks)
        while taken := list(islice(rest, SLICE_FRAMES)):
            self._observe(taken)
            yield from self._complete(self._flows.take_ended())
        yield from self._complete(self._flows.finish())

    def _observe(self, frames: Iterable[Frame]) -> None:
        counts = self.counts
        for time, link_type, wire_bytes, data in frames:
            counts.packets += 1
            counts.bytes += wire_bytes
            try:
                packet = decode(link_type, data, wire_bytes)
            except Undecodable as problem:
                counts.undecoded[problem.reason.value] += 1
                continue
            packet.time, packet.number = time, counts.packets
            if isinstance(packet, IpPacket):
                self._ip(packet)
            else:
                self._arp(packet)

    def _complete(self, ended: Iterable[Flow]) -> Iterator[list[Event]]:
        events, self._events = self._events, []
        for flow in ended:
            events.append(flow_event(flow, self._origin))
            if len(events) >= _BATCH_EVENTS:
                yield self._report(events)
                events = []
        yield self._report(events)

    def _report(self, events: list[Event]) -> list[Event]:
        self.counts.flows, self.counts.evicted = self._flows.started, self._flows.evicted
        self.counts.events.update(event.dataset for event in events)
        return events

    def _ip(self, packet: IpPacket) -> None:
        flow = self._flows.add(packet)
        if packet.protocol == _UDP:
            decoder = self._udp.get(packet.destination_port) or self._udp.get(packet.source_port)
            if decoder is not None:
                decoder(packet, flow)
        elif packet.protocol == _TCP and (packet.destination_port == 53 or packet.source_port == 53):
            self._dns_over_tcp(packet, flow)

    def _arp(self, packet: ArpPacket) -> None:
        sighting = self._devices.from_arp(packet)
        if sighting is not None:
            self._events.append(device_event(sighting, packet, self._origin))

    def _dns(self, packet: IpPacket, flow: Flow) -> None:
        name = _DNS_NAMES.get(packet.destination_port) or _DNS_NAMES[packet.source_port]
        self._dns_message(packet.payload, name, packet, flow, 0)

    def _dns_over_tcp(self, packet: IpPacket, flow: Flow) -> None:
        for place, message in enumerate(self._dns_streams.messages(packet)):
            self._dns_message(message, "dns", packet, flow, place)

    def _dns_message(self, raw: bytes, name: str, packet: IpPacket, flow: Flow, place: int) -> None:
        try:
            message = decode_dns(raw)
        except Malformed:
            self.counts.malformed[name] += 1
            return
        flow.protocol_name = name
        self._events.extend(dns_events(message, packet, flow, place, self._origin))

    def _dhcp(self, packet: IpPacket, flow: Flow) -> None:
        try:
            message = decode_dhcp(packet.payload)
        except Malformed:
            self.counts.malformed["dhcp"] += 1
            return
        flow.protocol_name = "dhcp"
        sighting = self._devices.from_dhcp(message, packet.time)
        if sighting is not None:
            self._events.append(device_event(sighting, packet, self._origin))
