"""systemd's journal of this machine, through journalctl, or one in export format from a file or pipe."""

import asyncio
from collections.abc import AsyncIterator, Callable, Coroutine
from contextlib import asynccontextmanager, suppress
from pathlib import Path
from typing import Any, Final

from sakimori_collector.domain.format import Reference
from sakimori_collector.domain.reading import Source
from sakimori_collector.domain.wire.journal_export import BadExport, Entry, ExportSplitter, cursor_of
from sakimori_collector.inputs.file_reception import FileDesk
from sakimori_collector.inputs.journal_lines import IDENTITY, NAME, batch_of
from sakimori_collector.ports import Checkpoint, Claims
from sakimori_common.bus import BusUnavailable, Unavailable
from sakimori_common.tasks import Background

SYSTEM: Final = "system"
"""The setting that means the journal of this machine."""
_PIECE_BYTES: Final = 64 * 1024
_FIRST_BACKOFF_SECONDS: Final = 0.5
_LONGEST_BACKOFF_SECONDS: Final = 30.0
_CLAIM_SECONDS: Final = 2.0
_MAX_COMPLAINT_BYTES: Final = 500
_STOP_SECONDS: Final = 2.0


class JournalInput:
    """Follow one journal. The cursor of the last entry that is safe is the checkpoint.

    `journal`: `system`, the folder of another journal (`/var/log/journal` of the host), or a file or named pipe in
    export format, which is read to its end and opened again. Of several replicas one reads.
    """

    name = NAME

    def __init__(self, journal: str, desk: FileDesk, claims: Claims, background: Background) -> None:
        self._journal = journal
        self._key = f"journal:{journal}"
        self._desk = desk
        self._claims = claims
        self._background = background
        self._reached: Checkpoint | None = None

    @asynccontextmanager
    async def running(self) -> AsyncIterator[None]:
        """Follow until the block ends."""
        task = self._background(self._run(), "journal")
        try:
            yield
        finally:
            task.cancel()
            with suppress(asyncio.CancelledError, Exception):  # of a failure the service knows
                await task

    async def _run(self) -> None:
        backoff = _FIRST_BACKOFF_SECONDS
        try:
            while True:
                try:
                    await self._claimed()
                    self._reached = await self._desk.checkpoints.load(self._key)
                    if await self._follow():
                        backoff = _FIRST_BACKOFF_SECONDS
                except (OSError, BadExport, Unavailable) as error:
                    self._desk.log.warning("journal_unreadable", journal=self._journal, reason=str(error))
                await asyncio.sleep(backoff)
                backoff = min(backoff * 2, _LONGEST_BACKOFF_SECONDS)
        finally:
            await asyncio.shield(self._claims.release())

    async def _claimed(self) -> None:
        while self._key not in await self._claims.claim([self._key]):
            await asyncio.sleep(_CLAIM_SECONDS)

    async def _follow(self) -> bool:
        """Read until the journal ends; returns whether anything came. Raises OSError, BadExport."""
        path = Path(self._journal)
        if self._journal == SYSTEM or await asyncio.to_thread(path.is_dir):
            return await self._from_journalctl(path)
        return await self._from_export(path)

    async def _from_journalctl(self, path: Path) -> bool:
        process = await asyncio.create_subprocess_exec(
            *self._command(path), stdout=asyncio.subprocess.PIPE, stderr=asyncio.subprocess.PIPE
        )
        assert process.stdout is not None  # noqa: S101  # as was asked for
        assert process.stderr is not None  # noqa: S101
        complaint = asyncio.create_task(process.stderr.read(_MAX_COMPLAINT_BYTES))
        try:
            found = await self._read(process.stdout.read)
            status = await process.wait()
            said = (await complaint).decode("utf-8", "replace").strip()
            self._desk.log.warning("journalctl_ended", status=status, reason=said)
            return found
        finally:
            complaint.cancel()
            await _stopped(process)

    def _command(self, path: Path) -> list[str]:
        command = ["journalctl", "--output=export", "--follow", "--no-tail", "--quiet"]
        if self._journal != SYSTEM:
            command.append(f"--directory={path}")
        cursor = self._reached.context if self._reached is not None else ""
        return [*command, f"--after-cursor={cursor}"] if cursor else [*command, "--boot=0"]

    async def _from_export(self, path: Path) -> bool:
        file = await asyncio.to_thread(path.open, "rb", 0)
        try:
            return await self._read(lambda size: asyncio.to_thread(file.read, size))
        finally:
            file.close()

    async def _read(self, read: Callable[[int], Coroutine[Any, Any, bytes]]) -> bool:
        splitter, found = ExportSplitter(), False
        while piece := await read(_PIECE_BYTES):
            entries = splitter.feed(piece)
            if entries:
                found = True
                await self._deliver(entries)
        last = splitter.end()
        if last:
            await self._deliver(last)
        return found or bool(last)

    async def _deliver(self, entries: list[Entry]) -> None:
        """Make entries safe, then the cursor, however long that takes."""
        backoff = _FIRST_BACKOFF_SECONDS
        while True:
            try:
                await self._desk.intake.take(batch_of(self._source(), entries))
                cursor = cursor_of(entries[-1].raw)
                if cursor:
                    await self._desk.checkpoints.save(Checkpoint(self._key, 0, 0, "", 0, IDENTITY, context=cursor))
            except (BusUnavailable, Unavailable) as error:
                self._desk.metrics.input_stalls_total.labels(NAME).inc()
                self._desk.log.warning("journal_waiting", reason=str(error), seconds=backoff)
                await asyncio.sleep(backoff)
                backoff = min(backoff * 2, _LONGEST_BACKOFF_SECONDS)
            else:
                return

    def _source(self) -> Source:
        desk = self._desk
        return Source(
            name=NAME,
            identity=IDENTITY,
            format=NAME,
            reference=Reference(int(desk.clock() * 1_000_000), desk.zone),
            stamp={"observer.name": desk.instance, "sakimori.input": NAME},
        )


async def _stopped(process: "asyncio.subprocess.Process") -> None:
    if process.returncode is None:
        process.terminate()
        try:
            async with asyncio.timeout(_STOP_SECONDS):
                await process.wait()
        except TimeoutError:
            process.kill()
            await process.wait()
