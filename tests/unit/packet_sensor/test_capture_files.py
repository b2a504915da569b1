"""Opening captures: files, pipes, compression."""

import gzip
import io
import os
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import numpy as np
import pytest

from packets.blocks import frames_of
from packets.frames import pcap_file
from sakimori_packet_sensor.adapters.files import open_capture
from sakimori_packet_sensor.domain.capture import CaptureError
from sakimori_packet_sensor.domain.capture.bpf import INSTRUCTION, PacketFilter

CAPTURE = pcap_file([bytes([number]) * 900 for number in range(200)])


def count(source: Path | io.BufferedReader, limit_bytes: int | None = None) -> tuple[int, str | None]:
    with open_capture(source, limit_bytes=limit_bytes) as capture:
        return sum(len(block.at) for block in capture), capture.cut


def test_a_compressed_capture_is_told_by_its_content(tmp_path: Path) -> None:
    path = tmp_path / "capture.pcap"
    path.write_bytes(gzip.compress(CAPTURE))
    assert count(path) == (200, None)


def test_a_capture_may_come_from_a_pipe() -> None:
    assert count(io.BufferedReader(io.BytesIO(CAPTURE))) == (200, None)  # type: ignore[arg-type,type-var,unused-ignore]  # BytesIO is raw enough


def test_a_cut_compression_is_read_up_to_the_cut(tmp_path: Path) -> None:
    path = tmp_path / "cut.pcap.gz"
    packed = gzip.compress(CAPTURE, compresslevel=0)
    path.write_bytes(packed[: len(packed) // 2])
    packets, cut = count(path)
    assert 50 < packets < 150
    assert cut is not None
    assert "compression is cut or damaged" in cut


def test_damaged_compression_without_a_packet_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "damaged.pcap.gz"
    path.write_bytes(b"\x1f\x8b\x08\x00garbage that no one compressed")
    with pytest.raises(CaptureError, match="compression is cut or damaged"):
        count(path)


def test_no_more_is_unpacked_than_allowed(tmp_path: Path) -> None:
    """A compressed capture may hold a thousand times what it takes on the wire."""
    path = tmp_path / "bomb.pcap.gz"
    path.write_bytes(gzip.compress(pcap_file([b"\0" * 60_000] * 100)))
    packets, cut = count(path, limit_bytes=1_000_000)
    assert packets == 16
    assert cut == "holds more than may be read of one capture"


def test_a_capture_as_long_as_allowed_is_whole(tmp_path: Path) -> None:
    path = tmp_path / "capture.pcap"
    path.write_bytes(CAPTURE)
    assert count(path, limit_bytes=len(CAPTURE)) == (200, None)


@pytest.mark.parametrize(("name", "message"), [("folder", "is a folder"), ("nothing", "No such file")])
def test_what_cannot_be_opened_is_refused(tmp_path: Path, name: str, message: str) -> None:
    (tmp_path / "folder").mkdir()
    with pytest.raises(CaptureError, match=message):
        count(tmp_path / name)


def test_an_error_of_the_reader_stays_the_readers(tmp_path: Path) -> None:
    """A broken pipe on the way out is no fault of the capture."""
    path = tmp_path / "capture.pcap"
    path.write_bytes(CAPTURE)
    with pytest.raises(BrokenPipeError), open_capture(path):
        raise BrokenPipeError


def test_a_named_pipe_is_read_as_it_is_written(tmp_path: Path) -> None:
    path = tmp_path / "pipe"
    os.mkfifo(path)
    with ThreadPoolExecutor(1) as writers:
        written = writers.submit(path.write_bytes, CAPTURE)
        assert count(path) == (200, None)
        assert written.result() == len(CAPTURE)


def test_a_pipe_that_nobody_writes_into_is_refused_in_time(tmp_path: Path) -> None:
    path = tmp_path / "pipe"
    os.mkfifo(path)
    with (
        pytest.raises(CaptureError, match="a pipe that nobody wrote into"),
        open_capture(path, pipe_seconds=0.05),
    ):
        pass


def test_a_device_is_refused() -> None:
    """/dev/zero never ends, a terminal never begins."""
    with pytest.raises(CaptureError, match="neither a file nor a pipe"):
        count(Path("/dev/zero"))


@pytest.mark.skipif(os.geteuid() == 0, reason="root may read everything")
def test_a_file_that_may_not_be_read_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "capture.pcap"
    path.write_bytes(CAPTURE)
    path.chmod(0)
    with pytest.raises(CaptureError, match="Permission denied"):
        count(path)


def test_a_file_that_grows_is_read_as_far_as_it_is_when_its_end_is_reached(tmp_path: Path) -> None:
    path = tmp_path / "growing.pcap"
    path.write_bytes(CAPTURE[:-1])
    with open_capture(path) as capture:
        blocks = iter(capture)
        assert len(next(blocks).at) == 199
        with path.open("ab") as file:
            file.write(CAPTURE[-1:] + CAPTURE[24 : 24 + 500])
        assert len(next(blocks).at) == 1
        assert list(blocks) == []
        assert capture.cut == f"cut within record 201 at byte {len(CAPTURE)}: 484 of 900 bytes"


def test_a_file_that_is_emptied_while_it_is_read_just_ends(tmp_path: Path) -> None:
    """A mapped file would kill the process here."""
    path = tmp_path / "capture.pcap"
    path.write_bytes(pcap_file([b"\0" * 60_000] * 40))
    with open_capture(path) as capture:
        blocks = iter(capture)
        first = len(next(blocks).at)
        path.write_bytes(b"")
        assert 0 < first < 40
        assert list(blocks) == []
        assert capture.cut is not None


def test_a_filter_leaves_only_what_it_accepts(tmp_path: Path) -> None:
    path = tmp_path / "capture.pcap"
    path.write_bytes(pcap_file([b"even", b"odd..", b"even", b"odd.."]))
    longer_than_four = np.array([(0x80, 0, 0, 0), (0x25, 0, 1, 4), (6, 0, 0, 65_535), (6, 0, 0, 0)], INSTRUCTION)
    with open_capture(path, packet_filter=PacketFilter(lambda _: longer_than_four)) as capture:
        assert [frame.data for frame in frames_of(capture)] == [b"odd..", b"odd.."]
