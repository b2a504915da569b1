"""What a capture consists of, and how it can be wrong."""

from typing import Final, NamedTuple, Protocol

from sakimori_common.instants import EARLIEST, LATEST

MAX_FRAME_BYTES: Final = 262_144
"""The largest frame that is believed: libpcap's own bound (MAXIMUM_SNAPLEN). A larger one is a damaged length."""

NO_LINK: Final = -1
"""Link type of a frame whose interface the capture does not describe."""


class Frame(NamedTuple):
    """One captured frame.

    `time` in microseconds since the epoch, `link_type` as tcpdump.org/linktypes numbers them, `wire_bytes` the length
    on the wire, of which `data` may be the beginning only (snaplen).
    """

    time: int
    link_type: int
    wire_bytes: int
    data: bytes


class Stream(Protocol):
    """Bytes in order; `read` returns fewer than asked for only at the end, as buffered files do."""

    def read(self, size: int, /) -> bytes:
        """Read up to `size` bytes."""


class CaptureError(Exception):
    """This is no capture that can be read; the message says why and fits behind the name of the file."""


class Cut(Exception):
    """The capture cannot be read on from here; what came before is good. The message says where and why."""


def bounded_time(microseconds: int) -> int:
    """Keep a time that a damaged capture made up within what an event can carry (1970 to 9999)."""
    return min(max(microseconds, EARLIEST), LATEST)
