"""The part of a stream that is being walked, and the columns its packets go to."""

from typing import Final, NamedTuple, Self

import numpy as np
import numpy.typing as npt

from sakimori_packet_sensor.domain.capture.block import Block
from sakimori_packet_sensor.domain.capture.contract import Stream

WINDOW_BYTES: Final = 1 << 20
"""Small enough to stay in the processor's cache between reading and walking, large enough for thousands of packets."""
BLOCK_PACKETS: Final = 1 << 14


class Window:
    """Bytes [at, end) of `data` are read and not yet walked; `data[0]` is byte `origin` of the stream."""

    def __init__(self, stream: Stream, size: int = WINDOW_BYTES) -> None:
        self._stream = stream
        self._reserve(size)
        self.at = self.end = self.origin = 0

    def _reserve(self, size: int) -> None:
        self.data: npt.NDArray[np.uint8] = np.empty(size, np.uint8)
        self._bytes = self.data.data

    @property
    def place(self) -> int:
        """Where in the stream `at` is."""
        return self.origin + self.at

    @property
    def left(self) -> int:
        """Bytes read and not yet walked."""
        return self.end - self.at

    def has(self, count: int) -> bool:
        """Read on until there are `count` bytes from `at`; False when the stream ends before. Blocks handed out go."""
        if self.left >= count:
            return True
        self._make_room(count)
        while self.left < count:
            got = self._stream.readinto(self._bytes[self.end :])
            if not got:
                return False
            self.end += got
        return True

    def take(self, count: int) -> bytes:
        """Hand out the next bytes, up to `count`, which must have been asked for with `has`."""
        taken = bytes(self._bytes[self.at : min(self.at + count, self.end)])
        self.at += len(taken)
        return taken

    def _make_room(self, count: int) -> None:
        rest = self.data[self.at : self.end]
        if count > len(self.data):
            self._reserve(max(count, 2 * len(self.data)))
        self.data[: len(rest)] = rest  # NumPy minds that the two may overlap
        self.origin += self.at
        self.at, self.end = 0, len(rest)


class Columns(NamedTuple):
    """Room for the index of one block, filled by a compiled walker; columns as in Block."""

    at: npt.NDArray[np.int64]
    captured: npt.NDArray[np.int32]
    wire: npt.NDArray[np.int32]
    time: npt.NDArray[np.int64]
    link: npt.NDArray[np.int32]

    @classmethod
    def of(cls, packets: int) -> Self:
        """Make room for as many packets."""
        times, lengths = np.empty((2, packets), np.int64), np.empty((3, packets), np.int32)
        return cls(times[0], lengths[0], lengths[1], times[1], lengths[2])

    def block(self, data: npt.NDArray[np.uint8], count: int) -> Block:
        """Make a block of the first `count` entries."""
        at, captured, wire, time, link = self
        return Block(data, at[:count], captured[:count], wire[:count], time[:count], link[:count])
