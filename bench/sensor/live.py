"""The ring of an interface under load, in a network namespace of its own: what arrives, what is lost, what it costs.

    python -m bench.sensor.live [--rate 300000] [--seconds 5] [--ring-mb 64] [--least-mean 0] [--urgent] [--scapy]

As root. A process of its own sends the packets of real captures into one end of a veth pair with sendmmsg,
at a steady rate; we read the other end. Each step is a run: the ring alone, the ring with the fast path, the ring with
the whole sensor; then the ring is left unread until it is full, so that what is lost must be counted. `--scapy` looks
for the rate up to which Scapy's sniffer loses nothing. CPU is that of the reading process, a packet. `--urgent` runs
both before everything else (SCHED_FIFO), for machines that are busy with other things: keep it short there.
"""

import argparse
import ctypes
import gc
import os
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Final, NamedTuple

import numpy as np
from scapy.all import AsyncSniffer, conf

from bench.sensor.generator import GO, READY
from bench.sensor.traffic import mixed
from sakimori_packet_sensor.adapters.ring import Ring, open_ring
from sakimori_packet_sensor.domain.capture import Block
from sakimori_packet_sensor.domain.fastpath.fast_path import FastPath
from sakimori_packet_sensor.domain.fastpath.limits import FlowLimits
from sakimori_packet_sensor.domain.sensor import Sensor
from sakimori_packet_sensor.worker import SHED_RATIO

_CLONE_NEWNET: Final = 0x40000000
_SCAPY_RATES: Final = (500, 1_000, 2_000, 4_000, 8_000)

Reader = Callable[[Block, Ring], None]


class Run(NamedTuple):
    """What one run gave; `rate` is what the generator reached."""

    sent: int
    rate: float
    megabits: float
    received: int
    dropped: int
    cpu_seconds: float

    def line(self, name: str) -> str:
        """Say it."""
        missing = self.sent - self.received - self.dropped
        cost = f"{self.cpu_seconds / max(self.received, 1) * 1e6:.2f} us of CPU a packet"
        lost = f"dropped {self.dropped:,} ({self.dropped / self.sent:.2%})"
        return (
            f"{name:<28} {self.rate:>9,.0f} packets/s {self.megabits:>7,.0f} Mbit/s  sent {self.sent:,}, read "
            f"{self.received:,}, {lost}, unaccounted {missing:,}; {cost}"
        )


def main() -> int:
    """Measure."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--rate", type=int, default=300_000)
    parser.add_argument("--seconds", type=float, default=5)
    parser.add_argument("--ring-mb", type=int, default=64)
    parser.add_argument("--least-mean", type=int, default=0, help="only captures with so many bytes a packet")
    parser.add_argument("--urgent", action="store_true")
    parser.add_argument("--scapy", action="store_true")
    options = parser.parse_args()
    if ctypes.CDLL(None, use_errno=True).unshare(_CLONE_NEWNET) != 0:
        print("needs root: it makes a network namespace")
        return 1
    _furnish()
    capture = Path(f"/dev/shm/sakimori-live-{os.getpid()}.pcap")  # noqa: S108  # in memory: the disk is no part of this
    mixed(1, least_mean=options.least_mean).write_pcap(capture)
    try:
        if options.urgent:
            os.sched_setscheduler(0, os.SCHED_FIFO, os.sched_param(1))
        _measure(capture, options.rate, options.seconds, options.ring_mb)
        os.sched_setscheduler(0, os.SCHED_OTHER, os.sched_param(0))
        if options.scapy:
            _measure_scapy(capture)
    finally:
        capture.unlink()
    return 0


def _furnish() -> None:
    for name in ("all", "default"):  # or the kernel sends packets of its own
        Path(f"/proc/sys/net/ipv6/conf/{name}/disable_ipv6").write_text("1")
    for command in (
        "link add near mtu 9000 type veth peer name far mtu 9000",
        "link set near arp off up",
        "link set far arp off up",
    ):
        subprocess.run(["ip", *command.split()], check=True)


def _measure(capture: Path, rate: int, seconds: float, ring_mb: int) -> None:
    print(f"ring of {ring_mb} MB, {rate:,} packets/s wanted, {os.cpu_count()} cores, load {os.getloadavg()[0]:.1f}")
    fast, sensor = FastPath(FlowLimits()), Sensor({})

    def flows(block: Block, _: Ring) -> None:
        first = 0
        while first < len(block.at):
            first = fast.process(block, first)
            fast.take_ended()

    def events(block: Block, ring: Ring) -> None:
        sensor.take(block)
        sensor.is_shedding = ring.fill_ratio > SHED_RATIO

    with open_ring("far", ring_mb=ring_mb) as ring:
        _read(ring, capture, 1000, 1, flows)  # what is compiled or touched for the first time
    for name, reader in (("ring", lambda *_: None), ("ring, flow table", flows), ("ring, whole sensor", events)):
        with open_ring("far", ring_mb=ring_mb) as ring:
            print(_read(ring, capture, rate, seconds, reader).line(name), flush=True)
    with open_ring("far", ring_mb=4) as ring:
        print(f"of these the sensor shed {sensor.counts.shed_packets:,} as whole flows")
        print(_leave_unread(ring, capture, rate, seconds).line("ring of 4 MB, left unread"), flush=True)


def _read(ring: Ring, capture: Path, rate: int, seconds: float, reader: Reader) -> Run:
    received = 0
    with _generator(capture, rate, seconds) as generator:
        _go(generator)
        gc.freeze()
        cpu = time.process_time()
        while (block := ring.wait(0.1)) is not None or generator.poll() is None:
            if block is not None:
                reader(block, ring)
                received += len(block.at)
        cpu = time.process_time() - cpu
        return _run(generator, received, ring.statistics().drops, cpu)


def _leave_unread(ring: Ring, capture: Path, rate: int, seconds: float) -> Run:
    with _generator(capture, rate, seconds) as generator:
        _go(generator)
        generator.wait()
        received = 0
        while (block := ring.wait(0.1)) is not None:
            received += len(block.at)
        return _run(generator, received, ring.statistics().drops, 0)


@contextmanager
def _generator(capture: Path, rate: int, seconds: float) -> Iterator["subprocess.Popen[str]"]:
    command = [
        sys.executable,
        "-m",
        "bench.sensor.generator",
        str(capture),
        "near",
        str(rate),
        str(int(rate * seconds)),
    ]
    with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True) as process:
        assert process.stdout is not None
        assert process.stdout.readline().strip() == READY
        yield process


def _go(generator: "subprocess.Popen[str]") -> None:
    assert generator.stdin is not None
    generator.stdin.write(GO + "\n")
    generator.stdin.flush()


def _run(generator: "subprocess.Popen[str]", received: int, dropped: int, cpu: float) -> Run:
    assert generator.stdout is not None
    sent, size, seconds = map(float, generator.stdout.readline().split())
    return Run(int(sent), sent / seconds, size * 8 / seconds / 1e6, received, dropped, cpu)


def _measure_scapy(capture: Path) -> None:
    conf.ifaces.reload()  # those of this namespace
    for rate in _SCAPY_RATES:
        counted = np.zeros(1, np.int64)

        def count(_: object, counted: "np.ndarray[tuple[int], np.dtype[np.int64]]" = counted) -> None:
            counted[0] += 1

        with _generator(capture, rate, 3) as generator:
            sniffer = AsyncSniffer(iface="far", store=False, prn=count)
            sniffer.start()
            time.sleep(0.5)
            cpu = time.process_time()
            _go(generator)
            generator.wait()
            time.sleep(1)  # what waits in its socket
            cpu = time.process_time() - cpu
            sniffer.stop()
            run = _run(generator, int(counted[0]), 0, cpu)
        print(run.line(f"Scapy's sniffer, {rate:,}/s"), flush=True)


if __name__ == "__main__":
    sys.exit(main())
