"""Blocks of packets taken apart, and made."""

from collections.abc import Iterable, Sequence
from typing import NamedTuple

import numpy as np

from sakimori_packet_sensor.domain.capture import Block


class Frame(NamedTuple):
    """One packet: microseconds, link type, bytes on the wire, the captured bytes."""

    time: int
    link_type: int
    wire_bytes: int
    data: bytes


def frames_of(blocks: Iterable[Block]) -> list[Frame]:
    """Copy every packet out of its block before the next block is asked for."""
    frames = []
    for block in blocks:
        for i in range(len(block.at)):
            data = block.data[block.at[i] : block.at[i] + block.captured[i]].tobytes()
            frames.append(Frame(int(block.time[i]), int(block.link[i]), int(block.wire[i]), data))
    return frames


def block_of(frames: Sequence[Frame]) -> Block:
    """Put packets into one block, with a gap of other bytes between them."""
    data = b"".join(b"\xee" * 7 + frame.data for frame in frames)
    sizes = np.array([len(frame.data) for frame in frames], np.int32)
    return Block(
        np.frombuffer(data, np.uint8),
        np.cumsum(sizes + 7, dtype=np.int64) - sizes,
        sizes,
        np.array([frame.wire_bytes for frame in frames], np.int32),
        np.array([frame.time for frame in frames], np.int64),
        np.array([frame.link_type for frame in frames], np.int32),
    )
