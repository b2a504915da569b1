"""What the compiled walkers share."""

from enum import IntEnum
from typing import Protocol

import numpy as np
import numpy.typing as npt
from numba import njit

from sakimori_packet_sensor.domain.capture.window import Columns, Window


class Stop(IntEnum):
    """Why a walker stopped."""

    FULL = 0
    """The columns are full."""
    MORE = 1
    """It needs more bytes than there are."""
    DAMAGED = 2
    OTHER = 3
    """What comes next is no packet, but must be read with care."""


class Walker(Protocol):
    """Reads the packets of one format."""

    def walk(self, window: Window, columns: Columns) -> int:
        """Index the packets that begin at `window.at`, moving it behind them; returns how many.

        0 means that the stream is over. Raises Cut where it cannot be read on.
        """


@njit(cache=True, nogil=True, inline="always")  # type: ignore[misc]  # numba has no types
def word(data: npt.NDArray[np.uint8], at: int, is_big: bool) -> int:
    """Read 32 bits, unsigned."""
    a, b, c, d = np.int64(data[at]), np.int64(data[at + 1]), np.int64(data[at + 2]), np.int64(data[at + 3])
    if is_big:
        return a << 24 | b << 16 | c << 8 | d
    return d << 24 | c << 16 | b << 8 | a
