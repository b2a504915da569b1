"""Written down in batches, never per ping: how bots are doing, and which are connected."""

import asyncio
from collections import deque
from collections.abc import Callable, Iterable
from dataclasses import replace
from typing import Final

from sakimori_chat.bots.sessions.ports import Heartbeat, Heartbeats, Presence
from sakimori_chat.ports import StoreUnavailable

WRITE_SECONDS: Final = 5.0
MAX_HEARTBEATS: Final = 5_000
"""What is kept while the database is away, the newest: over twenty minutes of a hundred bots."""


class Records:
    """Keeps what is to be written. While the database is away the newest is kept, so memory is bounded."""

    def __init__(self, heartbeats: Heartbeats, wall: Callable[[], float]) -> None:
        self._store = heartbeats
        self._wall = wall
        self._heartbeats: deque[Heartbeat] = deque(maxlen=MAX_HEARTBEATS)
        self._presences: dict[str, Presence] = {}

    def opened(self, presence: Presence) -> None:
        """Note that a session is open."""
        self._presences[presence.bot_id] = presence

    def closed(self, presence: Presence, code: str) -> None:
        """Note that a session is over, unless the bot has another already."""
        known = self._presences.get(presence.bot_id)
        if known is None or known.session_id == presence.session_id:
            self._presences[presence.bot_id] = replace(presence, ended_at=self._wall(), ending=code)

    def heard(self, heartbeats: Iterable[Heartbeat]) -> None:
        """Note pings."""
        self._heartbeats.extend(heartbeats)

    async def run(self) -> None:
        """Write every few seconds, for ever."""
        while True:
            await asyncio.sleep(WRITE_SECONDS)
            await self.flush()

    async def flush(self) -> None:
        """Write what there is; what cannot be written now is kept for the next time."""
        beats, presences = list(self._heartbeats), list(self._presences.values())
        if not beats and not presences:
            return
        self._heartbeats.clear()
        self._presences.clear()
        try:
            await self._store.store(beats, presences)
        except StoreUnavailable:
            later = list(self._heartbeats)
            self._heartbeats.clear()
            self._heartbeats.extend([*beats, *later])
            self._presences = {**{presence.bot_id: presence for presence in presences}, **self._presences}
