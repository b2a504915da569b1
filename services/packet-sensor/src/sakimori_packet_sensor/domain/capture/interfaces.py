"""The interfaces that a section of a pcapng capture describes: link types, and how times are to be read."""

from typing import Final, NamedTuple

import numpy as np
import numpy.typing as npt
from numba import njit

from sakimori_common.instants import LATEST, MICROSECONDS
from sakimori_packet_sensor.domain.capture.contract import bounded_time

MAX_INTERFACES: Final = 65_536
_LATEST = np.uint64(LATEST)
_MILLION = np.uint64(MICROSECONDS)
_ZERO, _LOW_BITS, _WORD_BITS, _ALL_BITS = np.uint64(0), np.uint64(0xFFFFFFFF), np.uint64(32), np.uint64(64)


class Resolution(NamedTuple):
    """Ticks to microseconds: `ticks * up // down`, or, when `is_binary`, `ticks * 1,000,000 >> shift`."""

    up: int
    down: int
    is_binary: bool
    shift: int


def resolution(code: int) -> Resolution:
    """Read option if_tsresol: ticks are negative powers of ten or, with the highest bit, of two."""
    exponent = code & 0x7F
    if code & 0x80:
        return Resolution(1, 1, True, exponent)
    if exponent <= 6:
        return Resolution(10 ** (6 - exponent), 1, False, 0)
    return Resolution(1, min(10 ** (exponent - 6), 2**64 - 1), False, 0)


INTERFACE: Final = np.dtype(
    [("link", "i4"), ("snap", "i8"), ("up", "u8"), ("down", "u8"), ("binary", "?"), ("shift", "u8"), ("offset", "i8")]
)
"""One interface; `snap` bytes are kept of a packet (0: all), `offset` in microseconds."""


class Interfaces:
    """In the order of their description; `table` has room for more than the `count` that there are."""

    def __init__(self) -> None:
        self.table: npt.NDArray[np.void] = np.zeros(4, INTERFACE)
        self.count = 0

    def add(self, link_type: int, snap_bytes: int, ticks: Resolution, offset_seconds: int) -> bool:
        """Add one; False when there are too many."""
        if self.count >= MAX_INTERFACES:
            return False
        if self.count == len(self.table):
            self.table = np.concatenate([self.table, np.zeros(self.count, INTERFACE)])
        offset = bounded_time(abs(offset_seconds) * MICROSECONDS)
        self.table[self.count] = (link_type, snap_bytes, *ticks, offset if offset_seconds >= 0 else -offset)
        self.count += 1
        return True


@njit(cache=True, nogil=True)  # type: ignore[misc]  # numba has no types
def microseconds(ticks: np.uint64, interface: np.void) -> int:
    """Read a time; what lies before 1970 or beyond the year 9999 is brought to there."""
    up, down = interface.up, interface.down
    if interface.binary:
        value = _binary(ticks, interface.shift)
    elif up == np.uint64(1):
        value = ticks // down
    else:
        value = _LATEST if ticks > _LATEST // up else ticks * up
    return max(0, min(LATEST, np.int64(min(value, _LATEST)) + interface.offset))


@njit(cache=True, nogil=True)  # type: ignore[misc]  # numba has no types
def _binary(ticks: np.uint64, shift: np.uint64) -> np.uint64:
    """Compute `ticks * 1,000,000 >> shift`, whose product may have 84 bits."""
    if shift < _WORD_BITS:
        whole = ticks >> shift
        if whole > _LATEST // _MILLION:
            return _LATEST
        return whole * _MILLION + ((ticks - (whole << shift)) * _MILLION >> shift)
    product = (ticks >> _WORD_BITS) * _MILLION + ((ticks & _LOW_BITS) * _MILLION >> _WORD_BITS)
    rest = shift - _WORD_BITS
    return product >> rest if rest < _ALL_BITS else _ZERO
