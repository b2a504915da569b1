"""Reading pcap and pcapng."""

import io
import shutil
import subprocess
from pathlib import Path
from struct import pack

import pytest
from scapy.layers.l2 import Ether
from scapy.utils import PcapNgWriter

from packets.blocks import Frame, frames_of
from packets.frames import START, pcap_file
from sakimori_packet_sensor.domain.capture import NO_LINK, CaptureError
from sakimori_packet_sensor.domain.capture.reader import read_capture


def read(data: bytes) -> tuple[list[Frame], str | None]:
    capture = read_capture(io.BytesIO(data))
    return frames_of(capture), capture.cut


def block(kind: int, body: bytes, order: str = "<") -> bytes:
    padded = body + b"\0" * (-len(body) % 4)
    length = pack(f"{order}I", len(padded) + 12)
    return pack(f"{order}I", kind) + length + padded + length


def section(order: str = "<") -> bytes:
    return block(0x0A0D0D0A, pack(f"{order}IHHq", 0x1A2B3C4D, 1, 0, -1), order)


def interface(link_type: int = 1, options: bytes = b"", order: str = "<", snap_bytes: int = 0) -> bytes:
    return block(1, pack(f"{order}HHI", link_type, 0, snap_bytes) + options, order)


def enhanced(
    data: bytes, ticks: int = START, number: int = 0, order: str = "<", wire_bytes: int | None = None
) -> bytes:
    head = pack(f"{order}IIIII", number, ticks >> 32, ticks & 0xFFFFFFFF, len(data), wire_bytes or len(data))
    return block(6, head + data, order)


@pytest.mark.parametrize(
    ("magic", "order", "fraction"),
    [
        ("d4c3b2a1", "<", 250_000),
        ("a1b2c3d4", ">", 250_000),
        ("4d3cb2a1", "<", 250_000_999),
        ("a1b23c4d", ">", 250_000_999),
    ],
)
def test_pcap_is_read_in_both_byte_orders_and_both_resolutions(magic: str, order: str, fraction: int) -> None:
    header = bytes.fromhex(magic) + pack(f"{order}HHiIII", 2, 4, 0, 0, 65_535, 101)
    record = pack(f"{order}IIII", 1_768_528_800, fraction, 3, 60)
    assert read(header + record + b"abc") == ([Frame(1_768_528_800_250_000, 101, 60, b"abc")], None)


def test_pcap_of_patched_kernels_has_eight_more_bytes_a_record() -> None:
    """As Alexey Kuznetzov's libpcap wrote it: interface, protocol and packet type behind the lengths."""
    header = bytes.fromhex("34cdb2a1") + pack("<HHiIII", 2, 4, 0, 0, 65_535, 1)
    record = pack("<IIIIIHBx", 1_768_528_800, 7, 3, 60, 2, 0x0800, 0) + b"abc"
    assert read(header + record * 2) == ([Frame(START + 7, 1, 60, b"abc")] * 2, None)


def test_link_type_of_pcap_is_the_lower_half_of_its_field() -> None:
    """The upper half tells how long the frame check sequence is."""
    [frame], _ = read(pcap_file([b"x"], link_type=0x24000001))
    assert frame.link_type == 1


@pytest.mark.parametrize(
    ("data", "message"),
    [
        (b"", "is empty"),
        (b"\x1f", "is no pcap or pcapng capture"),
        (b"GET / HTTP/1.1\r\n", "begins with 47 45 54 20"),
        (b"\xd4\xc3\xb2\xa1\x02\x00", "file header of 24 bytes"),
        (b"\x0a\x0d\x0d\x0a", "no byte-order magic"),
        (b"\x0a\x0d\x0d\x0a" + pack("<I", 8) + b"\x4d\x3c\x2b\x1a", "a section header of 8 bytes"),
        (section()[:20], "cut within a section header"),
    ],
)
def test_what_is_no_capture_is_refused_with_the_reason(data: bytes, message: str) -> None:
    with pytest.raises(CaptureError, match=message):
        read_capture(io.BytesIO(data))


def test_capture_without_packets_is_a_capture() -> None:
    assert read(pcap_file([])) == ([], None)
    assert read(section()) == ([], None)


@pytest.mark.parametrize("length", range(24 + 1, 24 + 16 + 4))
def test_cut_pcap_is_read_up_to_the_cut(length: int) -> None:
    frames, cut = read(pcap_file([b"abcd"])[:length])
    assert frames == []
    assert cut is not None
    assert "record 1 at byte 24" in cut


def test_impossible_length_ends_a_pcap_without_reading_it() -> None:
    data = pcap_file([b"abcd"]) + pack("<IIII", 0, 0, 0xFFFFFFF0, 60) + b"rest"
    frames, cut = read(data)
    assert [frame.data for frame in frames] == [b"abcd"]
    assert cut == "record 2 at byte 44 claims 4294967280 bytes: damaged from here on"


@pytest.mark.parametrize("order", ["<", ">"])
def test_pcapng_interfaces_have_their_own_link_type_resolution_and_offset(order: str) -> None:
    nanoseconds = pack(f"{order}HHB3x", 9, 1, 9)
    sixteenths = pack(f"{order}HHB3x", 9, 1, 0x84) + pack(f"{order}HHqHH", 14, 8, 1_768_528_800, 0, 0)
    data = (
        section(order)
        + interface(1, b"", order)
        + interface(101, nanoseconds, order)
        + interface(113, sixteenths, order)
        + enhanced(b"first", START, 0, order)
        + enhanced(b"second", START * 1000 + 999, 1, order)
        + enhanced(b"third", 8, 2, order, wire_bytes=1500)
    )
    assert read(data) == (
        [
            Frame(START, 1, 5, b"first"),
            Frame(START, 101, 6, b"second"),
            Frame(START + 500_000, 113, 1500, b"third"),
        ],
        None,
    )


def test_simple_packets_take_the_first_interface_and_the_time_before() -> None:
    data = section() + interface(1, snap_bytes=4) + enhanced(b"timed") + block(3, pack("<I", 9) + b"untimed-x")
    frames, _ = read(data)
    assert frames[1] == Frame(START, 1, 9, b"unti")


def test_the_obsolete_packet_block_is_read() -> None:
    body = pack("<HHIIII", 0, 7, START >> 32, START & 0xFFFFFFFF, 3, 64) + b"old"
    assert read(section() + interface() + block(2, body)) == ([Frame(START, 1, 64, b"old")], None)


def test_a_new_section_forgets_the_interfaces_and_may_change_the_byte_order() -> None:
    data = section() + interface(1) + enhanced(b"one") + section(">") + enhanced(b"two", order=">")
    frames, cut = read(data)
    assert [(frame.link_type, frame.data) for frame in frames] == [(1, b"one"), (NO_LINK, b"two")]
    assert cut is None


def test_unknown_blocks_are_passed_over() -> None:
    frames, cut = read(section() + block(0xBAD, b"12345") + interface() + block(5, b"1" * 20) + enhanced(b"x"))
    assert [frame.data for frame in frames] == [b"x"]
    assert cut is None


@pytest.mark.parametrize(
    ("damage", "message"),
    [
        (pack("<II", 6, 0xFFFFFFF0), "block 4 claims 4294967280 bytes"),
        (pack("<II", 6, 4), "block 4 claims 4 bytes"),
        (enhanced(b"x")[:-1], "block 4 is cut"),
        (enhanced(b"x")[:6], "cut within its header"),
        (enhanced(b"x")[:2], "cut within its header"),
        (enhanced(b"x")[:-4] + b"\0\0\0\0", "does not end with its length"),
        (block(6, b"1234"), "too short for a packet"),
        (block(6, pack("<IIIII", 0, 0, 0, 5000, 5000) + b"x"), "claims a packet of 5000 bytes"),
        (block(1, b"1234"), "describes no interface"),
        (b"\x0a\x0d\x0d\x0a" + b"\0" * 8, "no byte-order magic"),
    ],
)
def test_damaged_pcapng_is_read_up_to_the_damage(damage: bytes, message: str) -> None:
    frames, cut = read(section() + interface() + enhanced(b"good") + damage)
    assert [frame.data for frame in frames] == [b"good"]
    assert cut is not None
    assert message in cut


def test_time_beyond_what_an_event_can_carry_is_bounded() -> None:
    [frame], _ = read(section() + interface() + enhanced(b"x", 2**64 - 1))
    assert frame.time == 253_402_300_799_999_999


def test_pcapng_as_scapy_writes_it(tmp_path: Path) -> None:
    path = tmp_path / "scapy.pcapng"
    with PcapNgWriter(str(path)) as writer:
        frame = Ether(b"\x00\x00\x5e\x00\x53\x01\x00\x00\x5e\x00\x53\x02\x88\xb5payload")
        frame.time = 1_768_528_800.25
        writer.write(frame)
    [read_back], cut = read(path.read_bytes())
    assert (read_back.time, read_back.data, cut) == (START + 250_000, bytes(frame), None)


@pytest.mark.skipif(shutil.which("editcap") is None, reason="editcap (Wireshark) is not installed")
@pytest.mark.parametrize("file_format", ["pcap", "nsecpcap", "modpcap", "pcapng"])
def test_formats_as_wireshark_writes_them(tmp_path: Path, file_format: str) -> None:
    frames = [b"\x00\x00\x5e\x00\x53\x01\x00\x00\x5e\x00\x53\x02\x88\xb5" + b"x" * size for size in range(60, 70)]
    (tmp_path / "in.pcap").write_bytes(pcap_file(frames))
    subprocess.run(
        ["editcap", "-F", file_format, tmp_path / "in.pcap", tmp_path / "out"], check=True, capture_output=True
    )
    expected = [Frame(START + number * 1000, 1, len(frame), frame) for number, frame in enumerate(frames)]
    assert read((tmp_path / "out").read_bytes()) == (expected, None)
