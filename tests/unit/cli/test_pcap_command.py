"""`sakimori pcap`."""

import gzip
import json
import subprocess
import sys
from ctypes.util import find_library
from pathlib import Path

import pytest

from packets.frames import pcap_file, reply, segment

SCAN = pcap_file([frame for port in range(1, 4) for frame in (segment("S", port), reply("RA", port))])
COMMAND = [sys.executable, "-c", "import typer; from sakimori.commands.pcap import pcap; typer.run(pcap)"]


def sakimori_pcap(*arguments: str | Path, given: bytes = b"") -> "subprocess.CompletedProcess[bytes]":
    return subprocess.run([*COMMAND, *map(str, arguments)], input=given, capture_output=True, check=False, timeout=60)


@pytest.fixture
def scan(tmp_path: Path) -> Path:
    path = tmp_path / "scan.pcap"
    path.write_bytes(SCAN)
    return path


def test_events_go_to_stdout_and_the_summary_to_stderr(scan: Path) -> None:
    done = sakimori_pcap(scan)
    events = [json.loads(line) for line in done.stdout.splitlines()]
    assert done.returncode == 0
    flows = [event for event in events if event["event.dataset"] == "network.flow"]
    assert [event["destination.port"] for event in flows] == [1, 2, 3]
    assert {event["log.file.path"] for event in events} == {str(scan)}
    assert b"scan.pcap: 6 packets; 3 flows; 7 events (network.device 4, network.flow 3); " in done.stderr
    assert b" packets/s, " in done.stderr


def test_devices_are_told_by_their_address(scan: Path) -> None:
    events = [json.loads(line) for line in sakimori_pcap(scan).stdout.splitlines()]
    devices = {event["device.mac"] for event in events if event.get("event.action") == "device.discovered"}
    assert devices == {"00-00-5E-00-53-01", "00-00-5E-00-53-02"}


@pytest.mark.skipif(find_library("pcap") is None, reason="libpcap, which compiles filters, is not installed")
def test_a_filter_leaves_packets_out(scan: Path) -> None:
    done = sakimori_pcap("--filter", "tcp dst port 2 or tcp src port 2", scan)
    flows = [event for event in map(json.loads, done.stdout.splitlines()) if event["event.dataset"] == "network.flow"]
    assert [event["destination.port"] for event in flows] == [2]


def test_a_filter_that_is_none_is_wrong_usage(scan: Path) -> None:
    done = sakimori_pcap("--filter", "port and or", scan)
    assert (done.returncode, done.stdout) == (2, b"")
    assert done.stderr.startswith(b"--filter: ")
    assert b"Traceback" not in done.stderr


def test_stdin_is_read_as_dash_compressed_too() -> None:
    done = sakimori_pcap("-", given=gzip.compress(SCAN))
    assert (done.returncode, len(done.stdout.splitlines())) == (0, 7)


def test_a_refused_file_does_not_keep_the_others_from_being_read(scan: Path, tmp_path: Path) -> None:
    (tmp_path / "empty.pcap").touch()
    (tmp_path / "text.pcap").write_text("hello, world")
    done = sakimori_pcap(tmp_path / "empty.pcap", tmp_path / "text.pcap", scan)
    assert (done.returncode, len(done.stdout.splitlines())) == (1, 7)
    assert b"empty.pcap: is empty\n" in done.stderr
    assert b"text.pcap: is no pcap or pcapng capture (begins with 68 65 6c 6c)\n" in done.stderr


def test_a_cut_capture_is_read_with_a_warning(tmp_path: Path) -> None:
    (tmp_path / "cut.pcap").write_bytes(SCAN[:-1])
    done = sakimori_pcap(tmp_path / "cut.pcap")
    assert (done.returncode, len(done.stdout.splitlines())) == (0, 7)
    assert b"cut.pcap: warning: cut within record 6" in done.stderr


def test_a_missing_file_and_a_folder_are_wrong_usage(scan: Path, tmp_path: Path) -> None:
    done = sakimori_pcap(scan, tmp_path, tmp_path / "none.pcap")
    assert (done.returncode, done.stdout) == (2, b"")
    assert b"none.pcap: no such file\n" in done.stderr
    assert b": is a folder, name the captures in it\n" in done.stderr


def test_a_reader_that_has_enough_is_no_error(tmp_path: Path) -> None:
    path = tmp_path / "long.pcap"
    path.write_bytes(pcap_file([segment("S", port) for port in range(1, 5000)]))
    process = subprocess.Popen([*COMMAND, str(path)], stdout=subprocess.PIPE, stderr=subprocess.PIPE)
    assert process.stdout is not None
    process.stdout.readline()
    process.stdout.close()
    assert process.stderr is not None
    said = process.stderr.read()
    process.stderr.close()
    assert (process.wait(60), b"Traceback" in said) == (0, False)
