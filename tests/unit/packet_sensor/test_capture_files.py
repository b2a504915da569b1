"""Opening captures: files, pipes, compression."""

import gzip
import io
from pathlib import Path

import pytest

from packets.frames import pcap_file
from sakimori_packet_sensor.adapters.files import open_capture
from sakimori_packet_sensor.domain.capture import CaptureError

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


@pytest.mark.parametrize(("name", "message"), [("folder", "Is a directory"), ("nothing", "No such file")])
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
