"""Blocks of packets, as captures hand them out: made, and taken apart."""

from collections.abc import Iterable, Sequence
from typing import NamedTuple

import numpy as np

from packets.frames import ETHERNET, START
from sakimori_packet_sensor.domain.capture.block import Block


class Frame(NamedTuple):
    """One packet: microseconds, link type, bytes on the wire, the captured bytes."""

    time: int
    link_type: int
    wire_bytes: int
    data: bytes


Packet = tuple[int, int, int, bytes]
"""The same without names."""


def frames_of(blocks: Iterable[Block]) -> list[Frame]:
    """Copy every packet out of its block before the next block is asked for."""
    frames = []
    for block in blocks:
        for i in range(len(block.at)):
            data = block.data[block.at[i] : block.at[i] + block.captured[i]].tobytes()
            frames.append(Frame(int(block.time[i]), int(block.link[i]), int(block.wire[i]), data))
    return frames


def block_of(packets: Sequence[Packet]) -> Block:
    """Put packets into one buffer, one behind the other."""
    times, links, wire, data = zip(*packets, strict=True) if packets else ((), (), (), ())
    captured = np.array([len(frame) for frame in data], np.int32)
    return Block(
        np.frombuffer(b"".join(data) or b"\0", np.uint8),
        np.cumsum(captured, dtype=np.int64) - captured,
        captured,
        np.array(wire, np.int32),
        np.array(times, np.int64),
        np.array(links, np.int32),
    )


def ethernet(frames: Sequence[bytes], *, at: int = START, every: int = 1000) -> Block:
    """Put whole Ethernet frames, so many microseconds apart, into one buffer."""
    return block_of([(at + place * every, ETHERNET, len(frame), frame) for place, frame in enumerate(frames)])
