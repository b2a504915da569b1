"""Captures that operators start and stop, each a process of its own, kept as files until newer ones need the room."""

import asyncio
import sys
import uuid
from asyncio.subprocess import DEVNULL, PIPE, Process
from contextlib import suppress
from pathlib import Path
from typing import Final

import msgspec
import structlog

from sakimori_common.instants import now_text
from sakimori_packet_sensor.domain.recording import Outcome, Recording, RecordingOrder, RecordingState

MAX_RUNNING: Final = 4
_STOP_SECONDS: Final = 10.0
_MODULE: Final = ("-m", "sakimori_packet_sensor.recorder")


class TooMany(Exception):
    """No other capture can be started now; the message says why."""


class Recordings:
    """All captures of this sensor. What is known of one stands in a file beside it, so a restart forgets none."""

    def __init__(
        self, folder: Path, limit_bytes: int, log: structlog.stdlib.BoundLogger, python: str | None = None
    ) -> None:
        folder.mkdir(mode=0o700, parents=True, exist_ok=True)
        self._folder = folder
        self._limit_bytes = limit_bytes
        self._log = log
        self._command = (python or sys.executable, *_MODULE)
        self._processes: dict[str, Process] = {}
        self._tasks: dict[str, asyncio.Task[None]] = {}
        self._known = {recording.id: recording for recording in _left(folder)}
        for recording in list(self._known.values()):
            self._keep(recording)

    def all(self) -> list[Recording]:
        """List them, the latest first."""
        return sorted(self._known.values(), key=lambda each: (each.started_at, each.id), reverse=True)

    def find(self, identity: str) -> Recording | None:
        """Look one up."""
        return self._known.get(identity)

    def file(self, identity: str) -> Path:
        """Name the file of one, which may be growing still."""
        return self._folder / f"{identity}.pcap"

    async def start(self, interface: str, packet_filter: str | None, seconds: float, max_bytes: int) -> Recording:
        """Start one. Raises TooMany, and OSError when no process can be started."""
        self._make_room(max_bytes)
        identity = uuid.uuid4().hex
        order = RecordingOrder(
            interface=interface,
            path=str(self.file(identity)),
            seconds=seconds,
            max_bytes=max_bytes,
            packet_filter=packet_filter,
        )
        process = await asyncio.create_subprocess_exec(*self._command, stdin=PIPE, stdout=PIPE, stderr=DEVNULL)
        if process.stdin is not None:
            process.stdin.write(msgspec.json.encode(order) + b"\n")
        recording = Recording(
            id=identity,
            interface=interface,
            packet_filter=packet_filter,
            seconds=seconds,
            max_bytes=max_bytes,
            started_at=now_text(),
            state=RecordingState.RUNNING,
        )
        self._keep(recording)
        self._processes[identity] = process
        self._tasks[identity] = asyncio.create_task(self._see_off(recording, process), name=f"recording-{identity}")
        self._log.info("recording_started", recording=identity, interface=interface, seconds=seconds)
        return recording

    async def stop(self, identity: str) -> Recording | None:
        """End one that runs, and wait until its file is whole; None when there is none of that name."""
        process, task = self._processes.get(identity), self._tasks.get(identity)
        if process is not None and task is not None:
            if process.stdin is not None:
                process.stdin.close()
            done, _ = await asyncio.wait({task}, timeout=_STOP_SECONDS)
            if not done:
                with suppress(ProcessLookupError):
                    process.kill()
                await asyncio.wait({task})
        return self._known.get(identity)

    async def stop_all(self) -> None:
        """End all that run."""
        await asyncio.gather(*(self.stop(identity) for identity in list(self._processes)))

    async def _see_off(self, recording: Recording, process: Process) -> None:
        """Wait for the end of one. It stops by itself at its bounds."""
        said = await process.stdout.read() if process.stdout is not None else b""
        await process.wait()
        try:
            outcome = msgspec.json.decode(said, type=Outcome)
        except msgspec.MsgspecError:
            outcome = Outcome(error=f"the process ended (status {process.returncode})")
        state = RecordingState.FAILED if outcome.error is not None else RecordingState.DONE
        self._keep(msgspec.structs.replace(recording, state=state, ended_at=now_text(), outcome=outcome))
        self._processes.pop(recording.id, None)
        self._tasks.pop(recording.id, None)
        self._log.info("recording_ended", recording=recording.id, state=state.value, packets=outcome.packets)

    def _make_room(self, wanted: int) -> None:
        """Remove the oldest that are over until there is room. Raises TooMany."""
        running = [each for each in self._known.values() if each.state is RecordingState.RUNNING]
        if len(running) >= MAX_RUNNING:
            raise TooMany(f"{MAX_RUNNING} captures run already; stop one")
        sizes = {each.id: self._size(each) for each in self._known.values()}
        for each in reversed(self.all()):
            if sum(sizes.values()) + wanted <= self._limit_bytes:
                return
            if each.state is not RecordingState.RUNNING:
                sizes.pop(each.id)
                self._remove(each)
        if sum(sizes.values()) + wanted > self._limit_bytes:
            raise TooMany(
                f"there is room for {self._limit_bytes - sum(sizes.values())} bytes (SENSOR_RECORDINGS_BYTES)"
            )

    def _size(self, recording: Recording) -> int:
        if recording.state is RecordingState.RUNNING:
            return recording.max_bytes
        try:
            return self.file(recording.id).stat().st_size
        except OSError:
            return 0

    def _keep(self, recording: Recording) -> None:
        self._known[recording.id] = recording
        path = self._folder / f"{recording.id}.json"
        temporary = path.with_suffix(".partial")
        temporary.write_bytes(msgspec.json.encode(recording))
        temporary.replace(path)

    def _remove(self, recording: Recording) -> None:
        self._known.pop(recording.id, None)
        for path in (self.file(recording.id), self._folder / f"{recording.id}.json"):
            path.unlink(missing_ok=True)


def _left(folder: Path) -> list[Recording]:
    """Read what an earlier process left; what ran then is interrupted."""
    found = []
    for path in folder.glob("*.json"):
        try:
            recording = msgspec.json.decode(path.read_bytes(), type=Recording)
        except (OSError, msgspec.MsgspecError):
            continue
        if recording.state is RecordingState.RUNNING:
            recording = msgspec.structs.replace(recording, state=RecordingState.INTERRUPTED)
        found.append(recording)
    return found
