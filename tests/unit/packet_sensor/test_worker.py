"""The loop of a capture process: it takes what the ring has, and follows no new flows where it falls behind."""

import socket
from collections.abc import Sequence
from dataclasses import dataclass

import msgspec

from packets.blocks import ethernet
from packets.frames import segment
from sakimori_common.contracts import EVENTS
from sakimori_packet_sensor.adapters.link import Frames, Kind, Order, frame
from sakimori_packet_sensor.domain.capture.block import Block
from sakimori_packet_sensor.domain.tally import Tally
from sakimori_packet_sensor.worker import SHED_RATIO, Worker

ORDER = Order(
    interface="eth0",
    observer="tap-1",
    ring_bytes=1 << 20,
    is_promiscuous=False,
    capture_filter=None,
    fanout=None,
    max_flows=100,
    idle_seconds=300,
    active_seconds=1800,
    decoded_ports=None,
    packets_dir=None,
    packets_bytes=0,
    outlet_bytes=1 << 20,
)


@dataclass
class Counted:
    drops: int = 7
    freezes: int = 2


class Ring:
    """An interface with these blocks, each beside how full the ring is when it was taken; then the service stops."""

    def __init__(self, blocks: Sequence[tuple[Block, float]], service: socket.socket) -> None:
        self._blocks = list(blocks)
        self._service = service
        self.fill_ratio = 0.0

    def wait(self, timeout_seconds: float) -> Block | None:
        block, self.fill_ratio = self._blocks.pop(0)
        if not self._blocks:
            self._service.sendall(frame(Kind.STOP, b""))
        return block

    def statistics(self) -> Counted:
        return Counted()


def said_by_worker(blocks: Sequence[tuple[Block, float]]) -> list[tuple[Kind, bytes]]:
    service, worker = socket.socketpair()
    with service, worker:
        Worker(worker, ORDER, Ring(blocks, service), None, Frames(), clock=lambda: 0.0).run()
        return Frames().feed(service.recv(1 << 20))


def test_flows_that_begin_while_the_ring_is_too_full_are_left_out_whole_and_counted() -> None:
    first, second, third = (ethernet([segment("S", port), segment("A", port)]) for port in (1, 2, 3))
    said = said_by_worker([(first, SHED_RATIO + 0.01), (second, SHED_RATIO), (third, 0.0), (first, 0.0)])
    flows = [
        (event.fields["destination.port"], event.fields["source.packets"])
        for kind, body in said
        if kind is Kind.EVENTS
        for event in EVENTS.decode(body)
        if event.dataset == "network.flow"
    ]
    assert sorted(flows) == [(1, 4), (3, 2)]
    [counts] = [msgspec.msgpack.decode(body, type=Tally) for kind, body in said if kind is Kind.COUNTS]
    wanted = ("packets", "flows_shed", "packets_shed", "ring_drops", "ring_freezes", "events_lost")
    assert [counts.totals[name] for name in wanted] == [8, 1, 2, 7, 2, 0]
