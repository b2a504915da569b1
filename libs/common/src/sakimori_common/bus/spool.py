"""A bounded spool on disk for what cannot be held back while the bus is away."""

import asyncio
import uuid
from collections.abc import Sequence
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path

from sakimori_common.bus.errors import BusUnavailable
from sakimori_common.bus.publisher import EventPublisher
from sakimori_common.contracts import EVENTS, Event, WireError


class SpoolFull(Exception):
    """The spool has reached its bound; what is in hand is lost and is to be counted."""


@dataclass(frozen=True, slots=True)
class Kept:
    """One file of a folder. `name` is what it was put under; files are taken out in the order of their names."""

    name: str
    path: Path
    bytes: int


class SpoolFolder:
    """Whole files in one folder, one process at a time, up to so many bytes; readable by this user only.

    A file is written beside and renamed into place, so a killed process leaves a whole file or none.
    """

    def __init__(self, folder: Path, limit_bytes: int) -> None:
        self._folder = folder
        self._limit_bytes = limit_bytes
        folder.mkdir(mode=0o700, parents=True, exist_ok=True)
        for unfinished in folder.glob("*.partial"):
            unfinished.unlink(missing_ok=True)
        self._used_bytes = sum(kept.bytes for kept in self.files())

    @property
    def used_bytes(self) -> int:
        """Bytes on disk now."""
        return self._used_bytes

    def put(self, name: str, body: bytes) -> Kept:
        """Write a file. Raises SpoolFull, and OSError when the disk refuses."""
        if self._used_bytes + len(body) > self._limit_bytes:
            raise SpoolFull(f"{self._folder}: {self._used_bytes} of {self._limit_bytes} bytes are used")
        path = self._folder / f"{name}.batch"
        temporary = self._folder / f"{name}.partial"
        temporary.touch(mode=0o600)
        try:
            temporary.write_bytes(body)
            temporary.replace(path)
        except OSError:
            temporary.unlink(missing_ok=True)  # half a file on a full disk must not stay there
            raise
        self._used_bytes += len(body)
        return Kept(name, path, len(body))

    def files(self) -> list[Kept]:
        """List what is kept, in the order of names."""
        found = []
        for path in sorted(self._folder.glob("*.batch")):
            try:
                found.append(Kept(path.name.removesuffix(".batch"), path, path.stat().st_size))
            except FileNotFoundError:
                continue
        if not found:
            self._used_bytes = 0  # whoever emptied the folder by hand made room
        return found

    def remove(self, kept: Kept) -> None:
        """Take a file away whose content is safe elsewhere."""
        kept.path.unlink(missing_ok=True)
        self._used_bytes -= kept.bytes

    def set_aside(self, kept: Kept) -> None:
        """Keep a file that cannot be read under another name, for a person to look at."""
        with suppress(FileNotFoundError):
            kept.path.rename(kept.path.with_suffix(".damaged"))
        self._used_bytes -= kept.bytes


class Spool:
    """Keep batches of events until the bus takes them again, oldest first.

    Ids are in the batch, so a file that was published twice (a crash before its removal) is stored once.
    """

    def __init__(self, folder: Path, limit_bytes: int) -> None:
        self._folder = SpoolFolder(folder, limit_bytes)
        self._number = 0

    @property
    def used_bytes(self) -> int:
        """Bytes on disk now."""
        return self._folder.used_bytes

    def put(self, events: Sequence[Event]) -> None:
        """Write a batch to disk. Raises SpoolFull."""
        self._number += 1
        self._folder.put(f"{events[0].time:020}-{self._number:09}-{uuid.uuid4().hex}", EVENTS.encode(events))

    async def drain_into(self, publisher: EventPublisher) -> int:
        """Publish what is kept, oldest first, until empty or the bus is away; returns how many events went."""
        sent = 0
        for kept in self._folder.files():
            try:
                events = EVENTS.decode(await asyncio.to_thread(kept.path.read_bytes))
                await publisher.publish(events)
            except WireError:
                self._folder.set_aside(kept)
                continue
            except BusUnavailable:
                break
            self._folder.remove(kept)
            sent += len(events)
        return sent
