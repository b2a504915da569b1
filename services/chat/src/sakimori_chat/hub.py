"""Tells everybody who listens at this replica what happens in the rooms, whichever replica it happened at."""

import asyncio
from collections import defaultdict
from collections.abc import AsyncIterator, Callable, Iterator
from contextlib import asynccontextmanager, contextmanager, suppress
from typing import Final

import structlog

from sakimori_chat.crowds import Crowd, Listener
from sakimori_chat.domain.feed import Lost, Measured, Opened, Removed, Spoken
from sakimori_chat.domain.frames import blocked_frame, page_frame, room_frame
from sakimori_chat.domain.messages import Page
from sakimori_chat.domain.mirror import KEPT_MESSAGES, RoomMirror, Taken
from sakimori_chat.domain.rooms import Room
from sakimori_chat.metrics import ChatMetrics
from sakimori_chat.ports import RoomDirectory, RoomFeed, RoomSnapshots, StoreUnavailable
from sakimori_chat.spreading import DEFAULT_PACE, Pace, Spreading
from sakimori_common.live_socket import GOING_AWAY, TRY_LATER, text_frame
from sakimori_common.tasks import Background, end_tasks

ROOM_CLOSED: Final = 4404
"""Close code: this room is gone."""
JOIN_MESSAGES: Final = 100
RETRY_SECONDS: Final = 0.2
FIRST_SECONDS: Final = 2.0


class Hub:
    """Keeps each room that somebody listens to in memory, and its listeners up to date."""

    def __init__(
        self,
        *,
        rooms: RoomSnapshots,
        directory: RoomDirectory,
        feed: RoomFeed,
        metrics: ChatMetrics,
        log: structlog.stdlib.BoundLogger,
        pace: Pace = DEFAULT_PACE,
    ) -> None:
        self._rooms = rooms
        self._feed = feed
        self._metrics = metrics
        self._log = log
        self._spreading = Spreading(pace)
        self._crowds: dict[str, Crowd] = {}
        self._named: dict[tuple[str, str], dict[Listener, None]] = defaultdict(dict)
        self._is_open = False
        self._opened = asyncio.Event()
        directory.listen(self._room_changed)

    @asynccontextmanager
    async def running(self, background: Background) -> AsyncIterator[None]:
        """Listen until the block ends; then tell what is left to tell and send all away.

        The block begins when everything is heard, or after a moment without Valkey.
        """
        following = background(self._follow(), "hub")
        try:
            with suppress(TimeoutError):
                async with asyncio.timeout(FIRST_SECONDS):
                    await self._opened.wait()
            yield
        finally:
            await end_tasks(following)
            self._is_open = False
            for crowd in self._crowds.values():
                crowd.tell_all()
                for listener in crowd:
                    listener.outlet.close(GOING_AWAY, "restart")

    async def prepare(self, room: str) -> None:
        """Have a room in memory before somebody joins. Raises StoreUnavailable."""
        await self._crowd(room)

    async def join(self, listener: Listener, after: int | None, room: Room, block_seconds: float = 0.0) -> None:
        """Show a listener where the room stands, then everything that follows, each message once.

        `after` is the number up to which it knows the room; None shows the newest 100. Raises StoreUnavailable.
        """
        crowd, mirror = await self._crowd(listener.room)
        page = mirror.page(after, JOIN_MESSAGES, listener.viewer_id)
        frames = text_frame(page_frame(page, block_seconds)) + text_frame(room_frame(room))
        crowd.add(listener, mirror)
        for name in listener.names():
            self._named[name][listener] = None
        self._count(1)
        listener.outlet.write(frames)

    def leave(self, listener: Listener) -> None:
        """Forget a listener; nothing happens when it is none."""
        crowd = self._crowds.get(listener.room)
        if crowd is None or listener not in crowd:
            return
        crowd.remove(listener)
        self._count(-1)
        for name in listener.names():
            self._named[name].pop(listener, None)
            if not self._named[name]:
                del self._named[name]

    @contextmanager
    def watch(self, room: str, wake: Callable[[], None]) -> Iterator[None]:
        """Call `wake` whenever `since` has something new of a room, once `since` was asked for it."""
        with self._of(room).watched(wake):
            yield

    async def since(self, room: str, number: int, viewer_id: str | None = None) -> Page:
        """Read all that follows a number, from memory. Raises StoreUnavailable."""
        _, mirror = await self._crowd(room)
        return mirror.page(number, KEPT_MESSAGES, viewer_id)

    # --- following the store

    async def _follow(self) -> None:
        async for event in self._feed.events():
            match event:
                case Opened():
                    await self._catch_up()
                case Lost():
                    self._is_open = False
                case Measured():
                    self._measured(event)
                case Spoken() | Removed():
                    await self._heard(event)

    async def _catch_up(self) -> None:
        for crowd in list(self._crowds.values()):
            await self._resume(crowd)
        self._is_open = True
        self._opened.set()

    async def _heard(self, event: Spoken | Removed) -> None:
        crowd = self._crowds.get(event.room)
        if crowd is None:
            return
        if crowd.mirror is None:
            if crowd.loading is not None:
                crowd.early.append(event)
        elif _apply(crowd.mirror, event) is Taken.UNSURE:
            await self._resume(crowd)
        else:
            crowd.spread(crowd.mirror)

    async def _resume(self, crowd: Crowd) -> None:
        """Read what may have been missed; for as long as it takes, since nothing that follows makes sense without."""
        while crowd.mirror is not None:
            try:
                snapshot = await self._rooms.snapshot(crowd.room)
            except StoreUnavailable as error:
                self._is_open = False
                self._log.warning("room_not_read", room=crowd.room, reason=str(error))
                await asyncio.sleep(RETRY_SECONDS)
                continue
            self._metrics.live_catch_ups_total.inc()
            if crowd.mirror.resume(snapshot):
                crowd.show_anew(crowd.mirror)
            else:
                crowd.spread(crowd.mirror)
            return

    def _of(self, room: str) -> Crowd:
        crowd = self._crowds.get(room)
        if crowd is None:
            crowd = self._crowds[room] = Crowd(room, self._spreading, self._metrics, self._drop)
        return crowd

    async def _crowd(self, room: str) -> tuple[Crowd, RoomMirror]:
        """Find a room, from the store when nobody has listened to it yet."""
        if not self._is_open:
            raise StoreUnavailable("the room feed is lost")
        crowd = self._of(room)
        if crowd.mirror is not None:
            return crowd, crowd.mirror
        if crowd.loading is None:
            crowd.loading = asyncio.create_task(self._load(crowd))
        return crowd, await asyncio.shield(crowd.loading)

    async def _load(self, crowd: Crowd) -> RoomMirror:
        try:
            while True:
                mirror = RoomMirror(await self._rooms.snapshot(crowd.room))
                early, crowd.early = crowd.early, []
                if all(_apply(mirror, event) is not Taken.UNSURE for event in early):
                    crowd.mirror = mirror
                    return mirror
        finally:
            crowd.loading, crowd.early = None, []

    # --- telling listeners

    def _count(self, change: int) -> None:
        self._spreading.listening += change
        self._metrics.live_connections.set(self._spreading.listening)

    def _drop(self, listener: Listener) -> None:
        """Send away who does not keep up; it comes back with the last number it has."""
        self._metrics.live_slow_total.inc()
        self.leave(listener)
        listener.outlet.close(TRY_LATER, "too slow")

    def _measured(self, measure: Measured) -> None:
        frame = text_frame(blocked_frame(measure.seconds))
        for listener in list(self._named.get((measure.kind, measure.entity), {})):
            listener.outlet.write(frame)

    def _room_changed(self, name: str, room: Room | None) -> None:
        crowd = self._crowds.get(name)
        if crowd is None:
            return
        for listener in crowd:
            if room is None:
                self.leave(listener)
                listener.outlet.close(ROOM_CLOSED, "room closed")
            else:
                listener.outlet.write(text_frame(room_frame(room)))


def _apply(mirror: RoomMirror, event: Spoken | Removed) -> Taken:
    if isinstance(event, Spoken):
        return mirror.take(event.number, event.draft)
    mirror.remove(event.number)
    return Taken.NEW
