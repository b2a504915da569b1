"""The fast path in packets a second of CPU time, beside its peers over the same packets.

    python -m bench.sensor.fastpath [--copies N] [--peers PYTHON] [--check]

PYTHON is an interpreter of its own that has dpkt, Scapy and NFStream:
`uv venv DIR && uv pip install --python DIR/bin/python dpkt scapy nfstream`. Suricata is measured when it is installed.
Peers do not do the same: Suricata reassembles TCP, decodes protocols and keeps more of each flow; NFStream has nDPI and
statistics on; dpkt decodes headers into a dictionary of flows; Scapy dissects everything.
"""

import argparse
import os
import resource
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Sequence
from pathlib import Path
from time import process_time
from typing import Final, NamedTuple

from bench.sensor.traffic import Traffic, mixed, syn_flood
from sakimori_packet_sensor.domain.fastpath.fast_path import FastPath
from sakimori_packet_sensor.domain.fastpath.layout import Watch
from sakimori_packet_sensor.domain.fastpath.limits import FlowLimits

RUNS: Final = 5
_FEW_COPIES: Final = 1
"""Scapy and dpkt get one copy of the traffic: their speed does not depend on it."""

DPKT: Final = """
import sys, time, dpkt
flows = {}
count, start = 0, time.process_time()
for _, data in dpkt.pcap.Reader(open(sys.argv[1], "rb")):
    count += 1
    try:
        ip = dpkt.ethernet.Ethernet(data).data
        if isinstance(ip, (dpkt.ip.IP, dpkt.ip6.IP6)):
            key = (ip.src, ip.dst, getattr(ip.data, "sport", 0), getattr(ip.data, "dport", 0))
            flow = flows.setdefault(min(key, (key[1], key[0], key[3], key[2])), [0, 0])
            flow[0] += 1
            flow[1] += len(data)
    except Exception:
        pass
print(count, time.process_time() - start)
"""
SCAPY: Final = """
import sys, time, itertools
from scapy.all import PcapReader
count, start = 0, time.process_time()
for _ in itertools.islice(PcapReader(sys.argv[1]), 10000):
    count += 1
print(count, time.process_time() - start)
"""
NFSTREAM: Final = """
import sys, time, os
from nfstream import NFStreamer
import resource
def used():
    return sum(resource.getrusage(who).ru_utime + resource.getrusage(who).ru_stime
               for who in (resource.RUSAGE_SELF, resource.RUSAGE_CHILDREN))
start = used()
count = sum(flow.bidirectional_packets for flow in
            NFStreamer(sys.argv[1], statistical_analysis=True, n_dissections=20, n_meters=1))
print(count, used() - start)
"""
SURICATA: Final = """%YAML 1.1
---
outputs:
  - eve-log:
      enabled: {eve}
      filetype: regular
      filename: eve.json
      types: [dns, tls, http, ssh, smb, dhcp, mqtt, flow]
stream: {{checksum-validation: no}}
pcap-file: {{checksum-checks: no}}
app-layer: {{protocols: {{modbus: {{enabled: yes}}, mqtt: {{enabled: yes}}}}}}
"""


class Figure(NamedTuple):
    """What one run came to."""

    name: str
    packets: int
    seconds: float

    @property
    def rate(self) -> float:
        """Packets a second of CPU time."""
        return self.packets / self.seconds


def fast_path(traffic: Traffic, *, is_watched: bool) -> Figure:
    """Run the best of RUNS; the table is used, so that pages of memory are there, as in a sensor that runs.

    `is_watched`: whether every payload is marked, else what decoders do is played that soon want no more of a flow.
    """
    fast = FastPath(FlowLimits())
    best = min(_seconds(fast, traffic, is_watched=is_watched) for _ in range(RUNS))
    return Figure("fast path, all payload marked" if is_watched else "fast path", traffic.packets, best)


def _seconds(fast: FastPath, traffic: Traffic, *, is_watched: bool) -> float:
    start = process_time()
    for block in traffic.blocks():
        done = 0
        while done < len(block.at):
            done = fast.process(block, done)
            if not is_watched:
                marks = fast.marks()
                slots = marks["flow"] >= 0
                fast.table["watch"][marks["flow"][slots], marks["side"][slots]] = Watch.NONE
            fast.take_ended()
    fast.take_folded()
    used = process_time() - start
    while not fast.finish():
        fast.take_ended()
    fast.take_ended()
    return used


def peer(name: str, python: Path, program: str, capture: Path) -> Figure | None:
    """Run a peer in its own interpreter; None when it cannot be imported there."""
    done = subprocess.run([python, "-c", program, capture], capture_output=True, text=True, check=False)
    if done.returncode:
        print(f"{name}: not measured ({done.stderr.strip().splitlines()[-1:]})", file=sys.stderr)
        return None
    packets, seconds = done.stdout.split()[-2:]
    return Figure(name, int(packets), float(seconds))


def suricata(capture: Path, packets: int, one: Path, *, has_eve: bool) -> Figure:
    """Run Suricata on one thread and without rules; what it takes for a single packet is subtracted."""
    used = _suricata_seconds(capture, has_eve=has_eve) - _suricata_seconds(one, has_eve=has_eve)
    return Figure("Suricata with eve.json" if has_eve else "Suricata without eve.json", packets, used)


def _suricata_seconds(capture: Path, *, has_eve: bool) -> float:
    with tempfile.TemporaryDirectory() as folder:
        configuration = Path(folder) / "suricata.yaml"
        configuration.write_text(SURICATA.format(eve="yes" if has_eve else "no"))
        before = resource.getrusage(resource.RUSAGE_CHILDREN)
        subprocess.run(
            ["suricata", "-c", configuration, "-r", capture, "-l", folder, "-S", os.devnull, "--runmode", "single"],
            capture_output=True,
            check=True,
        )
        after = resource.getrusage(resource.RUSAGE_CHILDREN)
    return after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime


def peers(traffic: Traffic, few: Traffic, python: Path | None) -> list[Figure]:
    """Measure every peer that is there, over the same packets."""
    figures = []
    with tempfile.TemporaryDirectory() as folder:
        capture, small, one = (Path(folder) / name for name in ("all.pcap", "few.pcap", "one.pcap"))
        traffic.write_pcap(capture)
        few.write_pcap(small)
        Traffic("one", next(few.blocks(1))).write_pcap(one)
        if shutil.which("suricata"):
            figures += [suricata(capture, traffic.packets, one, has_eve=has_eve) for has_eve in (False, True)]
        if python is not None:
            for name, program, file in (
                ("NFStream", NFSTREAM, capture),
                ("dpkt", DPKT, small),
                ("Scapy", SCAPY, small),
            ):
                figure = peer(name, python, program, file)
                figures += [figure] if figure else []
    return figures


AIMS: Final = {"Suricata without eve.json": 10, "NFStream": 25, "Scapy": 500}
_LEAST_MIXED: Final = 5e6
_LEAST_FLOOD: Final = 1e6
_LEAST_BITS: Final = 10e9
_SLACK: Final = 0.6
"""Of an aim, for a busy machine."""


def report(own: Sequence[tuple[Traffic, Figure]], others: Sequence[Figure]) -> list[str]:
    """Print all figures; returns the aims that were missed, with slack."""
    missed = []
    for traffic, figure in own:
        bits = figure.rate * traffic.wire_bytes / traffic.packets * 8
        print(f"{traffic.name:12} {figure.name:32} {figure.rate / 1e6:8.2f} M packets/s {bits / 1e6:10,.0f} Mbit/s")
    (mix, plain), (_, flood) = own[0], own[-1]
    bits = plain.rate * mix.wire_bytes / mix.packets * 8
    for name, value, aim in (
        ("packets/s", plain.rate, _LEAST_MIXED),
        ("bit/s", bits, _LEAST_BITS),
        ("flood, packets/s", flood.rate, _LEAST_FLOOD),
    ):
        missed += [f"{name}: {value:,.0f}, aim {aim:,.0f}"] if value < aim * _SLACK else []
    for figure in others:
        ratio = plain.rate / figure.rate
        print(f"{mix.name:12} {figure.name:32} {figure.rate / 1e6:8.3f} M packets/s; fast path: {ratio:,.1f} times")
        aim = AIMS.get(figure.name, 0)
        missed += [f"{figure.name}: {ratio:.1f} times, aim {aim}"] if ratio < aim * _SLACK else []
    print("Suricata reassembles TCP and decodes protocols, which the fast path leaves to others.")
    return missed


def main() -> int:
    """Measure and print; with --check return 1 when an aim is missed."""
    arguments = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    arguments.add_argument("--copies", type=int, default=10)
    arguments.add_argument("--peers", type=Path)
    arguments.add_argument("--check", action="store_true")
    chosen = arguments.parse_args()
    mix, large = mixed(chosen.copies), mixed(chosen.copies, "large", least_mean=500)
    flood = syn_flood(1_000_000)
    for traffic in (mix, large, flood):
        print(f"{traffic.name}: {traffic.packets:,} packets of {traffic.wire_bytes / traffic.packets:.0f} B")
    own = [(mix, fast_path(mix, is_watched=False)), (mix, fast_path(mix, is_watched=True))]
    own += [(traffic, fast_path(traffic, is_watched=False)) for traffic in (large, flood)]
    missed = report(own, peers(mix, mixed(_FEW_COPIES), chosen.peers))
    for aim in missed:
        print(f"missed: {aim}")
    return 1 if missed and chosen.check else 0


if __name__ == "__main__":
    sys.exit(main())
