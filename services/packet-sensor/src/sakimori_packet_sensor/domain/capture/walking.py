"""What the compiled walkers share."""

from enum import IntEnum
from typing import Any, Protocol

import numpy as np
import numpy.typing as npt

from sakimori_packet_sensor.compiled import compiled
from sakimori_packet_sensor.domain.capture.window import Columns, Window


class Stop(IntEnum):
    """Why a walker stopped."""

    NONE = 0
    FULL = 1
    """The columns are full."""
    MORE = 2
    """It needs more bytes than there are."""
    DAMAGED = 3
    OTHER = 4
    """What comes next is no packet, but must be read with care."""


class Walker(Protocol):
    """Reads the packets of one format."""

    def walk(self, window: Window, columns: Columns) -> int:
        """Index the packets that begin at `window.at`, moving it behind them; returns how many.

        0 means that the stream is over. Raises Cut where it cannot be read on.
        """


_1, _2, _3 = np.uint64(1), np.uint64(2), np.uint64(3)
_8, _16, _24 = np.uint32(8), np.uint32(16), np.uint32(24)


@compiled
def signed(value: np.unsignedinteger[Any] | int) -> int:
    """Make it 64 bits and signed: compiled, what is unsigned together with what is not becomes a float."""
    return np.int64(value)  # type: ignore[return-value]  # compiled, it is the same


@compiled
def word(data: npt.NDArray[np.uint8], at: int, is_big: bool) -> int:
    """Read 32 bits, unsigned. An unsigned index spares the question whether it counts from the end: 30 % faster."""
    i = np.uint64(at)
    a, b, c, d = np.uint32(data[i]), np.uint32(data[i + _1]), np.uint32(data[i + _2]), np.uint32(data[i + _3])
    value = a << _24 | b << _16 | c << _8 | d if is_big else d << _24 | c << _16 | b << _8 | a
    return signed(value)
