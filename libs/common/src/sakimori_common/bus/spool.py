"""A bounded spool on disk for events that cannot be held back while the bus is away."""

import asyncio
import uuid
from collections.abc import Sequence
from pathlib import Path

from sakimori_common.bus.errors import BusUnavailable
from sakimori_common.bus.publisher import EventPublisher
from sakimori_common.contracts import EVENTS, Event, WireError


class SpoolFull(Exception):
    """The spool has reached its bound; the events in hand are lost and are to be counted."""


class Spool:
    """Keep batches as files in one folder, one process at a time, until the bus takes them again, oldest first.

    A batch is written beside and renamed into place, so a crash leaves a whole file or none. Ids are in the batch, so
    a file that was published twice (a crash before its removal) is stored once.
    """

    def __init__(self, folder: Path, limit_bytes: int) -> None:
        self._folder = folder
        self._limit_bytes = limit_bytes
        folder.mkdir(parents=True, exist_ok=True)
        self._used_bytes = sum(path.stat().st_size for path in self._files())
        self._number = 0

    @property
    def used_bytes(self) -> int:
        """Bytes on disk now."""
        return self._used_bytes

    def put(self, events: Sequence[Event]) -> None:
        """Write a batch to disk. Raises SpoolFull."""
        body = EVENTS.encode(events)
        if self._used_bytes + len(body) > self._limit_bytes:
            raise SpoolFull(f"{self._folder}: {self._used_bytes} of {self._limit_bytes} bytes are used")
        self._number += 1
        path = self._folder / f"{events[0].time:020}-{self._number:09}-{uuid.uuid4().hex}.batch"
        temporary = path.with_suffix(".partial")
        temporary.write_bytes(body)
        temporary.replace(path)
        self._used_bytes += len(body)

    async def drain_into(self, publisher: EventPublisher) -> int:
        """Publish what is kept, oldest first, until empty or the bus is away; returns how many events went."""
        sent = 0
        files = self._files()
        if not files:
            self._used_bytes = 0  # whoever emptied the folder by hand made room
        for path in files:
            body = await asyncio.to_thread(path.read_bytes)
            try:
                events = EVENTS.decode(body)
                await publisher.publish(events)
            except WireError:
                path.rename(path.with_suffix(".damaged"))
                self._used_bytes -= len(body)
                continue
            except BusUnavailable:
                break
            path.unlink()
            self._used_bytes -= len(body)
            sent += len(events)
        return sent

    def _files(self) -> list[Path]:
        return sorted(self._folder.glob("*.batch"))
