"""Walking the blocks of a ring, as linux/if_packet.h lays them out. How the kernel fills them: tests/integration."""

import sys
from struct import pack

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from packets.blocks import Frame, frames_of
from packets.frames import START, segment
from sakimori_packet_sensor.domain.capture.ring import Source, index
from sakimori_packet_sensor.domain.capture.window import Columns

pytestmark = pytest.mark.skipif(sys.byteorder == "big", reason="the blocks here are little-endian, as the machine")

BLOCK_BYTES = 4096
RAW, COOKED = Source(1, False), Source(101, True)
VLAN_VALID, TPID_VALID = 1 << 4, 1 << 6


def packet(
    data: bytes,
    *,
    status: int = 1,
    tag: tuple[int, int] = (0, 0),
    protocol: int = 0x0800,
    wire_bytes: int | None = None,
) -> bytes:
    """A header, the address behind it, room for a VLAN tag, and the packet."""
    begin = 48 + 20 + 4
    following = (begin + len(data) + 15) // 16 * 16
    header = pack(
        "<6I2H2I2H8x",
        *(following, START // 1_000_000, 123_456_789, len(data), wire_bytes or len(data), status),
        *(begin, begin + 14, 0, tag[1], tag[0], 0),
    )
    address = pack("<HHiHBB8x", 17, int.from_bytes(protocol.to_bytes(2, "big"), "little"), 2, 1, 0, 6)
    return (header + address + b"room" + data).ljust(following, b"\0")


def ring_of(packets: list[bytes], count: int | None = None) -> bytes:
    """A ring whose second block has these packets."""
    header = pack("<5I", 1, 0, 1, len(packets) if count is None else count, 64)
    return bytes(BLOCK_BYTES) + (header.ljust(64, b"\0") + b"".join(packets)).ljust(BLOCK_BYTES, b"\0")


def walked(ring: bytes, source: Source = RAW, room: int = 100) -> list[Frame]:
    data, columns = np.frombuffer(bytearray(ring), np.uint8), Columns.of(room)
    count = index(data, BLOCK_BYTES, 2 * BLOCK_BYTES, source, columns)
    return frames_of([columns.block(data, count)])


def test_packets_are_found_with_time_and_lengths() -> None:
    ring = ring_of([packet(segment("S")), packet(b"cut short", wire_bytes=1500)])
    assert walked(ring) == [
        Frame(START + 123_456, 1, len(segment("S")), segment("S")),
        Frame(START + 123_456, 1, 1500, b"cut short"),
    ]


@pytest.mark.parametrize(
    ("status", "tag", "written"),
    [
        (1 | VLAN_VALID | TPID_VALID, (0x88A8, 0x6007), "88a86007"),
        (1 | VLAN_VALID, (0, 7), "81000007"),
        (1 | VLAN_VALID, (0, 0), "81000000"),
        (1, (0x8100, 7), ""),
    ],
)
def test_tags_are_put_back_behind_the_addresses(status: int, tag: tuple[int, int], written: str) -> None:
    """Also number 0, a priority alone; and none where the kernel says that there was none."""
    [frame] = walked(ring_of([packet(segment("S"), status=status, tag=tag)]))
    assert frame.data == segment("S")[:12] + bytes.fromhex(written) + segment("S")[12:]
    assert frame.wire_bytes == len(frame.data)


def test_without_link_headers_only_ip_is_known() -> None:
    frames = walked(
        ring_of([packet(b"4", protocol=0x0800), packet(b"6", protocol=0x86DD), packet(b"?", protocol=0x0806)]), COOKED
    )
    assert [(frame.link_type, frame.data) for frame in frames] == [(101, b"4"), (101, b"6"), (-1, b"?")]


def test_no_more_packets_are_taken_than_there_is_room_for() -> None:
    assert len(walked(ring_of([packet(b"x")] * 10), room=4)) == 4


@given(st.binary(max_size=300), st.integers(0, 400), st.integers(0, 2**32 - 1))
def test_nothing_beyond_the_block_is_ever_looked_at(damage: bytes, at: int, count: int) -> None:
    good = ring_of([packet(segment("S"))] * 3, count)
    place = BLOCK_BYTES + 12 + at
    ring = (good[:place] + damage + good[place + len(damage) :])[: 2 * BLOCK_BYTES] + b"\xff" * BLOCK_BYTES
    for frame in walked(ring):
        assert len(frame.data) <= BLOCK_BYTES
        assert b"\xff" * 64 not in frame.data or b"\xff" * 64 in damage
