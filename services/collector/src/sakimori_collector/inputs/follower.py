"""One followed path: the file that is open for it, and what happens when another takes its place."""

import asyncio
import time
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass
from typing import Final, Protocol

from sakimori_collector.adapters.contents import Damaged
from sakimori_collector.adapters.log_file import LogFile, Truncated
from sakimori_collector.adapters.rotation import open_log, open_next
from sakimori_collector.domain.wire.joining import FileLine, Joiner
from sakimori_collector.ports import Checkpoint

ROTATION_SECONDS: Final = 1.0
"""How long a file that was replaced must be silent: its writers reopen by themselves, some a little later."""
JOIN_SECONDS: Final = 2.0
"""How long a line waits for others that go on with it."""


@dataclass(frozen=True, slots=True)
class Part:
    """Lines of one file in order, and the checkpoint that holds once they are safe. `reason`: why there is no more."""

    lines: list[FileLine]
    identity: str
    reached: Checkpoint
    reason: str = ""


class Safe(Protocol):
    """Where parts and checkpoints go; each method returns when it is done, however long that takes."""

    async def load(self, path: str) -> Checkpoint | None:
        """Read a checkpoint."""

    async def save(self, checkpoint: Checkpoint) -> None:
        """Remember a file before anything of it is published: its identity must outlive a crash right after."""

    async def deliver(self, part: Part) -> Checkpoint:
        """Make lines safe, then the checkpoint, which comes back with what headers among the lines said."""

    def note(self, event: str, path: str, **facts: object) -> None:
        """Log something that happened to a file."""


class Follower:
    """Reads a path step by step. Not for concurrent use."""

    def __init__(
        self, path: str, joiner: Callable[[], Joiner], safe: Safe, clock: Callable[[], float] = time.monotonic
    ):
        self.path = path
        self.wake_at: float | None = 0.0
        """When to look again even if nothing changes; None: never."""
        self._new_joiner = joiner
        self._joiner = joiner()
        self._safe = safe
        self._clock = clock
        self._file: LogFile | None = None
        self._silent_since: float | None = None

    @property
    def is_open(self) -> bool:
        """Whether it holds a descriptor."""
        return self._file is not None

    async def step(self) -> bool:
        """Read once; returns whether there was anything. Raises OSError when the file cannot be read."""
        self.wake_at = None
        if self._file is None and not await self._open():
            return False
        file = self._file
        assert file is not None  # noqa: S101  # _open said so
        try:
            part = await asyncio.to_thread(self._read, file)
        except Truncated:
            self._safe.note("file_truncated", self.path, position=file.checkpoint.position)
            self.close()
            return True
        if part.reason:
            self._safe.note("file_damaged", self.path, position=file.position, reason=part.reason)
        if part.lines or part.reason or part.reached.position > file.checkpoint.position:
            self._silent_since = None
            file.checkpoint = await self._safe.deliver(part)
            return True
        return await self._turn(file)

    def close(self) -> None:
        """Give the descriptor back; what is not safe yet is read again."""
        if self._file is not None:
            self._file.close()
        self._file = None
        self._silent_since = None
        self._joiner = self._new_joiner()

    async def _open(self) -> bool:
        checkpoint = await self._safe.load(self.path)
        file = await asyncio.to_thread(open_log, self.path, checkpoint)
        return await self._begin(file, checkpoint)

    async def _begin(self, file: LogFile | None, before: Checkpoint | None) -> bool:
        if file is None:
            return False
        self._file = file
        if file.checkpoint != before:
            await self._safe.save(file.checkpoint)
        self._safe.note("file_opened", self.path, position=file.checkpoint.position)
        return True

    def _read(self, file: LogFile, *, is_final: bool = False) -> Part:
        """Read and join, in a thread."""
        reason = ""
        try:
            lines = file.read(is_final=is_final).lines
        except Damaged as error:
            lines, reason, file.is_over = [], str(error), True
        whole = self._joiner.feed(lines)
        if is_final or reason or self._has_waited_long():
            whole += self._joiner.flush()
        start = self._joiner.start
        reached = file.reached(file.position if start is None else start)
        return Part(whole, file.checkpoint.identity, reached, reason)

    def _has_waited_long(self) -> bool:
        return self._silent_since is not None and self._clock() - self._silent_since >= JOIN_SECONDS

    async def _turn(self, file: LogFile) -> bool:
        """Nothing new: go on to the file that took this one's place, once this one is silent."""
        now = self._clock()
        self._silent_since = self._silent_since if self._silent_since is not None else now
        if file.is_packed and not file.is_unfinished and await self._finish(file):
            return True  # nobody appends to gzip: half a line at its end is all there will be
        following = await asyncio.to_thread(open_next, self.path, file)
        self.wake_at = await self._next_look(file, now, has_successor=following is not None)
        if following is None:
            return False
        if file.is_unfinished or (not file.is_packed and now - self._silent_since < ROTATION_SECONDS):
            following.close()
            return False
        with suppress(Truncated):
            while await self._finish(file):
                pass
        self._safe.note("file_rotated", self.path, position=file.checkpoint.position)
        self.close()
        return await self._begin(following, None)

    async def _finish(self, file: LogFile) -> bool:
        """Read on as one that nobody appends to any more; returns whether there was anything. Raises Truncated."""
        part = await asyncio.to_thread(lambda: self._read(file, is_final=True))
        if not part.lines and not part.reason and part.reached.position <= file.checkpoint.position:
            return False
        file.checkpoint = await self._safe.deliver(part)
        return True

    async def _next_look(self, file: LogFile, now: float, *, has_successor: bool) -> float | None:
        """Tell when to look again although the path does not change."""
        if self._joiner.start is not None:
            return now + JOIN_SECONDS / 4
        is_elsewhere = has_successor or file.is_unfinished or not await asyncio.to_thread(file.is_at, self.path)
        return now + ROTATION_SECONDS / 4 if is_elsewhere else None
