"""Lines of a few milliseconds, of many peers, become one batch for each source."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from typing import Final

from sakimori_collector.domain.readers import Reader
from sakimori_collector.domain.wire.peers import Peer
from sakimori_collector.inputs.site import Site
from sakimori_collector.intake import Batch, Line

BATCH_LINES: Final = 1000
BATCH_BYTES: Final = 1 << 20
LINGER_SECONDS: Final = 0.01
IN_FLIGHT: Final = 4
"""Batches that are under way at once; the fifth waits, and what comes meanwhile goes with it."""
FULL_LINES: Final = 10_000
FULL_BYTES: Final = 16 << 20


@dataclass(slots=True)
class _Gathered:
    lines: list[Line] = field(default_factory=list)
    peers: dict[int, str] = field(default_factory=dict)
    faults: dict[int, str] = field(default_factory=dict)
    lengths: dict[int, int] = field(default_factory=dict)


class Gathering:
    """Gather lines that can't be held back and hand them in; no caller waits. Use from the event loop only."""

    def __init__(self, site: Site, kind: str, format: str, read: Reader, limit_bytes: int) -> None:
        self._site = site
        self._kind = kind
        self._format = format
        self._read = read
        self._limit_bytes = limit_bytes
        self._pending: dict[str, _Gathered] = {}
        self._lines = 0
        self._bytes = 0
        self._timer: asyncio.TimerHandle | None = None
        self._tasks: set[asyncio.Task[None]] = set()

    def is_full(self) -> bool:
        """Tell whether no more is to be added for now: this process is slower than what comes."""
        return self._lines >= FULL_LINES or self._bytes >= FULL_BYTES

    def add(self, peer: Peer, raw: bytes, *, fault: str = "") -> None:
        """Add a line; a `fault` makes it a rejected one."""
        gathered = self._pending.get(peer.name)
        if gathered is None:
            gathered = self._pending[peer.name] = _Gathered()
        place = next(self._site.places)
        if len(raw) > self._limit_bytes:
            gathered.lengths[place] = len(raw)
            raw = raw[: self._limit_bytes]
        if fault:
            gathered.faults[place] = fault
        gathered.lines.append((place, raw))
        gathered.peers[place] = peer.address
        self._lines += 1
        self._bytes += len(raw)
        if self._lines >= BATCH_LINES or self._bytes >= BATCH_BYTES:
            self._flush()
        elif self._timer is None:
            self._timer = asyncio.get_running_loop().call_later(LINGER_SECONDS, self._flush)

    @asynccontextmanager
    async def running(self) -> AsyncIterator[None]:
        """Hand in what is gathered until the block ends, then the rest."""
        try:
            yield
        finally:
            while self._tasks or self._lines:
                self._flush()
                await asyncio.gather(*self._tasks)

    def _flush(self) -> None:
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None
        if not self._lines or len(self._tasks) >= IN_FLIGHT:
            return
        pending, self._pending = self._pending, {}
        self._lines = self._bytes = 0
        task = asyncio.create_task(self._hand_in(pending), name=f"{self._kind}-batch")
        self._tasks.add(task)
        task.add_done_callback(self._settled)

    def _settled(self, task: "asyncio.Task[None]") -> None:
        self._tasks.discard(task)
        self._flush()

    async def _hand_in(self, pending: dict[str, _Gathered]) -> None:
        for name, gathered in pending.items():
            source = self._site.received(name, self._kind, self._format, peers=gathered.peers, faults=gathered.faults)
            await self._site.intake.take_or_spool(Batch(source, gathered.lines, self._read, gathered.lengths))
