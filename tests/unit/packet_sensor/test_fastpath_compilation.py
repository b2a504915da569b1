"""Where compiled code is kept, and that nothing reads beyond its arrays."""

import os
import subprocess
import sys
from pathlib import Path

import pytest

from sakimori_packet_sensor.compiled import is_ours, take_over, version_of

START = """
import json
from sakimori_packet_sensor.domain.fastpath import loop
from sakimori_packet_sensor.domain.fastpath.fast_path import FastPath
from sakimori_packet_sensor.domain.fastpath.limits import FlowLimits
FastPath(FlowLimits(flows=10))
print(json.dumps([sum(loop.process.stats.cache_hits.values()), sum(loop.process.stats.cache_misses.values())]))
"""


READ = """
from io import BytesIO
from packets.frames import pcap_file, segment
from sakimori_packet_sensor.domain.capture.reader import read_capture
from sakimori_packet_sensor.domain.sensor import Sensor
sensor = Sensor({})
for block in read_capture(BytesIO(pcap_file([segment("S")]))):
    sensor.take(block)
print(sensor.counts.packets)
"""

SETTINGS = {"NUMBA_CACHE_DIR", "XDG_CACHE_HOME"}


def run(program: str, environment: dict[str, str]) -> str:
    done = subprocess.run(
        [sys.executable, "-c", program], env=environment, capture_output=True, text=True, check=False, timeout=600
    )
    assert done.returncode == 0, done.stderr
    return done.stdout.strip()


def start(**changes: str) -> str:
    environment = {
        name: value for name, value in os.environ.items() if name not in {"NUMBA_CACHE_DIR", "XDG_CACHE_HOME"}
    }
    return run(START, environment | changes)


@pytest.mark.timeout(600)
def test_a_second_start_compiles_nothing_even_where_the_home_cannot_be_written(tmp_path: Path) -> None:
    nowhere = tmp_path / "a file, no folder"
    nowhere.touch()
    temporary = tmp_path / "tmp"
    temporary.mkdir()
    changes = {"HOME": str(nowhere), "TMPDIR": str(temporary)}
    assert start(**changes) == "[0, 1]"
    assert start(**changes) == "[1, 0]"


def test_a_folder_that_others_may_write_is_not_trusted(tmp_path: Path) -> None:
    assert is_ours(tmp_path / "new")
    (tmp_path / "open").mkdir(mode=0o777)
    (tmp_path / "open").chmod(0o777)
    assert not is_ours(tmp_path / "open")


def test_a_link_in_place_of_the_folder_is_not_trusted(tmp_path: Path) -> None:
    (tmp_path / "elsewhere").mkdir(mode=0o700)
    (tmp_path / "link").symlink_to(tmp_path / "elsewhere")
    assert not is_ours(tmp_path / "link")


def test_a_changed_source_is_another_version(tmp_path: Path) -> None:
    (tmp_path / "one").mkdir()
    (tmp_path / "two").mkdir()
    (tmp_path / "one" / "a.py").write_text("x = 1\n")
    (tmp_path / "two" / "a.py").write_text("x = 2\n")
    assert version_of(tmp_path / "one") != version_of(tmp_path / "two")


def test_what_was_shipped_is_where_compiling_begins(tmp_path: Path) -> None:
    (tmp_path / "shipped" / "inner").mkdir(parents=True)
    (tmp_path / "shipped" / "inner" / "loop.nbi").write_text("shipped")
    folder = tmp_path / "cache" / "version"
    take_over(tmp_path / "shipped", folder)
    assert (folder / "inner" / "loop.nbi").read_text() == "shipped"
    assert list(folder.parent.iterdir()) == [folder]


def test_what_was_compiled_since_is_not_replaced_by_what_was_shipped(tmp_path: Path) -> None:
    for name in ("shipped", "cache"):
        (tmp_path / name).mkdir()
        (tmp_path / name / "loop.nbi").write_text(name)
    take_over(tmp_path / "shipped", tmp_path / "cache")
    assert (tmp_path / "cache" / "loop.nbi").read_text() == "cache"


def test_nothing_shipped_or_no_room_for_it_is_no_error(tmp_path: Path) -> None:
    (tmp_path / "shipped").mkdir()
    (tmp_path / "a file, no folder").touch()
    take_over(tmp_path / "none", tmp_path / "cache")
    take_over(tmp_path / "shipped", tmp_path / "a file, no folder" / "cache")
    assert not (tmp_path / "cache").exists()


@pytest.mark.timeout(600)
def test_after_precompiling_the_service_compiles_nothing_more(tmp_path: Path) -> None:
    tests = str(Path(__file__).resolve().parents[2])
    changes = {"NUMBA_CACHE_DIR": str(tmp_path), "NUMBA_CPU_NAME": "generic", "PYTHONPATH": tests}
    environment = os.environ | changes
    run("from sakimori_packet_sensor.precompile import main; main()", environment)
    before = {path: path.stat().st_mtime_ns for path in tmp_path.rglob("*.nb?")}
    assert run(READ, environment) == "1"
    assert {path: path.stat().st_mtime_ns for path in tmp_path.rglob("*.nb?")} == before
    assert {path.name.partition("-")[0] for path in before} >= {
        "loop.process",
        "pcap.index",
        "pcapng.index",
        "ring.index",
        "wanted.choose",
        "writing.pack",
    }


FUZZ = """
import random
from packets.blocks import block_of
from packets.samples import LINK_TYPES, SAMPLES
from sakimori_packet_sensor.domain.fastpath.fast_path import FastPath
from sakimori_packet_sensor.domain.fastpath.limits import FlowLimits

random.seed(20260116)
fast = FastPath(FlowLimits(idle_seconds=5, active_seconds=9, flows=40))
time = 0
for _ in range(400):
    packets = []
    for _ in range(50):
        data = bytearray(random.choice(SAMPLES))
        for _ in range(random.randrange(4)):
            data[random.randrange(len(data))] = random.randrange(256)
        time += random.choice([0, 10, 1_000_000])
        kept = bytes(data[: random.choice([len(data), random.randrange(len(data) + 1)])])
        packets.append((time, random.choice(LINK_TYPES), random.choice([len(data), 0, 9000]), kept))
    block, done = block_of(packets), 0
    while done < 50:
        done = fast.process(block, done)
        fast.take_ended()
        fast.take_folded()
fast.finish()
assert fast.counts.packets == 20_000
print(fast.counts)
"""


@pytest.mark.timeout(600)
def test_no_read_is_beyond_an_array(tmp_path: Path) -> None:
    """Numba checks bounds only when told to, so damaged frames are read once more with the checks."""
    tests = str(Path(__file__).resolve().parents[2])
    environment = os.environ | {"NUMBA_BOUNDSCHECK": "1", "NUMBA_CACHE_DIR": str(tmp_path), "PYTHONPATH": tests}
    assert "packets=20000" in run(FUZZ, environment)
