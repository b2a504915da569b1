"""The interfaces that a section of a pcapng capture describes: link types, and how times are to be read."""

from typing import Final, NamedTuple

import numpy as np
import numpy.typing as npt

from sakimori_common.instants import LATEST, MICROSECONDS
from sakimori_packet_sensor.compiled import compiled
from sakimori_packet_sensor.domain.capture.contract import MAX_FRAME_BYTES, NO_LINK, bounded_time

MAX_INTERFACES: Final = 65_536
_LATEST = np.uint64(LATEST)
_MILLION = np.uint64(MICROSECONDS)
_ZERO, _ONE, _LOW_BITS, _WORD_BITS, _ALL_BITS = (
    np.uint64(0),
    np.uint64(1),
    np.uint64(0xFFFFFFFF),
    np.uint64(32),
    np.uint64(64),
)


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
    if exponent <= 25:
        return Resolution(1, 10 ** (exponent - 6), False, 0)
    return Resolution(0, 1, False, 0)  # finer than 64 bits of them make a microsecond


INTERFACE: Final = np.dtype(
    [("link", "i4"), ("snap", "i8"), ("up", "u8"), ("down", "u8"), ("binary", "?"), ("shift", "u8"), ("offset", "i8")]
)
"""One interface; `snap` bytes are kept of a packet, `offset` in microseconds."""
_UNDESCRIBED = (NO_LINK, MAX_FRAME_BYTES, *Resolution(1, 1, False, 0), 0)


class Interfaces:
    """In the order of their description; behind the `count` that there are `table` has one that is not described."""

    def __init__(self) -> None:
        self.table: npt.NDArray[np.void] = np.array([_UNDESCRIBED] * 4, INTERFACE)
        self.count = 0

    def add(self, link_type: int, snap_bytes: int, ticks: Resolution, offset_seconds: int) -> bool:
        """Add one; False when there are too many. `snap_bytes` 0 means all."""
        if self.count >= MAX_INTERFACES:
            return False
        offset = bounded_time(abs(offset_seconds) * MICROSECONDS)
        signed = offset if offset_seconds >= 0 else -offset
        self.table[self.count] = (link_type, snap_bytes or MAX_FRAME_BYTES, *ticks, signed)
        self.count += 1
        if self.count == len(self.table):
            self.table = np.concatenate([self.table, np.array([_UNDESCRIBED] * self.count, INTERFACE)])
        return True


@compiled
def microseconds(ticks: np.uint64, interface: np.void) -> int:
    """Read a time; what lies before 1970 or beyond the year 9999 is brought to there."""
    up, down = interface["up"], interface["down"]
    if interface["binary"]:
        value = _binary(ticks, interface["shift"])
    elif up <= _ONE:
        value = ticks // down * up
    else:
        value = _LATEST if ticks > _LATEST // up else ticks * up
    time: int = max(0, min(LATEST, np.int64(min(value, _LATEST)) + interface["offset"]))
    return time


@compiled
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
