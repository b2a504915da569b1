"""From a packet on the wire to its event on the bus, in a network namespace of its own.

    python -m bench.sensor.latency [--rate 200] [--seconds 10] [--urgent]

As root. DNS questions go into one end of a veth pair at a steady rate; a capture worker reads the other end, as the
service starts it, and the service's own intake (devices, outbox, publisher) puts the events on the bus in memory, whose
consumers note the time. The time of a packet is the kernel's; both clocks are this machine's. `--urgent` runs the
worker and this process before everything else (SCHED_FIFO), for machines that are busy with other things.
"""

import argparse
import asyncio
import ctypes
import os
import socket
import subprocess
import sys
import tempfile
import time
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from pathlib import Path
from statistics import mean, quantiles
from typing import Final

import structlog
from prometheus_client import CollectorRegistry
from scapy.layers.dns import DNS, DNSQR
from scapy.layers.inet import IP, UDP
from scapy.layers.l2 import Ether

from sakimori_common.bus import Message, Queue, Subscription
from sakimori_common.bus.memory import MemoryBus
from sakimori_common.bus.outbox import Outbox
from sakimori_common.bus.publisher import EventPublisher
from sakimori_common.bus.spool import Spool
from sakimori_common.contracts import EVENTS
from sakimori_common.instants import now
from sakimori_common.metrics import PublisherMetrics
from sakimori_packet_sensor.adapters.knowledge import shipped_rules
from sakimori_packet_sensor.adapters.link import Order
from sakimori_packet_sensor.adapters.vendors import manufacturer
from sakimori_packet_sensor.domain.devices.knowledge import Knowledge
from sakimori_packet_sensor.domain.devices.registry import Devices
from sakimori_packet_sensor.metrics import SensorMetrics
from sakimori_packet_sensor.workers import CaptureWorker, Workers

_CLONE_NEWNET: Final = 0x40000000
_SPOOL_BYTES: Final = 64 << 20
_WARM_UP: Final = 20


class Line:
    """A worker on `far` and the way of its events to the bus; `seconds` are those from packet to consumer."""

    def __init__(self, folder: Path) -> None:
        log = structlog.get_logger()
        metrics = SensorMetrics(CollectorRegistry())
        self.bus = MemoryBus()
        self.seconds: list[float] = []
        self._devices = Devices(Knowledge(shipped_rules(), None, manufacturer), {"observer.name": "bench"})
        self.outbox = Outbox(
            publisher=EventPublisher(self.bus, "packet-sensor", PublisherMetrics(CollectorRegistry())),
            spool=Spool(folder / "events", _SPOOL_BYTES),
            memory_events=50_000,
            metrics=metrics.outbox,
            log=log,
        )
        order = Order(
            interface="far",
            observer="bench",
            ring_bytes=16 << 20,
            is_promiscuous=True,
            capture_filter=None,
            fanout=None,
            max_flows=100_000,
            idle_seconds=300,
            active_seconds=1800,
            decoded_ports=None,
            packets_dir=str(folder / "packets"),
            packets_bytes=64 << 20,
            outlet_bytes=64 << 20,
        )
        take = lambda events: self.outbox.put(self._devices.observe(events))  # noqa: E731  # what LiveIntake does
        self.worker = CaptureWorker(order, take, metrics, log)

    async def consume(self, messages: Sequence[Message]) -> None:
        """Note how long each question was under way."""
        at = now()
        for message in messages:
            events = EVENTS.decode(message.body)
            self.seconds += [(at - event.time) / 1e6 for event in events if event.dataset == "network.dns"]


async def measure(rate: float, seconds: float, *, is_urgent: bool) -> list[float]:
    """Send for so long, and return the seconds from each packet to its event at the consumer."""
    with tempfile.TemporaryDirectory() as folder:
        async with _running(Line(Path(folder))) as line:
            if is_urgent:
                for process in (0, line.worker.pid or 0):
                    os.sched_setscheduler(process, os.SCHED_FIFO, os.sched_param(1))
            with socket.socket(socket.AF_PACKET, socket.SOCK_RAW) as sender:
                sender.bind(("near", 0))
                for number in range(_WARM_UP):  # the first packets wait for what is compiled or loaded
                    sender.send(_question(number))
                while len(line.seconds) < _WARM_UP:
                    await asyncio.sleep(0.1)
                line.seconds.clear()
                count = int(rate * seconds)
                begin = time.monotonic()
                for number in range(count):
                    await asyncio.sleep(max(0.0, begin + number / rate - time.monotonic()))
                    sender.send(_question(number + _WARM_UP))
                deadline = time.monotonic() + 10
                while len(line.seconds) < count and time.monotonic() < deadline:
                    await asyncio.sleep(0.05)
            return line.seconds


@asynccontextmanager
async def _running(line: Line) -> AsyncIterator[Line]:
    async def detect(_: Sequence[Message]) -> None:
        return

    await line.bus.consume(Subscription(Queue.STORE, line.consume))
    await line.bus.consume(Subscription(Queue.DETECT, detect))
    start = lambda work, _: asyncio.ensure_future(work)  # noqa: E731  # no service here that a failure could stop
    async with line.outbox.running(start), Workers([line.worker]).running(start):
        while line.worker.problem is not None:
            await asyncio.sleep(0.1)
        yield line


def _question(number: int) -> bytes:
    ends = Ether(src="00:00:5e:00:53:01", dst="00:00:5e:00:53:02") / IP(src="192.0.2.10", dst="198.51.100.20")
    name = DNSQR(qname=f"n{number}.example")
    return bytes(ends / UDP(sport=1024 + number % 60_000, dport=53) / DNS(id=number % 65_536, rd=1, qd=name))


def _furnish() -> None:
    for name in ("all", "default"):
        Path(f"/proc/sys/net/ipv6/conf/{name}/disable_ipv6").write_text("1", encoding="ascii")
    for command in (
        "link set lo up",
        "link add near type veth peer name far",
        "link set near arp off up",
        "link set far arp off up",
    ):
        subprocess.run(["ip", *command.split()], check=True)


def main() -> int:
    """Measure and say it."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--rate", type=float, default=200)
    parser.add_argument("--seconds", type=float, default=10)
    parser.add_argument("--urgent", action="store_true")
    options = parser.parse_args()
    if ctypes.CDLL(None, use_errno=True).unshare(_CLONE_NEWNET) != 0:
        print("needs root: it makes a network namespace")
        return 1
    _furnish()
    found = asyncio.run(measure(options.rate, options.seconds, is_urgent=options.urgent))
    cuts = quantiles(found, n=100)
    print(
        f"packet to event on the bus, {len(found):,} of {int(options.rate * options.seconds):,} packets at "
        f"{options.rate:g}/s: mean {mean(found) * 1000:.1f} ms, median {cuts[49] * 1000:.1f}, "
        f"p95 {cuts[94] * 1000:.1f}, p99 {cuts[98] * 1000:.1f}, most {max(found) * 1000:.1f} ms"
    )
    return 0


if __name__ == "__main__":
    sys.exit(main())
