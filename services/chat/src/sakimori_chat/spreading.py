"""Tell thousands without holding up anybody else: in turns, none sooner than the pace allows."""

import asyncio
from collections import deque
from collections.abc import Callable
from dataclasses import dataclass
from typing import Final

WRITES_A_TURN: Final = 100
"""Writes before others have their go. A write to a socket is a system call of some 10 to 20 us, so about 2 ms."""
_FIRST_GUESS: Final = 15e-6
_WEIGHT: Final = 0.02
"""Of the newest measurement in the running mean of what a write costs: it holds for some fifty turns, 0.1 s, since a
single turn is twice as long whenever another process wants the core."""
_LONG_AGO: Final = float("-inf")


@dataclass(frozen=True, slots=True)
class Pace:
    """How far apart (seconds) frames to a listener are at least: telling everybody is to take this share of the time.

    Alone in a room one hears every word at once; in a crowd of thousands many words share a frame.
    """

    least: float = 0.005
    most: float = 0.25
    share: float = 0.7


DEFAULT_PACE: Final = Pace()


@dataclass(slots=True, eq=False)
class Turn:
    """What is done again and again when there is news: `act` does it and says how many writes it made."""

    act: Callable[[], int]
    took_at: float = _LONG_AGO
    timer: asyncio.TimerHandle | None = None
    is_due: bool = False

    @property
    def is_wanted(self) -> bool:
        """Tell whether it will come by itself."""
        return self.is_due or self.timer is not None

    def cancel(self) -> None:
        """Let it not come."""
        if self.timer is not None:
            self.timer.cancel()
            self.timer = None
        self.is_due = False


class Spreading:
    """Takes turns one after the other, one in each go of the loop, each at its own time.

    Turns that were wanted together are apart by what they take, and stay so: a crowd is told row by row all the time
    and not all at once now and then, so nobody waits for those who stand before in the same round.
    """

    def __init__(self, pace: Pace) -> None:
        self.listening = 0
        """How many listen, to any room."""
        self._pace = pace
        self._due: deque[Turn] = deque()
        self._is_scheduled = False
        self._seconds_a_write = _FIRST_GUESS

    def period(self, listeners: int) -> float:
        """Tell how long after one frame the next may follow, with so many listeners in all rooms."""
        wanted = self._seconds_a_write * listeners / self._pace.share
        return min(max(wanted, self._pace.least), self._pace.most)

    def want(self, turn: Turn) -> None:
        """Take this turn as soon as the pace allows; nothing changes where it is wanted already."""
        if turn.is_wanted:
            return
        loop = asyncio.get_running_loop()
        due = turn.took_at + self.period(self.listening)
        if due <= loop.time():
            self._now(turn)
        else:
            turn.timer = loop.call_at(due, self._now, turn)

    def hurry(self, turn: Turn) -> None:
        """Take this turn next but for those that are due already, whatever the pace."""
        if not turn.is_due:
            turn.cancel()
            self._now(turn)

    def _now(self, turn: Turn) -> None:
        turn.timer = None
        turn.is_due = True
        self._due.append(turn)
        if not self._is_scheduled:
            self._next()

    def _next(self) -> None:
        """Take one turn, then let others go on."""
        self._is_scheduled = True
        while self._due and not self._due[0].is_due:
            self._due.popleft()  # cancelled
        if not self._due:
            self._is_scheduled = False
            return
        loop = asyncio.get_running_loop()
        turn, writes = self._due.popleft(), 0
        turn.is_due, turn.took_at = False, loop.time()
        try:
            writes = turn.act()
        finally:
            loop.call_soon(self._took, turn.took_at, writes)

    def _took(self, began: float, writes: int) -> None:
        """Measure a turn: what was written has gone out meanwhile, since uvloop sends between goes of the loop."""
        if writes * 2 >= WRITES_A_TURN:
            measured = (asyncio.get_running_loop().time() - began) / writes
            self._seconds_a_write += _WEIGHT * (measured - self._seconds_a_write)
        self._next()
