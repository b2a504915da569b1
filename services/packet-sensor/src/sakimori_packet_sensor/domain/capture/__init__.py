"""Captures: from bytes to blocks of packets. What a packet holds is not looked at here.

Importing this is cheap; `reader`, `bpf` and the walkers bring Numba with them.
"""

from sakimori_packet_sensor.domain.capture.block import Block
from sakimori_packet_sensor.domain.capture.contract import MAX_FRAME_BYTES, NO_LINK, CaptureError

__all__ = ["MAX_FRAME_BYTES", "NO_LINK", "Block", "CaptureError"]
