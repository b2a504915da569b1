"""Write the same frame to thousands without holding up anybody else."""

import asyncio
from collections import deque
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Final

from sakimori_chat.domain.identity import Client
from sakimori_chat.ports import Outlet

WRITES_A_TURN: Final = 100
"""Writes before others have their turn. A write to a socket is a system call of some 10 to 20 us, so about 2 ms."""
_FIRST_GUESS: Final = 15e-6
_WEIGHT: Final = 0.1
"""Of the newest measurement in the running mean of what a write costs."""


@dataclass(frozen=True, slots=True)
class Pace:
    """How far apart (seconds) frames to a room are at least, so that telling everybody takes this share of the time.

    Alone in a room one hears every word at once; in a crowd of thousands many words share a frame.
    """

    least: float = 0.005
    most: float = 0.25
    share: float = 0.6


DEFAULT_PACE: Final = Pace()


@dataclass(frozen=True, slots=True, eq=False)
class Listener:
    """Somebody who listens to a room."""

    room: str
    viewer_id: str
    client: Client
    outlet: Outlet

    def names(self) -> list[tuple[str, str]]:
        """Say by which kind and entity of a measure this listener is meant."""
        client = self.client
        return [("user", self.viewer_id), ("fp", client.fingerprint), ("ip", client.network)]


@dataclass(slots=True, eq=False)
class Delivery:
    """One frame on its way to its listeners; `own` has those of viewers who get another. Empty frames are not sent."""

    frame: bytes
    own: Mapping[str, bytes]
    listeners: Sequence[Listener]
    sent: int = 0

    @property
    def is_done(self) -> bool:
        """Tell whether all have it."""
        return self.sent >= len(self.listeners)


class Spreading:
    """Writes deliveries one after the other, some listeners a turn of the loop, so each listener's order is kept.

    `on_slow` is called for each listener that does not keep up.
    """

    def __init__(self, pace: Pace, on_slow: Callable[[Listener], None]) -> None:
        self._pace = pace
        self._on_slow = on_slow
        self._waiting: deque[Delivery] = deque()
        self._is_scheduled = False
        self._turn_began: float | None = None
        self._seconds_a_write = _FIRST_GUESS

    def period(self, listeners: int) -> float:
        """Tell how long after one frame the next may follow, with so many listeners in all rooms."""
        wanted = self._seconds_a_write * listeners / self._pace.share
        return min(max(wanted, self._pace.least), self._pace.most)

    def start(self, delivery: Delivery) -> None:
        """Send a frame after all that were started before."""
        self._waiting.append(delivery)
        if not self._is_scheduled:
            self._turn()

    def finish(self) -> None:
        """Send all that waits, now."""
        while self._waiting:
            self._write(len(self._waiting[0].listeners))

    def _turn(self) -> None:
        """Write for a while, then let others go on."""
        loop = asyncio.get_running_loop()
        began = loop.time()
        if (
            self._turn_began is not None
        ):  # what was written last time has gone out meanwhile: uvloop sends between turns
            measured = (began - self._turn_began) / WRITES_A_TURN
            self._seconds_a_write += _WEIGHT * (measured - self._seconds_a_write)
        written = self._write(WRITES_A_TURN)
        self._is_scheduled = bool(self._waiting)
        self._turn_began = began if written == WRITES_A_TURN and self._is_scheduled else None
        if self._is_scheduled:
            loop.call_soon(self._turn)

    def _write(self, count: int) -> int:
        """Write to so many listeners of the first delivery; how many there were."""
        if not self._waiting:
            return 0
        delivery = self._waiting[0]
        some = delivery.listeners[delivery.sent : delivery.sent + count]
        delivery.sent += len(some)
        if delivery.is_done:
            self._waiting.popleft()
        frame, own = delivery.frame, delivery.own
        for listener in some:
            mine = own.get(listener.viewer_id, frame) if own else frame
            if mine and not listener.outlet.write(mine):
                self._on_slow(listener)
        return len(some)
