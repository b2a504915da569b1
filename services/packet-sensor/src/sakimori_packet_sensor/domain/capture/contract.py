"""What a capture may hold, and how it can be wrong."""

from typing import Final, Protocol

from sakimori_common.instants import EARLIEST, LATEST

MAX_FRAME_BYTES: Final = 262_144
"""The largest frame that is believed: libpcap's own bound (MAXIMUM_SNAPLEN). A larger one is a damaged length."""

MAX_WIRE_BYTES: Final = 0x7FFFFFFF
"""A larger length on the wire, which only damage makes, is taken as this."""

NO_LINK: Final = -1
"""Link type of a frame whose interface the capture does not describe."""


class Stream(Protocol):
    """Bytes in order."""

    def readinto(self, buffer: memoryview, /) -> int | None:
        """Read up to as many bytes as fit; returns how many, 0 at the end."""


class CaptureError(Exception):
    """This is no capture that can be read; the message says why and fits behind the name of the file."""


class Cut(Exception):
    """The capture cannot be read on from here; what came before is good. The message says where and why."""


def bounded_time(microseconds: int) -> int:
    """Keep a time that a damaged capture made up within what an event can carry (1970 to 9999)."""
    return min(max(microseconds, EARLIEST), LATEST)
