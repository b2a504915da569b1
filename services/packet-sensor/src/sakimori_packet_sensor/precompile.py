"""Compile what the cache of compiled code does not have: `python -m sakimori_packet_sensor.precompile`.

A process of its own, since compiling holds the interpreter's lock for most of half a minute: run by the service at its
start, before tests, and when an image is built.

With NUMBA_CPU_NAME=generic it then fits every processor, which costs the fast path nothing that can be measured.
"""

import os
import sys
from io import BytesIO
from struct import pack as pack_struct

import numpy as np

from sakimori_packet_sensor.domain.capture import Block, ring
from sakimori_packet_sensor.domain.capture.reader import read_capture
from sakimori_packet_sensor.domain.capture.window import Columns
from sakimori_packet_sensor.domain.capture.writing import file_header, pack
from sakimori_packet_sensor.domain.fastpath.wanted import Chooser, Wanted
from sakimori_packet_sensor.domain.sensor import Sensor

_NICENESS = 10
_ETHERNET = 1
_EMPTY_PCAPNG = pack_struct("<IIIHHqI", 0x0A0D0D0A, 28, 0x1A2B3C4D, 1, 0, -1, 28)


def main() -> int:
    """Call each compiled function as the service does, on nothing."""
    os.nice(_NICENESS)
    for capture in (file_header(_ETHERNET), _EMPTY_PCAPNG):
        list(read_capture(BytesIO(capture)))
    block = rehearse_capture()
    pack(block, 0, _ETHERNET, np.zeros(4096, np.uint8))
    Chooser(Wanted(since=0, until=0)).choose(block)
    return 0


def rehearse_capture() -> Block:
    """Call what a capture calls for each block, so that the first packets do not wait for code to be loaded.

    Returns the block without packets that it was done with.
    """
    columns, memory = Columns.of(1), np.zeros(4096, np.uint8)
    count = ring.index(memory, 0, len(memory), ring.Source(_ETHERNET, is_cooked=False), columns)
    block = columns.block(memory, count)
    Sensor({}).take(block)
    return block


if __name__ == "__main__":
    sys.exit(main())
