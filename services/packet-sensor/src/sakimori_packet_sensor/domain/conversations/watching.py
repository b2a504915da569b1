"""The cells of the flow table that are written by those who decode."""

from struct import Struct
from typing import Final

import numpy as np
import numpy.typing as npt

from sakimori_packet_sensor.domain.fastpath.layout import FLOW, Watch

_PLACE: Final = Struct("<I")


def _offset(name: str) -> int:
    fields = FLOW.fields
    return int(fields[name][1]) if fields else 0


_WATCH: Final = _offset("watch")
_SKIP_TO: Final = _offset("skip_to")
_ALL, _NONE, _BEYOND = int(Watch.ALL), int(Watch.NONE), int(Watch.BEYOND)


class Watching:
    """Say which packets of a flow are wanted. Written as bytes: through NumPy a cell costs five times as much."""

    def __init__(self, table: npt.NDArray[np.void]) -> None:
        self._bytes = memoryview(table.view(np.uint8)).cast("B")  # type: ignore[arg-type]  # an array is a buffer
        self._size = FLOW.itemsize

    def everything(self, slot: int, side: int) -> None:
        """Ask for every packet of a side with payload."""
        self._bytes[slot * self._size + _WATCH + side] = _ALL

    def nothing(self, slot: int, side: int) -> None:
        """Ask for none of a side."""
        self._bytes[slot * self._size + _WATCH + side] = _NONE

    def beyond(self, slot: int, side: int, place: int) -> None:
        """Ask for what reaches beyond `place` in the stream of a side."""
        row = slot * self._size
        self._bytes[row + _WATCH + side] = _BEYOND
        _PLACE.pack_into(self._bytes, row + _SKIP_TO + 4 * side, place)
