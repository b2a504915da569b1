"""The flows that are going on."""

from collections import OrderedDict
from typing import Final

from sakimori_common.instants import MICROSECONDS
from sakimori_packet_sensor.domain.decode.packet import ACK, FIN, NO_PORT, RST, SYN, IpPacket
from sakimori_packet_sensor.domain.fastpath.limits import FlowLimits
from sakimori_packet_sensor.domain.flows.flow import Flow
from sakimori_packet_sensor.domain.flows.fragments import FragmentPorts
from sakimori_packet_sensor.domain.flows.icmp import COUNTERPARTS, as_ports

_LINGER: Final = 5 * MICROSECONDS
"""How long a flow that TCP is done with still takes packets: the last ACK, a retransmitted FIN."""
_SWEEP: Final = MICROSECONDS

Key = tuple[bytes, bytes, int, int, int]


class FlowTable:
    """Find the flow of each packet, in the time of the capture.

    Flows are kept in the order of their last packet, so what is idle, and what must go when the table is full, is
    first. The time never runs backwards here, whatever a capture says.
    """

    def __init__(self, limits: FlowLimits) -> None:
        self._limit = limits.flows
        self._idle = limits.idle_seconds * MICROSECONDS
        self._active = limits.active_seconds * MICROSECONDS
        self._flows: OrderedDict[Key, Flow] = OrderedDict()
        self._closing: OrderedDict[Key, Flow] = OrderedDict()
        self._fragments = FragmentPorts()
        self._now = 0
        self._next_sweep = 0
        self._ended: list[Flow] = []
        self.started = 0
        self.evicted = 0

    def add(self, packet: IpPacket) -> Flow:
        """Count a packet to its flow and return that."""
        time = packet.time
        if time > self._now:
            self._now = time
            if time >= self._next_sweep:
                self._sweep()
        source_port, destination_port = packet.source_port, packet.destination_port
        if packet.fragment is not None:
            source_port, destination_port = self._fragments.ports(packet, packet.fragment)
        if packet.protocol in COUNTERPARTS and source_port != NO_PORT:
            source_port, destination_port = as_ports(packet.protocol, source_port, destination_port)
        key = _key(packet, source_port, destination_port)
        flow = self._flows.get(key)
        if flow is None or time - flow.last > self._idle or time - flow.start > self._active:
            flow = self._other(flow, key, packet, (source_port, destination_port))
        else:
            self._flows.move_to_end(key)
        flow.add(packet, source_port)
        if packet.tcp_flags & (FIN | RST) and flow.is_over:
            self._close(key, flow)
        return flow

    def take_ended(self) -> list[Flow]:
        """Hand out the flows that ended since the last call."""
        ended, self._ended = self._ended, []
        return ended

    def finish(self) -> list[Flow]:
        """Hand out every flow that is left, in the order of their first packets, and end with nothing."""
        left = [*self._ended, *self._closing.values(), *self._flows.values()]
        left.sort(key=lambda flow: flow.number)
        self._ended.clear()
        self._closing.clear()
        self._flows.clear()
        return left

    def _other(self, flow: Flow | None, key: Key, packet: IpPacket, ports: tuple[int, int]) -> Flow:
        """Find the flow of a packet that does not simply go on with an open one."""
        if flow is not None:
            self._ended.append(self._flows.pop(key))
            if packet.time - flow.last <= self._idle:
                return self._open(key, flow.continued(packet))
        closing = self._closing.get(key)
        if closing is not None:
            if packet.tcp_flags & (SYN | ACK) != SYN and packet.time - closing.last <= _LINGER:
                return closing
            self._ended.append(self._closing.pop(key))
        return self._open(key, Flow(packet, ports))

    def _open(self, key: Key, flow: Flow) -> Flow:
        if len(self._flows) >= self._limit:
            self._ended.append(self._flows.popitem(last=False)[1])
            self.evicted += 1
        self._flows[key] = flow
        self.started += 1
        return flow

    def _close(self, key: Key, flow: Flow) -> None:
        if self._flows.pop(key, None) is None:
            return
        if len(self._closing) >= self._limit:
            self._ended.append(self._closing.popitem(last=False)[1])
        self._closing[key] = flow

    def _sweep(self) -> None:
        self._next_sweep = self._now + _SWEEP
        self._end_older(self._flows, self._now - self._idle)
        self._end_older(self._closing, self._now - _LINGER)

    def _end_older(self, flows: OrderedDict[Key, Flow], limit: int) -> None:
        while flows:
            key = next(iter(flows))
            if flows[key].last >= limit:
                return
            self._ended.append(flows.pop(key))


def _key(packet: IpPacket, source_port: int, destination_port: int) -> Key:
    """Make the same key for both directions."""
    source, destination = packet.source, packet.destination
    if source < destination or (source == destination and source_port <= destination_port):
        return (source, destination, source_port, destination_port, packet.protocol)
    return (destination, source, destination_port, source_port, packet.protocol)
