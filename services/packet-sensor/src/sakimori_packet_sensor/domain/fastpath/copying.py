"""Loops over whole arrays: Numba compiles these in no time, but takes seconds for an assignment to a slice."""

from sakimori_packet_sensor.compiled import inlined
from sakimori_packet_sensor.domain.fastpath.arrays import Array


@inlined
def clear(array: Array) -> None:
    """Fill with zeros."""
    for place in range(len(array)):
        array[place] = 0
