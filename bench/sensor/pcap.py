"""The whole of `sakimori pcap` beside Suricata with eve.json: the same capture, one core each, CPU time.

    python -m bench.sensor.pcap [--copies 4] [--least-mean 0] [--downloads N] [--capture FILE]

Both are run as a user would: files in, NDJSON out, no rules, one thread. Of each the CPU time (user and system) is
taken, since other work on the machine does not change it much, and what it takes for a capture of one packet is
subtracted: imports, and the compiled code out of its cache. Suricata is left out where it is not installed.
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
from typing import Final, NamedTuple

import numpy as np

from bench.sensor.traffic import Traffic, downloads, mixed

_ROUNDS: Final = 3


class Run(NamedTuple):
    """One reading of a capture."""

    cpu_seconds: float
    lines: int


def cpu_of(command: Sequence[str], folder: Path, lines_in: str) -> Run:
    """Run a command in a folder; counts the lines of the file that it leaves there."""
    before = resource.getrusage(resource.RUSAGE_CHILDREN)
    with (folder / "stdout").open("wb") as out:
        subprocess.run(command, cwd=folder, stdout=out, stderr=subprocess.DEVNULL, check=True)
    after = resource.getrusage(resource.RUSAGE_CHILDREN)
    with (folder / lines_in).open("rb") as written:
        lines = sum(1 for _ in written)
    return Run(after.ru_utime - before.ru_utime + after.ru_stime - before.ru_stime, lines)


def sakimori(capture: Path, folder: Path) -> Run:
    """Run `sakimori pcap`."""
    return cpu_of([sys.executable, "-m", "sakimori", "pcap", str(capture)], folder, "stdout")


def suricata(capture: Path, folder: Path) -> Run:
    """Run Suricata with its own configuration, without rules and checksums (those of copies are wrong)."""
    command = ["suricata", "-r", str(capture), "-l", str(folder), "-S", os.devnull, "-k", "none", "--runmode", "single"]
    return cpu_of(command, folder, "eve.json")


def first_packet(traffic: Traffic) -> Traffic:
    """The capture that only tells what starting costs."""
    return Traffic("one packet", traffic.block.part(0, 1))


def measure(capture: Path, one: Path) -> None:
    """Print a line for each program: the least CPU of some rounds, taken in turns."""
    programs = {"sakimori pcap": sakimori} | ({"suricata, eve.json": suricata} if shutil.which("suricata") else {})
    least: dict[tuple[str, Path], Run] = {}
    for _ in range(_ROUNDS):
        for name, program in programs.items():
            for path in (one, capture):
                with tempfile.TemporaryDirectory() as folder:
                    run = program(path, Path(folder))
                least[name, path] = min(least.get((name, path), run), run)
    packets = _packets(capture)
    size = capture.stat().st_size / packets - 16
    print(f"{packets:,} packets, {size:.0f} bytes on average; CPU load {os.getloadavg()[0]:.1f}")
    for name in programs:
        start, whole = least[name, one], least[name, capture]
        seconds = whole.cpu_seconds - start.cpu_seconds
        print(
            f"{name}: {seconds:.2f} s CPU and {start.cpu_seconds:.2f} s to start, {whole.lines:,} events, "
            f"{packets / seconds:,.0f} packets/s, {seconds / whole.lines * 1e6:.1f} us an event"
        )


def _packets(capture: Path) -> int:
    from sakimori_packet_sensor.adapters.files import open_capture  # noqa: PLC0415  # loads the compiled part

    with open_capture(capture) as blocks:
        return int(np.sum([len(block.at) for block in blocks]))


def main() -> None:
    """Measure."""
    options = argparse.ArgumentParser(description=__doc__)
    options.add_argument("--copies", type=int, default=4, help="of the development captures, each with other addresses")
    options.add_argument("--least-mean", type=int, default=0, help="only captures of at least so many bytes a packet")
    options.add_argument("--capture", type=Path, help="a capture instead of those")
    options.add_argument("--downloads", type=int, default=0, help="so many files fetched by HTTP instead of captures")
    given = options.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        capture, one = given.capture or Path(folder) / "mixed.pcap", Path(folder) / "one.pcap"
        if given.downloads:
            traffic = downloads(given.downloads)
        else:
            traffic = mixed(given.copies if given.capture is None else 1, least_mean=given.least_mean)
        if given.capture is None:
            traffic.write_pcap(capture)
        first_packet(traffic).write_pcap(one)
        measure(capture, one)


if __name__ == "__main__":
    main()
