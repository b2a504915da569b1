"""Numbers in network byte order. Nobody checks bounds here: who asks has compared with the end of the frame."""

import numpy as np

from sakimori_packet_sensor.compiled import inlined
from sakimori_packet_sensor.domain.fastpath.arrays import Array, Int


@inlined
def be16(data: Array, at: Int) -> Int:
    """Read 16 bits as int64."""
    return (np.int64(data[at]) << 8) | np.int64(data[at + 1])


@inlined
def be32(data: Array, at: Int) -> Int:
    """Read 32 bits as int64."""
    return (
        (np.int64(data[at]) << 24)
        | (np.int64(data[at + 1]) << 16)
        | (np.int64(data[at + 2]) << 8)
        | np.int64(data[at + 3])
    )


@inlined
def be64(data: Array, at: Int) -> Int:
    """Read 64 bits as uint64."""
    return (np.uint64(be32(data, at)) << np.uint64(32)) | np.uint64(be32(data, at + 4))
