"""A capture that somebody asks for: packets of an interface into one file, bounded in size and time."""

import os
import time
from collections.abc import Callable
from pathlib import Path
from typing import BinaryIO, Final, NamedTuple

import numpy as np

from sakimori_packet_sensor.adapters.ring import open_ring
from sakimori_packet_sensor.domain.capture.writing import file_header, pack

_RING_MB: Final = 16
_BUFFER_BYTES: Final = 2 * 1024 * 1024
_LOOK_SECONDS: Final = 0.2


class Recording(NamedTuple):
    """What was recorded; `lost` packets found no room in the ring. `is_full` when the size ended it."""

    packets: int
    bytes: int
    lost: int
    is_full: bool


def record(
    interface: str,
    path: Path,
    *,
    max_bytes: int,
    seconds: float,
    packet_filter: str | None = None,
    is_stopped: Callable[[], bool] = lambda: False,
) -> Recording:
    """Write the packets of an interface to a new pcap file, until one of the bounds is reached or `is_stopped`.

    For a thread of its own: it waits, and asks `is_stopped` five times a second. Raises RingError, CaptureError for a
    bad filter, OSError for the file; what was written by then stays. The file may be read while it grows.
    """
    deadline = time.monotonic() + seconds
    packets, size, is_full = 0, 0, False
    buffer = np.empty(_BUFFER_BYTES, np.uint8)
    with open_ring(interface, ring_mb=_RING_MB, packet_filter=packet_filter) as ring, _new_file(path) as file:
        size += file.write(file_header(ring.link_type))
        while not is_full and not is_stopped() and (left := deadline - time.monotonic()) > 0:
            block = ring.wait(min(left, _LOOK_SECONDS))
            first = 0
            while block is not None and first < len(block.at) and not is_full:
                first, used, count = pack(block, first, ring.link_type, buffer[: max(max_bytes - size, 0)])
                file.write(buffer[:used].data)
                is_full = used == 0 and first < len(block.at)
                size, packets = size + used, packets + count
            file.flush()
        return Recording(packets, size, ring.statistics().drops, is_full)


def _new_file(path: Path) -> BinaryIO:
    return os.fdopen(os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC, 0o600), "wb")
