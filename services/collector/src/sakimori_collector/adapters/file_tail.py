"""Follows log files: reads what is appended, publishes it, then advances the checkpoint."""

import asyncio
import glob
import time
from collections.abc import Callable
from contextlib import suppress
from datetime import tzinfo

import structlog

from sakimori_collector.adapters.log_file import MAX_LINE_BYTES, Lines, LogFile, Truncated, open_log
from sakimori_collector.domain.formats import LineRejected, Reference
from sakimori_collector.domain.reading import Rejected, Source
from sakimori_collector.metrics import CollectorMetrics
from sakimori_collector.ports import Checkpoint, Checkpoints, Publisher
from sakimori_collector.settings import FollowedFiles
from sakimori_common.bus import BusUnavailable, Unavailable
from sakimori_common.contracts import Event

POLL_SECONDS = 0.25
GLOB_SECONDS = 2.0
ROTATION_SECONDS = 1.0
"""How long a file that was replaced must be silent: its writers reopen by themselves, some a little later."""
_FIRST_BACKOFF_SECONDS = 0.25
_LONGEST_BACKOFF_SECONDS = 10.0
_SLICE = 2000
"""Lines between two looks at the event loop: 20 ms of parsing."""


class FileTail:
    """Follow every file of the setting, each by itself; one that cannot be read holds up no other.

    At least once by construction (publish, then advance), exactly once by ids: they are a function of the file's
    incarnation, the offset and the line.
    """

    def __init__(
        self,
        files: list[FollowedFiles],
        publisher: Publisher,
        checkpoints: Checkpoints,
        metrics: CollectorMetrics,
        log: structlog.stdlib.BoundLogger,
        *,
        instance: str,
        zone: tzinfo,
        clock: Callable[[], float] = time.time,
    ) -> None:
        self._files = files
        self._publisher = publisher
        self._checkpoints = checkpoints
        self._metrics = metrics
        self._log = log
        self._instance = instance
        self._zone = zone
        self._clock = clock

    async def run(self) -> None:
        """Follow until cancelled."""
        async with asyncio.TaskGroup() as group:
            followed: set[str] = set()
            while True:
                for entry in self._files:
                    for path in await asyncio.to_thread(_matches, entry.pattern):
                        if path not in followed:
                            followed.add(path)
                            group.create_task(self._follow(path, entry.format), name=f"follow-{path}")
                await asyncio.sleep(GLOB_SECONDS)

    async def _follow(self, path: str, format: str) -> None:
        follower = Follower(path, format, self)
        complaint = ""
        while True:
            try:
                has_moved = await follower.step()
                complaint = ""
            except OSError as error:
                has_moved = False
                if str(error) != complaint:
                    complaint = str(error)
                    self._log.error("file_unreadable", path=path, reason=complaint)
            if not has_moved:
                await asyncio.sleep(POLL_SECONDS)

    def parse(
        self, lines: list[tuple[int, bytes, int]], file: LogFile, format: str
    ) -> tuple[list[Event], list[Rejected]]:
        """Make events of lines, and reasons of the others."""
        reference = Reference(int(self._clock() * 1_000_000), self._zone)
        stamp = {"observer.name": self._instance, "sakimori.input": "file", "log.file.path": file.path}
        source = Source(file.path, file.identity, format, reference, stamp, file.path)
        events: list[Event] = []
        rejected: list[Rejected] = []
        for offset, raw, length in lines:
            try:
                if length > len(raw):
                    raise LineRejected(f"{length} bytes in one line, over {MAX_LINE_BYTES}")
                found = source.read(raw, offset)
            except LineRejected as error:
                rejected.append(source.reject(raw, offset, str(error)))
                continue
            for event in found:
                event.fields["log.offset"] = offset
            events.extend(found)
        return events, rejected

    async def load(self, path: str) -> Checkpoint | None:
        """Read a checkpoint, however long it takes."""
        backoff = _FIRST_BACKOFF_SECONDS
        while True:
            try:
                return await self._checkpoints.load(path)
            except Unavailable as error:
                backoff = await self._stall(path, error, backoff)

    async def begin(self, file: LogFile) -> None:
        """Remember a file before anything of it is published: its identity must outlive a crash right after."""
        backoff = _FIRST_BACKOFF_SECONDS
        while True:
            try:
                return await self._checkpoints.save(file.checkpoint, [])
            except Unavailable as error:
                backoff = await self._stall(file.path, error, backoff)

    async def deliver(self, events: list[Event], rejected: list[Rejected], reached: Checkpoint) -> None:
        """Publish and advance, however long it takes: the same events with the same ids, again and again."""
        backoff = _FIRST_BACKOFF_SECONDS
        while True:
            try:
                await self._publisher.publish(events)
                return await self._checkpoints.save(reached, rejected)
            except (BusUnavailable, Unavailable) as error:
                backoff = await self._stall(reached.path, error, backoff)

    async def _stall(self, path: str, error: Exception, backoff: float) -> float:
        self._metrics.input_stalls_total.labels(path).inc()
        self._log.warning("file_waiting", path=path, reason=str(error), seconds=backoff)
        await asyncio.sleep(backoff)
        return min(backoff * 2, _LONGEST_BACKOFF_SECONDS)

    def count(self, path: str, *, received: int = 0, published: int = 0, rejected: int = 0) -> None:
        """Count lines of a file."""
        self._metrics.lines_received_total.labels(path).inc(received)
        self._metrics.lines_published_total.labels(path).inc(published)
        self._metrics.lines_rejected_total.labels(path).inc(rejected)

    def note(self, event: str, path: str, **facts: object) -> None:
        """Log something that happened to a file."""
        self._log.info(event, path=path, **facts)


class Follower:
    """One path: the file that is open for it, and what happens when another takes its place."""

    def __init__(self, path: str, format: str, tail: FileTail) -> None:
        self._path = path
        self._format = format
        self._tail = tail
        self._file: LogFile | None = None
        self._silent_since: float | None = None

    async def step(self) -> bool:
        """Read once; returns whether there was anything. Raises OSError when the file cannot be read."""
        if self._file is None and not await self._open():
            return False
        file = self._file
        assert file is not None  # noqa: S101  # _open said so
        try:
            lines = await asyncio.to_thread(file.read)
        except Truncated:
            self._tail.note("file_truncated", self._path, position=file.checkpoint.position)
            self._close()
            return True
        if lines.position > file.checkpoint.position:
            self._silent_since = None
            await self._take(file, lines)
            return True
        return await self._turn(file)

    async def _open(self) -> bool:
        checkpoint = await self._tail.load(self._path)
        self._file = await asyncio.to_thread(open_log, self._path, checkpoint)
        if self._file is None:
            return False
        if self._file.checkpoint != checkpoint:
            await self._tail.begin(self._file)
        self._tail.note("file_opened", self._path, position=self._file.checkpoint.position)
        return True

    async def _turn(self, file: LogFile) -> bool:
        """Go on to the file that took this one's place, once this one is silent."""
        if await asyncio.to_thread(file.is_at, self._path):
            self._silent_since = None
            return False
        now = time.monotonic()
        self._silent_since = self._silent_since or now
        if now - self._silent_since < ROTATION_SECONDS:
            return False
        with suppress(Truncated):
            await self._take(file, await asyncio.to_thread(file.read, is_final=True))
        self._tail.note("file_rotated", self._path, position=file.checkpoint.position)
        self._close()
        self._file = await asyncio.to_thread(open_log, self._path, None)
        if self._file is not None:
            await self._tail.begin(self._file)
        return True

    async def _take(self, file: LogFile, lines: Lines) -> None:
        self._tail.count(self._path, received=len(lines.lines))
        for start in range(0, max(1, len(lines.lines)), _SLICE):
            part = lines.lines[start : start + _SLICE]
            is_last = start + _SLICE >= len(lines.lines)
            position = lines.position if is_last else lines.lines[start + _SLICE][0]
            events, rejected = self._tail.parse(part, file, self._format)
            old = file.checkpoint
            reached = Checkpoint(old.path, old.device, old.inode, old.fingerprint, position)
            await self._tail.deliver(events, rejected, reached)
            file.checkpoint = reached
            self._tail.count(self._path, published=len(part) - len(rejected), rejected=len(rejected))

    def _close(self) -> None:
        if self._file is not None:
            self._file.close()
        self._file = None
        self._silent_since = None


def _matches(pattern: str) -> list[str]:
    """A path that is no glob is followed before it exists."""
    # pathlib globs only below a given folder; this pattern may be anywhere.
    return sorted(glob.glob(pattern)) if glob.has_magic(pattern) else [pattern]  # noqa: PTH207
