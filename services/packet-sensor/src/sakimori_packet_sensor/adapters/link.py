"""Between the service and a capture worker: frames over a socket pair, one process at each end.

A frame is the length of what follows (4 bytes, big-endian), its kind (1 byte) and a body. The service sends the order
first, the worker answers STARTED or PROBLEM, then events and counts. Either end closing ends the other.
"""

import socket
from collections import deque
from collections.abc import Sequence
from enum import IntEnum
from typing import Final

import msgspec

from sakimori_common.contracts import EVENTS, Event

MAX_FRAME_BYTES: Final = 64 << 20
_BATCH_EVENTS: Final = 500
_HEAD_BYTES: Final = 4


class Kind(IntEnum):
    """What a frame is."""

    ORDER = 0
    """To the worker: what to capture (Order)."""
    SHED = 1
    """To the worker: `1` follow no new flows, `0` follow them again."""
    STOP = 2
    """To the worker: report what is open and end."""
    STARTED = 3
    """From the worker: packets are being read."""
    PROBLEM = 4
    """From the worker: why it ends (Trouble); its last frame."""
    EVENTS = 5
    """From the worker: events, encoded as on the bus."""
    COUNTS = 6
    """From the worker: totals since it began (Tally)."""


class LinkError(Exception):
    """What came over the link is no frame."""


class Order(msgspec.Struct, frozen=True, kw_only=True):
    """What a worker is to do. `fanout` is the group that shares an interface's packets; None: alone on it."""

    interface: str
    observer: str
    ring_bytes: int
    is_promiscuous: bool
    capture_filter: str | None
    fanout: int | None
    max_flows: int
    idle_seconds: int
    active_seconds: int
    decoded_ports: list[int] | None
    packets_dir: str | None
    packets_bytes: int
    outlet_bytes: int


class Trouble(msgspec.Struct, frozen=True):
    """Why a worker cannot capture: `kind` is the error's class, `text` tells a person what to do."""

    kind: str
    text: str
    should_retry: bool = True
    """Whether it may pass by itself (the interface appears), or somebody must change something (permission)."""


def frame(kind: Kind, body: bytes = b"") -> bytes:
    """Write a frame."""
    return (len(body) + 1).to_bytes(_HEAD_BYTES, "big") + bytes((kind,)) + body


class Frames:
    """Put frames together from the pieces in which they arrive. Holds at most one unfinished frame."""

    def __init__(self) -> None:
        self._rest = bytearray()

    def feed(self, piece: bytes) -> list[tuple[Kind, bytes]]:
        """Take what arrived; returns the frames that are whole now. Raises LinkError."""
        self._rest += piece
        found, at = [], 0
        while len(self._rest) - at >= _HEAD_BYTES:
            size = int.from_bytes(self._rest[at : at + _HEAD_BYTES], "big")
            if not 1 <= size <= MAX_FRAME_BYTES:
                raise LinkError(f"a frame of {size} bytes")
            end = at + _HEAD_BYTES + size
            if end > len(self._rest):
                break
            found.append((_kind(self._rest[at + _HEAD_BYTES]), bytes(self._rest[at + _HEAD_BYTES + 1 : end])))
            at = end
        del self._rest[:at]
        return found


def _kind(number: int) -> Kind:
    try:
        return Kind(number)
    except ValueError:
        raise LinkError(f"a frame of kind {number}") from None


class Outlet:
    """The worker's end for sending: never waits, holds at most `limit_bytes` that the service has yet to take.

    Above half of that `is_pressed`: the worker is to follow no new flows, so that what it follows still finds room.
    What finds none all the same is lost and counted.
    """

    def __init__(self, link: socket.socket, limit_bytes: int) -> None:
        self._link = link
        self._limit_bytes = limit_bytes
        self._waiting: deque[memoryview] = deque()
        self._waiting_bytes = 0
        self.is_pressed = False
        self.events_lost = 0

    @property
    def has_waiting(self) -> bool:
        """Tell whether anything is yet to be sent."""
        return bool(self._waiting)

    def put_events(self, events: Sequence[Event]) -> None:
        """Send events, or keep them until the service takes them, or lose them where there is no room."""
        for start in range(0, len(events), _BATCH_EVENTS):
            batch = events[start : start + _BATCH_EVENTS]
            body = EVENTS.encode(batch)
            if self._waiting_bytes + len(body) > self._limit_bytes:
                self.events_lost += len(batch)
                continue
            self.put(Kind.EVENTS, body)
        self._weigh()

    def put(self, kind: Kind, body: bytes = b"") -> None:
        """Send a frame, whatever waits already."""
        whole = frame(kind, body)
        self._waiting.append(memoryview(whole))
        self._waiting_bytes += len(whole)
        self.flush()

    def flush(self) -> None:
        """Send as much as the service takes just now. Raises OSError when it is gone."""
        while self._waiting:
            piece = self._waiting[0]
            try:
                sent = self._link.send(piece, socket.MSG_DONTWAIT)
            except (BlockingIOError, InterruptedError):
                break
            self._waiting_bytes -= sent
            if sent < len(piece):
                self._waiting[0] = piece[sent:]
            else:
                self._waiting.popleft()
        self._weigh()

    def drain(self, seconds: float) -> None:
        """Send all that waits, up to so long for each frame. Raises OSError when the service does not take it."""
        self._link.settimeout(seconds)
        while self._waiting:
            piece = self._waiting.popleft()
            self._link.sendall(piece)
            self._waiting_bytes -= len(piece)

    def _weigh(self) -> None:
        share = self._waiting_bytes / self._limit_bytes
        self.is_pressed = share > (0.25 if self.is_pressed else 0.5)
