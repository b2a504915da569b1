"""Compile what the cache of compiled code does not have: `python -m sakimori_packet_sensor.prepare`.

A process of its own, since compiling holds the interpreter's lock for most of half a minute. Run it when an image is
built, too, or a package installed.
"""

import os
from io import BytesIO
from typing import Final

from sakimori_packet_sensor.domain.capture.reader import read_capture
from sakimori_packet_sensor.domain.sensor import Sensor

_NICENESS: Final = 10
_EMPTY: Final = (
    bytes.fromhex("d4c3b2a1 02000400 00000000 00000000 ffff0000 01000000"),  # pcap
    bytes.fromhex("0a0d0d0a 1c000000 4d3c2b1a 01000000 ffffffffffffffff 1c000000"),  # pcapng
)


def main() -> None:
    """Have everything compiled that reading a capture needs."""
    os.nice(_NICENESS)
    sensor = Sensor({})
    for capture in _EMPTY:
        for _ in sensor.events(read_capture(BytesIO(capture))):
            pass


if __name__ == "__main__":
    main()
