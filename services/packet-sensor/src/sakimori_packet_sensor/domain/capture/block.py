"""Packets by the thousand: one buffer, and where in it they are."""

from typing import NamedTuple

import numpy as np
import numpy.typing as npt


class Block(NamedTuple):
    """Packets in capture order, n of them. The arrays belong to the reader until it is asked for the next block.

    `data` uint8, the buffer; `at` int64, where each packet's link header begins; `captured` int32, bytes of it in the
    buffer; `wire` int32, bytes on the wire; `time` int64, microseconds since the epoch; `link` int32, link types as
    tcpdump.org/linktypes numbers them (NO_LINK where the capture does not say).
    """

    data: npt.NDArray[np.uint8]
    at: npt.NDArray[np.int64]
    captured: npt.NDArray[np.int32]
    wire: npt.NDArray[np.int32]
    time: npt.NDArray[np.int64]
    link: npt.NDArray[np.int32]

    def part(self, begin: int, end: int) -> "Block":
        """Take some of the packets; nothing is copied."""
        data, at, captured, wire, time, link = self
        places = slice(begin, end)
        return Block(data, at[places], captured[places], wire[places], time[places], link[places])
