"""One side of a TCP connection, put in order (RFC 9293, 3.4: sequence numbers wrap).

What comes first wins: a later packet that says other bytes for a place changes nothing and is remembered as ambiguous,
since a sensor and a host that decide differently see different things.
"""

from typing import Final

ALL: Final = (1 << 32) - 1
HALF: Final = 1 << 31
_LARGEST_WINDOW: Final = 1 << 30
"""RFC 7323, 2.3. What lies further ahead belongs to no connection."""
MAX_WAITING_BYTES: Final = 65_536
MAX_WAITING_PIECES: Final = 32
MAX_WAITING_MICROSECONDS: Final = 2_000_000
"""Behind a gap. Networks repeat a lost packet within a second or never; what a capture lost nobody repeats."""


class Stream:
    """Bytes of one side. `next` is the place of the next byte wanted, modulo 2**32; `held` what nobody consumed yet.

    `waiting` are pieces behind a gap, in order and without overlap, each its place and bytes; None when there are none.
    `is_over`: nothing more is wanted. `is_left`: nobody recognised it, `held` is its beginning, the rest is not
    watched. `is_lost`: behind a gap, until its protocol is recognised again. `is_skipping`: only what reaches beyond
    `next` is watched. `is_ambiguous`: two packets said different things. `tries`: pieces looked at in vain.
    """

    __slots__ = (
        "held",
        "is_ambiguous",
        "is_left",
        "is_lost",
        "is_over",
        "is_skipping",
        "last",
        "next",
        "since",
        "tries",
        "waiting",
        "waiting_bytes",
    )

    def __init__(self) -> None:
        self.next = 0
        self.held = b""
        self.last = b""
        self.waiting: list[tuple[int, bytes]] | None = None
        self.waiting_bytes = 0
        self.since = 0
        self.tries = 0
        self.is_over = False
        self.is_left = False
        self.is_lost = False
        self.is_skipping = False
        self.is_ambiguous = False

    def accept(self, place: int, data: bytes, time: int) -> bytes:
        """Take a segment; returns the bytes that are now in order and were not before."""
        ahead = (place - self.next) & ALL
        if ahead >= HALF:
            known = ALL + 1 - ahead
            self.compare(known, data)
            data = data[known:]
            place = self.next
        elif ahead > _LARGEST_WINDOW:
            return b""
        if not data:
            return b""
        if 0 < ahead < HALF or self.waiting is not None:
            self._wait(place, data, time)
            return self.drain()
        self.last = data
        self.next = (place + len(data)) & ALL
        return data

    def drain(self) -> bytes:
        """Take what waits no longer, because what was before it came or is skipped."""
        if self.waiting is None:
            return b""
        parts = []
        while part := self.piece():
            parts.append(part)
        fresh = b"".join(parts)
        self.last = fresh or self.last
        return fresh

    def piece(self) -> bytes:
        """Take one piece of that, b"" when there is none."""
        while self.waiting:
            place, data = self.waiting[0]
            ahead = (place - self.next) & ALL
            if 0 < ahead < HALF:
                break
            del self.waiting[0]
            self.waiting_bytes -= len(data)
            fresh = data[-ahead & ALL :]
            self.next = (self.next + len(fresh)) & ALL
            if fresh:
                return fresh
        if not self.waiting:
            self.waiting = None
        return b""

    def is_stuck(self, time: int) -> bool:
        """Whether the gap has been waited for long enough, in bytes, pieces or time."""
        return self.waiting is not None and (
            self.waiting_bytes > MAX_WAITING_BYTES
            or len(self.waiting) > MAX_WAITING_PIECES
            or time - self.since > MAX_WAITING_MICROSECONDS
        )

    def jump(self, place: int) -> None:
        """Give up what is before `place`."""
        self.next = place & ALL
        self.held = self.last = b""

    def jump_to_waiting(self) -> None:
        """Give up the gap before what waits."""
        if self.waiting is not None:
            self.jump(self.waiting[0][0])

    def skip(self, size: int) -> bytes:
        """Leave bytes out; returns what waited behind them and no longer does."""
        self.next = (self.next + size) & ALL
        self.last = b""
        return self.drain()

    def close(self) -> None:
        """Want nothing more, and let go of all that is kept."""
        self.is_over = True
        self.held = self.last = b""
        self.waiting, self.waiting_bytes = None, 0

    def _wait(self, place: int, data: bytes, time: int) -> None:
        """Keep a piece, without what is there already."""
        if self.waiting is None:
            self.waiting, self.since = [], time
        begin = (place - self.next) & ALL
        pieces = [(begin, data)]
        for other_place, other in self.waiting:
            pieces = self._without(pieces, (other_place - self.next) & ALL, other)
        self.waiting += [((self.next + start) & ALL, piece) for start, piece in pieces]
        self.waiting.sort(key=lambda piece: (piece[0] - self.next) & ALL)
        self.waiting_bytes += sum(len(piece) for _, piece in pieces)

    def _without(self, pieces: list[tuple[int, bytes]], begin: int, other: bytes) -> list[tuple[int, bytes]]:
        """Cut what `other` covers out of pieces; places count from `next`."""
        end = begin + len(other)
        left = []
        for start, data in pieces:
            low, high = max(start, begin), min(start + len(data), end)
            if low >= high:
                left.append((start, data))
                continue
            if data[low - start : high - start] != other[low - begin : high - begin]:
                self.is_ambiguous = True
            if start < low:
                left.append((start, data[: low - start]))
            if high < start + len(data):
                left.append((high, data[high - start :]))
        return left

    def compare(self, known: int, data: bytes) -> None:
        """Compare a repetition, which begins `known` bytes before `next`, with the newest bytes that are still here.

        One byte may differ: that of a keep-alive does.
        """
        if len(data) == 1 or not self.last:
            return
        begin = len(self.last) - known
        theirs = data[max(-begin, 0) :]
        ours = self.last[max(begin, 0) :][: len(theirs)]
        if ours != theirs[: len(ours)]:
            self.is_ambiguous = True
