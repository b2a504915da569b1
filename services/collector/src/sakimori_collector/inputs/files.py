"""Files and globs: what is appended is read, made safe, and then the checkpoint advances."""

import asyncio
import glob
import os
import re
import time
from collections.abc import AsyncIterator, Mapping, Sequence
from contextlib import asynccontextmanager, suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from sakimori_collector.adapters.rotation import rotated_from
from sakimori_collector.domain.wire.joining import DOCKER, Joiner, LineJoiner, joiner_of
from sakimori_collector.inputs.containers import container_of
from sakimori_collector.inputs.file_reception import FileDesk, FileReception
from sakimori_collector.inputs.follower import Follower
from sakimori_collector.ports import Claims
from sakimori_collector.settings import FollowedFiles
from sakimori_common.bus import Unavailable
from sakimori_common.tasks import Background

POLL_SECONDS: Final = 0.25
GLOB_SECONDS: Final = 2.0
MAX_OPEN: Final = 128
"""Descriptors that stay open; beyond, those of files at rest are closed and opened again when they grow."""
_AT_ONCE: Final = 8
"""Files that are worked on together."""
_RETRY_SECONDS: Final = 2.0
_GONE_SECONDS: Final = 600.0
"""How long a file that a glob does not find any more is kept open."""
_FIRST_CHARACTERS: Final = 256
"""So much of a line is matched by the operator's own pattern of first lines, however that is written."""

"""Runs what lasts as long as the service, and ends the service when it fails."""

Signature = tuple[int, int, int, int] | None
"""Device, inode, size and time of the last write; None where there is nothing."""


@dataclass(slots=True)
class _Followed:
    follower: Follower
    signature: Signature = None
    task: "asyncio.Task[None] | None" = None
    complaint: str = ""
    seen_at: float = 0.0

    @property
    def is_resting(self) -> bool:
        return self.task is None or self.task.done()


class FileInput:
    """Follow every file of the setting, each by itself; one that cannot be read holds up no other.

    At least once by construction (publish, then advance), stored once by ids: they are a function of the file's
    incarnation, the offset and the line. Of several replicas the one that claims a file reads it.
    """

    name = "file"

    def __init__(
        self,
        files: Sequence[FollowedFiles],
        first_lines: Mapping[str, str],
        desk: FileDesk,
        claims: Claims,
        background: Background,
    ) -> None:
        self._files = files
        self._first_lines = {pattern: re.compile(first) for pattern, first in first_lines.items()}
        self._desk = desk
        self._claims = claims
        self._background = background
        self._followed: dict[str, _Followed] = {}
        self._slots = asyncio.Semaphore(_AT_ONCE)

    @asynccontextmanager
    async def running(self) -> AsyncIterator[None]:
        """Follow until the block ends. What is in hand then is read again at the next start."""
        task = self._background(self._run(), "files")
        try:
            yield
        finally:
            task.cancel()
            with suppress(asyncio.CancelledError, Exception):  # of a failure the service knows
                await task

    async def _run(self) -> None:
        looked_at = -GLOB_SECONDS
        try:
            while True:
                if time.monotonic() - looked_at >= GLOB_SECONDS:
                    await self._look()
                    looked_at = time.monotonic()
                await self._wake()
                await asyncio.sleep(POLL_SECONDS)
        finally:
            await self._stop(list(self._followed))
            await asyncio.shield(self._claims.release())

    async def _look(self) -> None:
        """Find files, and see which of them are this replica's to read."""
        wanted: dict[str, FollowedFiles] = {}
        for entry in self._files:
            for path in await asyncio.to_thread(_matches, entry.pattern):
                wanted.setdefault(path, entry)
        now = time.monotonic()
        for path in wanted.keys() & self._followed.keys():
            self._followed[path].seen_at = now
        await self._stop([path for path, each in self._followed.items() if now - each.seen_at > _GONE_SECONDS])
        try:
            held = await self._claims.claim([*wanted, *(self._followed.keys() - wanted.keys())])
        except Unavailable as error:
            held = set()
            self._desk.log.warning("files_not_claimed", reason=str(error))
        for path in sorted((wanted.keys() & held) - self._followed.keys()):
            self._followed[path] = await self._new(path, wanted[path])
        await self._stop([path for path in self._followed if path not in held])

    async def _new(self, path: str, entry: FollowedFiles) -> _Followed:
        stamp = {"observer.name": self._desk.instance, "sakimori.input": self.name, "log.file.path": _shown(path)}
        container = await asyncio.to_thread(container_of, path) if entry.format == DOCKER else {}
        reception = FileReception(self._desk, path, entry, {**stamp, **container})
        return _Followed(Follower(path, lambda: self._joiner(entry), reception), seen_at=time.monotonic())

    def _joiner(self, entry: FollowedFiles) -> Joiner:
        first = self._first_lines.get(entry.pattern)
        if first is not None:
            return LineJoiner(lambda line: first.search(line[:_FIRST_CHARACTERS]) is None)
        return joiner_of(entry.format)

    async def _stop(self, paths: Sequence[str]) -> None:
        stopped = [self._followed.pop(path) for path in paths]
        tasks = [each.task for each in stopped if each.task is not None]
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)
        for each in stopped:
            each.follower.close()

    async def _wake(self) -> None:
        """Work on the files that changed, or that wait for something."""
        resting = [(path, each) for path, each in self._followed.items() if each.is_resting]
        signatures = await asyncio.to_thread(lambda: [_signature(path) for path, _ in resting])
        now = time.monotonic()
        for (path, each), signature in zip(resting, signatures, strict=True):
            if each.task is not None and not each.task.cancelled():
                each.task.result()  # a bug must end the service, not the file
            wake_at = each.follower.wake_at
            if signature != each.signature or (wake_at is not None and wake_at <= now):
                each.signature = signature
                each.task = asyncio.create_task(self._work(path, each), name=f"follow-{path}")
        self._close_surplus()

    async def _work(self, path: str, each: _Followed) -> None:
        """Read until there is nothing more for now."""
        try:
            async with self._slots:
                while await each.follower.step():
                    each.complaint = ""
        except OSError as error:
            each.follower.wake_at = time.monotonic() + _RETRY_SECONDS
            if str(error) != each.complaint:
                each.complaint = str(error)
                self._desk.log.error("file_unreadable", path=path, reason=each.complaint)  # noqa: TRY400  # told once

    def _close_surplus(self) -> None:
        followed = self._followed.values()
        surplus = sum(each.follower.is_open for each in followed) - MAX_OPEN
        for each in followed:
            if surplus <= 0:
                return
            if each.is_resting and each.follower.is_open and each.follower.wake_at is None:
                each.follower.close()
                surplus -= 1


def _matches(pattern: str) -> list[str]:
    """A path that is no glob is followed before it exists. What a glob finds of rotated files belongs to others."""
    # pathlib globs only below a given folder; this pattern may be anywhere.
    if not glob.has_magic(pattern):
        return [pattern]
    found = set(glob.glob(pattern))  # noqa: PTH207
    return sorted(path for path in found if not _is_rotated(path, found))


def _is_rotated(path: str, found: set[str]) -> bool:
    base = rotated_from(path)
    return base is not None and (base in found or Path(base).exists())


def _signature(path: str) -> Signature:
    try:
        status = os.stat(path)  # noqa: PTH116  # a third of the time, for hundreds of files four times a second
    except OSError:
        return None
    return status.st_dev, status.st_ino, status.st_size, status.st_mtime_ns


def _shown(path: str) -> str:
    """A name of a file need not be UTF-8 (PEP 383), an event must."""
    return path.encode("utf-8", "backslashreplace").decode()
