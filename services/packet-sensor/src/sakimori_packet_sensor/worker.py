"""One capture process: `python -m sakimori_packet_sensor.worker`, started by workers.py with the link as its stdin.

Reads one interface's ring, or its share of the packets there, and sends what the sensor makes of them. It waits for
nothing but packets: a service that is slow makes it follow no new flows (Outlet), never leave the ring unread.
"""

import secrets
import signal
import socket
import sys
import time
from collections.abc import Callable
from contextlib import ExitStack, closing, suppress
from pathlib import Path
from typing import Final

import msgspec

from sakimori_common.contracts import Event
from sakimori_packet_sensor.adapters.link import Frames, Kind, LinkError, Order, Outlet, Trouble, frame
from sakimori_packet_sensor.adapters.packet_store import PacketStore
from sakimori_packet_sensor.adapters.ring import open_ring
from sakimori_packet_sensor.domain.capture import CaptureError
from sakimori_packet_sensor.domain.fastpath.limits import FlowLimits
from sakimori_packet_sensor.domain.sensor import Sensor
from sakimori_packet_sensor.domain.tally import tally_of
from sakimori_packet_sensor.ports import PacketSink, PacketSource
from sakimori_packet_sensor.precompile import rehearse_capture

WAIT_SECONDS: Final = 0.1
"""How late an idle interface notices what the service says."""
TICK_SECONDS: Final = 0.5
"""How often flows end by the clock, and counts are sent."""
FAREWELL_SECONDS: Final = 5.0
"""How long the service may take what is left at the end."""
SHED_RATIO: Final = 0.5
"""Of the ring that may wait; beyond, no new flow is followed, before packets of those that are followed are lost.

Blocks retire by the clock, too, so this is a pause of 0.3 s with the default ring, which a busy machine takes."""
EXIT_TROUBLE: Final = 3
_ORDER_SECONDS: Final = 30.0

Clock = Callable[[], float]


def main() -> int:
    """Run until the service says stop or is gone; 0, or EXIT_TROUBLE when the interface cannot be read."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # Ctrl-C reaches the whole group; the service says when to stop
    link = socket.socket(fileno=sys.stdin.fileno())
    rehearse_capture()
    try:
        order, frames = receive_order(link)
        with ExitStack() as stack:
            ring = stack.enter_context(
                open_ring(
                    order.interface,
                    ring_mb=max(1, order.ring_bytes >> 20),
                    packet_filter=order.capture_filter,
                    fanout=order.fanout,
                    promiscuous=order.is_promiscuous,
                )
            )
            store = None
            if order.packets_dir:
                store = stack.enter_context(closing(PacketStore(Path(order.packets_dir), order.packets_bytes)))
            Worker(link, order, ring, store, frames).run()
    except CaptureError as error:
        trouble = Trouble(type(error).__name__, str(error), getattr(error, "should_retry", True))
        with suppress(OSError):
            link.settimeout(FAREWELL_SECONDS)
            link.sendall(frame(Kind.PROBLEM, msgspec.msgpack.encode(trouble)))
        return EXIT_TROUBLE
    except (BrokenPipeError, ConnectionResetError, LinkError):  # the service is gone: nobody to tell
        return 0
    return 0


def receive_order(link: socket.socket) -> tuple[Order, Frames]:
    """Wait for the first frame. Raises LinkError when it is none, or the service goes first."""
    link.settimeout(_ORDER_SECONDS)
    frames = Frames()
    while piece := link.recv(1 << 16):
        for kind, body in frames.feed(piece):
            if kind is not Kind.ORDER:
                raise LinkError(f"{kind.name} before the order")
            return msgspec.msgpack.decode(body, type=Order), frames
    raise LinkError("closed before the order")


class Worker:
    """The loop: packets in, frames out. `clock` is monotonic, `now` microseconds of the wall clock."""

    def __init__(
        self,
        link: socket.socket,
        order: Order,
        ring: PacketSource,
        store: PacketSink | None,
        frames: Frames,
        *,
        clock: Clock = time.monotonic,
        now: Callable[[], int] = lambda: time.time_ns() // 1000,
    ) -> None:
        link.setblocking(False)  # with a timeout Python would wait before it even asks
        self._link = link
        self._ring = ring
        self._store = store
        self._frames = frames
        self._clock = clock
        self._now = now
        self._outlet = Outlet(link, order.outlet_bytes)
        self._sensor = _sensor_of(order)
        self._is_told_to_shed = False
        self._is_stopping = False

    def run(self) -> None:
        """Capture until told to stop, then report what is open. Raises CaptureError; OSError without the service."""
        self._outlet.put(Kind.STARTED)
        due = self._clock() + TICK_SECONDS
        while not self._is_stopping:
            self._capture()
            if self._clock() >= due:
                due = self._clock() + TICK_SECONDS
                self._send(self._sensor.tick(self._now()))
                self._report()
            self._outlet.flush()
            self._listen()
            is_behind = self._ring.fill_ratio > SHED_RATIO
            self._sensor.is_shedding = self._is_told_to_shed or self._outlet.is_pressed or is_behind
        for events in self._sensor.endings():
            self._send(events)
        self._report()
        self._outlet.drain(FAREWELL_SECONDS)

    def _capture(self) -> None:
        block = self._ring.wait(WAIT_SECONDS)
        if block is None:
            return
        if self._store is not None:
            self._store.write(block)
        self._send(self._sensor.take(block))

    def _send(self, events: list[Event]) -> None:
        if events:
            self._outlet.put_events(events)

    def _listen(self) -> None:
        try:
            piece = self._link.recv(1 << 16, socket.MSG_DONTWAIT)
        except (BlockingIOError, InterruptedError):
            return
        if not piece:
            self._is_stopping = True
        for kind, body in self._frames.feed(piece):
            if kind is Kind.STOP:
                self._is_stopping = True
            elif kind is Kind.SHED:
                self._is_told_to_shed = body == b"1"

    def _report(self) -> None:
        ring = self._ring.statistics()
        tally = tally_of(
            self._sensor.counts, ring_drops=ring.drops, ring_freezes=ring.freezes, events_lost=self._outlet.events_lost
        )
        self._outlet.put(Kind.COUNTS, msgspec.msgpack.encode(tally))


def _sensor_of(order: Order) -> Sensor:
    origin = {"observer.name": order.observer, "observer.ingress.interface.name": order.interface}
    limits = FlowLimits(order.idle_seconds, order.active_seconds, order.max_flows)
    ports = None if order.decoded_ports is None else frozenset(order.decoded_ports)
    return Sensor(origin, limits, ports, seed=secrets.randbits(64))


if __name__ == "__main__":
    sys.exit(main())
