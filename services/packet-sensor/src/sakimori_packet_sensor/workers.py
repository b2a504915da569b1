"""The capture workers: started, listened to, started again.

One process a worker, for packets are work for the whole of a core and the service has others to serve. A worker that
ends is started again after a pause that doubles; until it captures, /ready says why it does not.
"""

import asyncio
import socket
import sys
from asyncio.subprocess import DEVNULL, PIPE, Process
from collections import deque
from collections.abc import AsyncIterator, Callable, Sequence
from contextlib import asynccontextmanager, suppress
from typing import Final

import msgspec
import structlog

from sakimori_common.contracts import EVENTS, Event, WireError
from sakimori_common.health import NotReady
from sakimori_common.tasks import Background
from sakimori_packet_sensor.adapters.link import Frames, Kind, LinkError, Order, Trouble, frame
from sakimori_packet_sensor.domain.tally import Tally
from sakimori_packet_sensor.metrics import SensorMetrics

FIRST_PAUSE_SECONDS: Final = 0.5
LONGEST_PAUSE_SECONDS: Final = 30.0
STEADY_SECONDS: Final = 60.0
"""A worker that captured for so long begins with the first pause again."""
STOP_SECONDS: Final = 10.0
"""How long a worker may take to report what is open; then it is killed."""
_READ_BYTES: Final = 1 << 18
_LAST_WORDS: Final = 20
_MODULE: Final = ("-m", "sakimori_packet_sensor.worker")


class CaptureWorker:
    """One worker, kept running. `take` gets its events and must not wait; `python` is the interpreter for it."""

    def __init__(
        self,
        order: Order,
        take: Callable[[Sequence[Event]], None],
        metrics: SensorMetrics,
        log: structlog.stdlib.BoundLogger,
        python: str | None = None,
    ) -> None:
        self._order = order
        self._command = (python or sys.executable, *_MODULE)
        self._take = take
        self._metrics = metrics
        self._log = log.bind(interface=order.interface)
        self._stopping = asyncio.Event()
        self._writer: asyncio.StreamWriter | None = None
        self._process: Process | None = None
        self._is_shedding = False
        self._is_capturing = False
        self._captured_since = 0.0
        self._tally = Tally()
        self.problem: str | None = "starting"
        """Why it does not capture; None while it does."""

    @property
    def pid(self) -> int | None:
        """The process, while there is one."""
        return None if self._process is None else self._process.pid

    @property
    def interface(self) -> str:
        """What it captures from."""
        return self._order.interface

    def shed(self, is_shedding: bool) -> None:
        """Have it follow no new flows, or follow them again; holds over restarts."""
        self._is_shedding = is_shedding
        self._tell(Kind.SHED, b"1" if is_shedding else b"0")

    def stop(self) -> None:
        """Have it report what is open and end; `run` returns then."""
        self._stopping.set()
        self._tell(Kind.STOP)

    async def run(self) -> None:
        """Keep it running until `stop`."""
        pause = FIRST_PAUSE_SECONDS
        while not self._stopping.is_set():
            await self._live()
            if self._stopping.is_set():
                return
            if self._captured_since and _now() - self._captured_since > STEADY_SECONDS:
                pause = FIRST_PAUSE_SECONDS
            self._metrics.worker_restarts_total.labels(self.interface).inc()
            with suppress(TimeoutError):
                await asyncio.wait_for(self._stopping.wait(), pause)
            pause = min(pause * 2, LONGEST_PAUSE_SECONDS)

    async def _live(self) -> None:
        """Start the process, take what it sends, see it off."""
        ours, theirs = socket.socketpair()
        try:
            with theirs:
                process = await asyncio.create_subprocess_exec(
                    *self._command, stdin=theirs.fileno(), stdout=DEVNULL, stderr=PIPE
                )
        except OSError as error:
            ours.close()
            self.problem = f"{self._command[0]} cannot be run: {error.strerror}"
            self._log.error("worker_not_started", reason=self.problem)
            return
        reader, writer = await asyncio.open_unix_connection(sock=ours)
        self._process, self._writer, self._tally, self._captured_since = process, writer, Tally(), 0.0
        words = asyncio.create_task(_last_words(process))
        try:
            self._tell(Kind.ORDER, msgspec.msgpack.encode(self._order))
            self.shed(self._is_shedding)
            await self._listen(reader)
            await asyncio.wait_for(process.wait(), STOP_SECONDS)
        except (LinkError, WireError, msgspec.DecodeError, OSError, TimeoutError) as error:
            self._log.error("worker_misbehaved", reason=f"{type(error).__name__}: {error}")
        finally:
            self._lose(process)
            writer.close()
        self._report_end(await process.wait(), await words)

    async def _listen(self, reader: asyncio.StreamReader) -> None:
        frames = Frames()
        while piece := await self._piece(reader):
            for kind, body in frames.feed(piece):
                self._handle(kind, body)

    async def _piece(self, reader: asyncio.StreamReader) -> bytes:
        """Read on; for STOP_SECONDS at most without a word once it is to stop."""
        reading = asyncio.ensure_future(reader.read(_READ_BYTES))
        stopping = asyncio.ensure_future(self._stopping.wait())
        try:
            await asyncio.wait({reading, stopping}, return_when=asyncio.FIRST_COMPLETED)
            return await asyncio.wait_for(reading, STOP_SECONDS)
        finally:
            reading.cancel()
            stopping.cancel()

    def _handle(self, kind: Kind, body: bytes) -> None:
        if kind is Kind.EVENTS:
            self._take(EVENTS.decode(body))
        elif kind is Kind.COUNTS:
            tally = msgspec.msgpack.decode(body, type=Tally)
            self._metrics.add_live(self.interface, tally.since(self._tally))
            self._tally = tally
        elif kind is Kind.STARTED:
            self._set_capturing(True)
            self.problem = None
            self._captured_since = _now()
            self._log.info("capture_started", worker=self.pid)
        elif kind is Kind.PROBLEM:
            trouble = msgspec.msgpack.decode(body, type=Trouble)
            self.problem = trouble.text
            self._log.warning("capture_unavailable", reason=trouble.text, kind=trouble.kind)
        else:
            raise LinkError(f"{kind.name} from a worker")

    def _report_end(self, status: int, words: str) -> None:
        self._set_capturing(False)
        if self.problem is None and not self._stopping.is_set():
            self.problem = f"the capture process ended (status {status}) and is started again"
            self._log.error("worker_ended", status=status, said=words)
        elif status != 0 and words:
            self._log.warning("worker_said", status=status, said=words)

    def _set_capturing(self, is_capturing: bool) -> None:
        if is_capturing != self._is_capturing:
            self._is_capturing = is_capturing
            self._metrics.workers.labels(self.interface).inc(1 if is_capturing else -1)

    def _lose(self, process: Process) -> None:
        self._writer = None
        self._process = None
        if process.returncode is None:
            with suppress(ProcessLookupError):
                process.kill()

    def _tell(self, kind: Kind, body: bytes = b"") -> None:
        if self._writer is not None:
            self._writer.write(frame(kind, body))


class Workers:
    """All capture workers of the service."""

    def __init__(self, workers: Sequence[CaptureWorker]) -> None:
        self._workers = workers

    def shed(self, is_shedding: bool) -> None:
        """Have all follow no new flows, or follow them again."""
        for worker in self._workers:
            worker.shed(is_shedding)

    async def check(self) -> None:
        """Return when all capture. Raises NotReady that says which does not and why."""
        problems = [f"{worker.interface}: {worker.problem}" for worker in self._workers if worker.problem]
        if problems:
            raise NotReady("; ".join(dict.fromkeys(problems)))

    @asynccontextmanager
    async def running(self, background: Background) -> AsyncIterator[None]:
        """Capture until the block ends, then take what the workers still had to report."""
        tasks = [background(worker.run(), f"capture-{worker.interface}") for worker in self._workers]
        try:
            yield
        finally:
            for worker in self._workers:
                worker.stop()
            await asyncio.gather(*tasks, return_exceptions=True)


async def _last_words(process: Process) -> str:
    """Collect the end of what a process says on stderr: the traceback of one that broke."""
    lines: deque[str] = deque(maxlen=_LAST_WORDS)
    if process.stderr is not None:
        while piece := await process.stderr.read(4096):
            lines.extend(piece.decode("utf-8", "replace").splitlines())
    return "\n".join(lines)[-4000:]


def _now() -> float:
    return asyncio.get_running_loop().time()
