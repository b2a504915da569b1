"""Single frames, for those who still read them."""

from collections.abc import Iterable, Iterator
from typing import NamedTuple

from sakimori_packet_sensor.domain.capture.block import Block


class Frame(NamedTuple):
    """One captured frame.

    `time` in microseconds since the epoch, `link_type` as tcpdump.org/linktypes numbers them, `wire_bytes` the length
    on the wire, of which `data` may be the beginning only (snaplen).
    """

    time: int
    link_type: int
    wire_bytes: int
    data: bytes


def frames_of(blocks: Iterable[Block]) -> Iterator[Frame]:
    """Take blocks apart."""
    for data, at, captured, wire, time, link in blocks:
        rows = zip(time.tolist(), link.tolist(), wire.tolist(), at.tolist(), captured.tolist(), strict=True)
        for moment, link_type, wire_bytes, begin, size in rows:
            yield Frame(moment, link_type, wire_bytes, data[begin : begin + size].tobytes())
