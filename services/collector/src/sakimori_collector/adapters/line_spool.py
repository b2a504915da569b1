"""LineSpool in a folder: one file for each batch, its name says how many lines of which source."""

import asyncio
import re
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Generic, TypeVar
from urllib.parse import quote, unquote

import msgspec

from sakimori_collector.domain.reading import Rejected
from sakimori_collector.ports import Damaged, NoRoom, Waiting
from sakimori_common.bus.spool import Kept, SpoolFolder, SpoolFull
from sakimori_common.contracts import EVENTS, Event

T = TypeVar("T")

_NAME = re.compile(r"(\d{16})-(\d{1,9})-([\w%.~-]{0,1024})", re.ASCII)


class FolderSpool(Generic[T]):
    """LineSpool in one folder, of one process at a time; what a process left there the next one finds.

    Not synced to disk: it survives the process, and of a power cut only what the kernel had written by then.
    """

    def __init__(
        self,
        folder: Path,
        limit_bytes: int,
        encode: Callable[[Sequence[T]], bytes],
        decode: Callable[[bytes], Sequence[T]],
    ) -> None:
        self._folder = SpoolFolder(folder, limit_bytes)
        self._encode = encode
        self._decode = decode
        self._kept: dict[int, tuple[Waiting, Kept]] = {}
        for kept in self._folder.files():
            waiting = _waiting_of(kept.name)
            if waiting is None:
                self._folder.set_aside(kept)
            else:
                self._kept[waiting.number] = waiting, kept
        self._last = max(self._kept, default=0)

    def put(self, source: str, lines: int, items: Sequence[T]) -> None:
        """Write a file."""
        waiting = Waiting(self._last + 1, source, lines)
        name = f"{waiting.number:016}-{lines}-{quote(source, safe='')}"
        try:
            kept = self._folder.put(name, self._encode(items))
        except (SpoolFull, OSError) as error:
            raise NoRoom(str(error)) from None
        self._last = waiting.number
        self._kept[waiting.number] = waiting, kept

    def waiting(self) -> Sequence[Waiting]:
        """List the files that are known."""
        return [waiting for waiting, _ in self._kept.values()] if self._kept else ()

    async def read(self, waiting: Waiting) -> Sequence[T]:
        """Read a file."""
        try:
            body = await asyncio.to_thread(self._kept[waiting.number][1].path.read_bytes)
            return self._decode(body)
        except (OSError, ValueError) as error:
            raise Damaged(str(error)) from None

    def remove(self, waiting: Waiting) -> None:
        """Delete a file."""
        self._folder.remove(self._kept.pop(waiting.number)[1])

    def set_aside(self, waiting: Waiting) -> None:
        """Rename a file."""
        self._folder.set_aside(self._kept.pop(waiting.number)[1])


def spool_of_events(folder: Path, limit_bytes: int) -> FolderSpool[Event]:
    """Open a spool of events."""
    return FolderSpool(folder, limit_bytes, EVENTS.encode, EVENTS.decode)


def spool_of_rejected(
    folder: Path, limit_bytes: int, seal: Callable[[bytes], bytes], unseal: Callable[[bytes], bytes]
) -> FolderSpool[Rejected]:
    """Open a spool of rejected lines. They are raw: `seal` encrypts a file, `unseal` raises ValueError for another."""
    decoder = msgspec.msgpack.Decoder(list[Rejected])
    return FolderSpool(
        folder,
        limit_bytes,
        lambda lines: seal(msgspec.msgpack.encode(list(lines))),
        lambda body: decoder.decode(unseal(body)),
    )


def _waiting_of(name: str) -> Waiting | None:
    match = _NAME.fullmatch(name)
    return None if match is None else Waiting(int(match[1]), unquote(match[3]), int(match[2]))
