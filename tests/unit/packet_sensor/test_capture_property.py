"""Whatever the bytes and however they come: the compiled walkers read what a plain reader reads, and always end."""

import io
from pathlib import Path
from struct import pack

import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from packets import slow_reader
from packets.blocks import Frame, frames_of
from packets.frames import START, pcap_file
from sakimori_packet_sensor.domain.capture import CaptureError
from sakimori_packet_sensor.domain.capture.reader import read_capture

ORDERS = st.sampled_from("<>")
WORDS = st.one_of(st.integers(0, 70), st.integers(0, 2**32 - 1))


class Dribble:
    """A stream that hands out few bytes at a time, as a slow pipe does."""

    def __init__(self, data: bytes, piece: int) -> None:
        self._rest = io.BytesIO(data)
        self._piece = piece

    def readinto(self, buffer: memoryview, /) -> int:
        return self._rest.readinto(buffer[: self._piece])


def read(data: bytes, *, piece: int, window_bytes: int, block_packets: int) -> tuple[list[Frame], bool] | None:
    try:
        capture = read_capture(Dribble(data, piece), window_bytes=window_bytes, block_packets=block_packets)
    except CaptureError:
        return None
    return frames_of(capture), capture.cut is not None


def agrees(data: bytes, piece: int, window_bytes: int = 4, block_packets: int = 3) -> bool:
    return read(data, piece=piece, window_bytes=window_bytes, block_packets=block_packets) == slow_reader.read(data)


@st.composite
def blocks(draw: st.DrawFn, order: str) -> bytes:
    """A pcapng block: of any type and content, most of them sound."""
    kind = draw(st.sampled_from([1, 1, 2, 3, 5, 6, 6, 6, 0xBAD]))
    data = draw(st.binary(max_size=70))
    if kind == 1:
        code = draw(st.sampled_from([9, 14, 2]))
        body = pack(f"{order}HHI", draw(st.integers(0, 300)), 0, draw(st.sampled_from([0, 4, 65_535])))
        body += pack(f"{order}HH", code, len(data)) + data + b"\0" * (-len(data) % 4)
    elif kind == 3:
        body = pack(f"{order}I", draw(WORDS)) + data
    elif kind in (2, 6):
        body = (
            pack(f"{order}HH", draw(st.integers(0, 2)), 0) if kind == 2 else pack(f"{order}I", draw(st.integers(0, 2)))
        )
        body += pack(f"{order}IIII", draw(WORDS), draw(WORDS), len(data), draw(WORDS))
        body += data
    else:
        body = data
    body += b"\0" * (-len(body) % 4)
    length = pack(f"{order}I", len(body) + 12)
    return pack(f"{order}I", kind) + length + body + length


@st.composite
def pcapng(draw: st.DrawFn) -> bytes:
    """Sections of either byte order."""
    data = b""
    for order in draw(st.lists(ORDERS, min_size=1, max_size=3)):
        data += pack(f"{order}IIIHHqI", 0x0A0D0D0A, 28, 0x1A2B3C4D, 1, 0, -1, 28)
        data += b"".join(draw(st.lists(blocks(order), max_size=6)))
    return data


@st.composite
def pcap(draw: st.DrawFn) -> bytes:
    """Any of the six kinds of pcap."""
    magic = draw(st.sampled_from(sorted(slow_reader.MAGICS)))
    order, _, header = slow_reader.MAGICS[magic]
    data = bytes.fromhex(magic) + pack(f"{order}HHiIII", 2, 4, 0, 0, 65_535, draw(WORDS))
    for packet in draw(st.lists(st.binary(max_size=70), max_size=6)):
        data += pack(f"{order}IIII", draw(WORDS), draw(WORDS), len(packet), draw(WORDS))
        data += b"\0" * (header - 16) + packet
    return data


@settings(deadline=None, max_examples=400)
@given(st.one_of(pcap(), pcapng()), st.integers(1, 200))
def test_what_is_sound_is_read_as_the_plain_reader_reads_it(data: bytes, piece: int) -> None:
    assert slow_reader.read(data) is not None
    assert agrees(data, piece)


@settings(deadline=None, max_examples=400)
@given(st.one_of(pcap(), pcapng()), st.integers(0, 400), st.binary(max_size=8), st.booleans(), st.integers(1, 200))
def test_what_is_damaged_is_read_up_to_the_damage(
    good: bytes, at: int, change: bytes, is_cut: bool, piece: int
) -> None:
    data = good[:at] + change + (b"" if is_cut else good[at + len(change) :])
    assert agrees(data, piece)


@settings(deadline=None, max_examples=200)
@given(st.sampled_from([b"", *map(bytes.fromhex, slow_reader.MAGICS), b"\x0a\x0d\x0d\x0a"]), st.binary(max_size=200))
@example(b"", b"")
def test_any_bytes_are_read_or_refused(magic: bytes, data: bytes) -> None:
    assert agrees(magic + data, 50)


def test_a_record_larger_than_the_window_is_read() -> None:
    data = pcap_file([b"x" * 200_000, b"y"])
    frames, is_cut = read(data, piece=1 << 20, window_bytes=64, block_packets=4) or ([], True)
    assert [len(frame.data) for frame in frames] == [200_000, 1]
    assert not is_cut


def test_times_of_every_resolution_are_exact() -> None:
    """Powers of ten and of two, up to what 64 bits hold: floating point would be some microseconds off."""
    for code in range(256):
        head = pack("<IIIHHqI", 0x0A0D0D0A, 28, 0x1A2B3C4D, 1, 0, -1, 28)
        head += pack("<IIHHIHHB3xHHI", 1, 32, 1, 0, 0, 9, 1, code, 0, 0, 32)
        for ticks in (0, 1, START, START * 1000 + 999, 2**63 + 1, 2**64 - 1):
            packet = pack("<IIIIIIII", 6, 32, 0, ticks >> 32, ticks & 0xFFFFFFFF, 0, 60, 32)
            assert agrees(head + packet, 1000, 1000), (code, ticks)


@pytest.mark.data
@pytest.mark.timeout(300)
def test_real_captures_are_read_as_the_plain_reader_reads_them(development_data: Path) -> None:
    compared = 0
    for path in sorted((development_data / "pcaps").rglob("*")):
        data = path.read_bytes() if path.is_file() else b""
        expected = slow_reader.read(data)
        if expected is not None:
            assert read(data, piece=1 << 20, window_bytes=1 << 16, block_packets=1000) == expected, path
            compared += 1
    assert compared > 200
