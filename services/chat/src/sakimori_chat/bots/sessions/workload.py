"""What bots asked for and is not done yet: in turn for each bot and room, so many at once in a room, bounded in all."""

import asyncio
from collections import deque
from collections.abc import Awaitable, Callable
from dataclasses import dataclass, field
from typing import Final

Job = Callable[[], Awaitable[None]]
"""Does one thing a bot asked for. Bounds itself in time, and raises nothing."""

BOT_JOBS: Final = 30
ALL_JOBS: Final = 10_000
ROOM_JOBS: Final = 3


class Owner:
    """One session's share. Whoever has `per_bot` jobs waits until one is done."""

    def __init__(self, per_bot: int) -> None:
        self.places = asyncio.Semaphore(per_bot)


@dataclass(slots=True)
class _Room:
    """Lanes in the order in which they are served; a lane holds one bot's jobs here, of which one runs at a time."""

    ready: "deque[Owner]" = field(default_factory=deque)
    lanes: "dict[Owner, deque[Job]]" = field(default_factory=dict)
    running: int = 0


class Workload:
    """Runs jobs. A room that is slow holds up itself, a bot with much to do itself."""

    def __init__(self, *, per_bot: int = BOT_JOBS, in_all: int = ALL_JOBS, per_room: int = ROOM_JOBS) -> None:
        self._per_bot = per_bot
        self._in_all = in_all
        self._per_room = per_room
        self._rooms: dict[str, _Room] = {}
        self._tasks: set[asyncio.Task[None]] = set()
        self._held = 0
        self._is_idle = asyncio.Event()
        self._is_idle.set()

    @property
    def held(self) -> int:
        """Count the jobs that wait or run."""
        return self._held

    @property
    def rooms(self) -> int:
        """Count the rooms in which something waits or runs."""
        return len(self._rooms)

    def owner(self) -> Owner:
        """Make the share of a session."""
        return Owner(self._per_bot)

    async def submit(self, owner: Owner, room: str, job: Job) -> bool:
        """Wait for a place of the owner's and take a job; False when there are too many in all."""
        await owner.places.acquire()
        if self._held >= self._in_all:
            owner.places.release()
            return False
        self._held += 1
        self._is_idle.clear()
        waiting = self._rooms.setdefault(room, _Room())
        if owner in waiting.lanes:
            waiting.lanes[owner].append(job)
        else:
            waiting.lanes[owner] = deque((job,))
            waiting.ready.append(owner)
        self._start(room, waiting)
        return True

    async def idle(self) -> None:
        """Wait until all is done."""
        await self._is_idle.wait()

    def _start(self, name: str, room: _Room) -> None:
        while room.running < self._per_room and room.ready:
            owner = room.ready.popleft()
            room.running += 1
            task = asyncio.create_task(self._run(name, room, owner), name=f"bot-job-{name}")
            self._tasks.add(task)
            task.add_done_callback(self._tasks.discard)

    async def _run(self, name: str, room: _Room, owner: Owner) -> None:
        lane = room.lanes[owner]
        try:
            await lane.popleft()()
        finally:
            self._done(name, room, owner)

    def _done(self, name: str, room: _Room, owner: Owner) -> None:
        owner.places.release()
        room.running -= 1
        self._held -= 1
        if room.lanes[owner]:
            room.ready.append(owner)  # behind the others
        else:
            del room.lanes[owner]
        if not room.lanes:
            del self._rooms[name]
        if not self._held:
            self._is_idle.set()
        self._start(name, room)
