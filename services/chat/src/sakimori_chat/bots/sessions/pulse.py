"""The heartbeat of one session: when to ping, how long the answer took, when a bot is lost."""

import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager

from sakimori_chat.bots.domain.frames import Pong
from sakimori_chat.bots.sessions.ports import Heartbeat


class Pulse:
    """Counts pings. `now` is of a clock that never goes back, `wall` the seconds since the epoch.

    `first_seconds` is the time to the first ping: chosen at random, so that bots that came back together after a
    restart are not all pinged at once.
    """

    def __init__(
        self,
        bot_id: str,
        *,
        clock: Callable[[], float] = time.monotonic,
        wall: Callable[[], float] = time.time,
        interval: float,
        timeout: float,
        first_seconds: float,
    ) -> None:
        self.wall = wall
        self._bot_id = bot_id
        self._clock = clock
        self._interval = interval
        self._timeout = timeout
        self._next_at = clock() + first_seconds
        self._heard_at = clock()
        self._number = 0
        self._sent_at: float | None = None
        self._is_held_up = False
        self._heartbeats: list[Heartbeat] = []

    def next_ping(self, now: float) -> int | None:
        """Number the ping that is due; None when none is."""
        if now < self._next_at:
            return None
        self._number += 1
        self._next_at, self._sent_at = now + self._interval, now
        return self._number

    def answered(self, pong: Pong) -> None:
        """Take note of an answer; one to an older ping, or to none, says nothing."""
        if pong.id != self._number or self._sent_at is None:
            return
        now = self._clock()
        beat = Heartbeat(self._bot_id, self.wall(), now - self._sent_at, pong.memory_bytes, pong.queue, pong.rooms)
        self._heartbeats.append(beat)
        self._heard_at, self._sent_at = now, None

    def is_lost(self, now: float) -> bool:
        """Tell whether no ping was answered for too long."""
        return now - self._heard_at >= self._timeout and not self._is_held_up

    @contextmanager
    def held_up(self) -> Iterator[None]:
        """While this service does not read what the bot sends, its silence does not count against it."""
        self._is_held_up, since = True, self._clock()
        try:
            yield
        finally:
            self._is_held_up = False
            self._heard_at += self._clock() - since

    def missed(self) -> None:
        """Take note that the bot is lost."""
        self._heartbeats.append(Heartbeat(self._bot_id, self.wall(), None))

    def take(self) -> list[Heartbeat]:
        """Hand out what was noted since the last time."""
        noted, self._heartbeats = self._heartbeats, []
        return noted
