"""TCP ports: connections that bring messages, held back while the bus is away."""

import asyncio
import contextlib
import socket
import ssl
import time
from collections.abc import AsyncIterator, Callable, Sequence
from contextlib import asynccontextmanager
from typing import Final

from sakimori_collector.domain.readers import Reader
from sakimori_collector.domain.wire.framing import Frame, Framing
from sakimori_collector.domain.wire.listening import Listener
from sakimori_collector.domain.wire.peers import Peer
from sakimori_collector.inputs.site import Site
from sakimori_collector.intake import Batch
from sakimori_common.bus import BusUnavailable, Unavailable

CHUNK_BYTES: Final = 64 * 1024
HANDSHAKE_SECONDS: Final = 10.0
FIRST_BACKOFF_SECONDS: Final = 0.25
LONGEST_BACKOFF_SECONDS: Final = 10.0
SILENT_SECONDS: Final = 0.5
FAREWELL_SECONDS: Final = 3.0
"""At the end a connection is read until it is silent for half a second, or so long: its buffers are not lost."""


class StreamPort:
    """Serves one port. Each connection is read a piece at a time, and the next only when the last is safe."""

    def __init__(
        self,
        site: Site,
        kind: str,
        listener: Listener,
        framing: Callable[[], Framing],
        read: Reader,
        *,
        tls: ssl.SSLContext | None = None,
    ) -> None:
        self.site = site
        self.kind = kind
        self.format = listener.format
        self.read = read
        self.framing = framing
        self.stopping = asyncio.Event()
        self._listener = listener
        self._tls = tls
        self._connections: dict[Connection, asyncio.Task[None]] = {}

    @asynccontextmanager
    async def running(self) -> AsyncIterator[None]:
        """Serve until the block ends, then take what connections still hold. Raises OSError when the port is taken."""
        handshake = HANDSHAKE_SECONDS if self._tls is not None else None
        server = await asyncio.start_server(
            self._accept,
            self._listener.host,
            self._listener.port,
            limit=CHUNK_BYTES,
            ssl=self._tls,
            ssl_handshake_timeout=handshake,
        )
        try:
            host, port = server.sockets[0].getsockname()[:2]
            self.site.log.info("input_opened", input=self.kind, host=host, port=port)
            yield
        finally:
            server.close()
            self.stopping.set()
            for connection in self._connections:
                connection.say_goodbye()
            await asyncio.gather(*self._connections.values(), return_exceptions=True)

    async def _accept(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        peer = self._admitted(writer)
        if peer is None:
            writer.transport.abort()
            return
        connection = Connection(self, peer, reader, writer)
        task = asyncio.current_task()
        assert task is not None  # noqa: S101  # start_server runs this as a task
        self._connections[connection] = task
        gauge = self.site.metrics.connections.labels(self.kind)
        gauge.inc()
        try:
            await connection.serve()
        finally:
            gauge.dec()
            del self._connections[connection]
            writer.close()
            with contextlib.suppress(OSError, TimeoutError):
                await writer.wait_closed()

    def _admitted(self, writer: asyncio.StreamWriter) -> Peer | None:
        name = writer.get_extra_info("peername")
        if not name or self.stopping.is_set():
            return None
        peer = self.site.peers.find(name[0], self.kind)
        reason = ""
        if not peer.is_allowed:
            reason = "network"
        elif len(self._connections) >= self.site.limits.connections:
            reason = "connections"
        if reason:
            self.site.metrics.peers_refused_total.labels(self.kind, reason).inc()
            return None
        writer.get_extra_info("socket").setsockopt(socket.SOL_SOCKET, socket.SO_KEEPALIVE, 1)
        return peer


class Connection:
    """One connection, from its first byte to its last."""

    def __init__(
        self, port: StreamPort, peer: Peer, reader: asyncio.StreamReader, writer: asyncio.StreamWriter
    ) -> None:
        self._port = port
        self._site = port.site
        self._peer = peer
        self._reader = reader
        self._writer = writer
        self._framing = port.framing()
        self._began = time.monotonic()
        self._farewell: float | None = None
        self._patience: asyncio.Timeout | None = None

    async def serve(self) -> None:
        """Take what comes until the peer ends, or has to be ended."""
        while not self._framing.is_broken and (data := await self._next()):
            was_amid = self._framing.is_amid
            frames = self._framing.feed(data)
            if frames or not was_amid:
                self._began = time.monotonic()
            await self._take(frames)
        if self._framing.is_broken:
            self._broken("framing")
        await self._take(self._framing.close())

    def say_goodbye(self) -> None:
        """Tell the peer that nothing more is wanted (it sends the rest elsewhere, or later), and read what is there."""
        self._farewell = time.monotonic() + FAREWELL_SECONDS
        with contextlib.suppress(OSError, NotImplementedError):
            if self._writer.can_write_eof():
                self._writer.write_eof()
        if self._patience is not None:
            self._patience.reschedule(asyncio.get_running_loop().time() + SILENT_SECONDS)

    async def _next(self) -> bytes:
        """Read a piece; empty when it is over."""
        try:
            async with asyncio.timeout(self._seconds_left()) as self._patience:
                return await self._reader.read(CHUNK_BYTES)
        except TimeoutError:
            if self._farewell is None:
                self._broken("half_message" if self._framing.is_amid else "idle")
        except OSError as error:  # reset, or what TLS makes of it: what came is taken
            self._site.log.debug("connection_reset", input=self._port.kind, peer=self._peer.address, reason=str(error))
        finally:
            self._patience = None
        return b""

    def _seconds_left(self) -> float:
        now, limits = time.monotonic(), self._site.limits
        if self._farewell is not None:
            return min(SILENT_SECONDS, self._farewell - now)
        if self._framing.is_amid:
            return self._began + limits.half_message_seconds - now
        return limits.idle_seconds

    def _broken(self, reason: str) -> None:
        self._site.metrics.connections_broken_total.labels(self._port.kind, reason).inc()
        self._site.log.warning("connection_broken", input=self._port.kind, peer=self._peer.address, reason=reason)

    async def _take(self, frames: Sequence[Frame]) -> None:
        """Hand in messages, however long it takes; at the end of the service to the spool."""
        if not frames:
            return
        batch, backoff = self._batch(frames), FIRST_BACKOFF_SECONDS
        while not self._port.stopping.is_set():
            try:
                await self._site.intake.take(batch)
                break
            except (BusUnavailable, Unavailable) as error:
                self._site.metrics.input_stalls_total.labels(self._peer.name).inc()
                self._site.log.warning("input_waiting", input=self._port.kind, reason=str(error), seconds=backoff)
                await self._pause(backoff)
                backoff = min(backoff * 2, LONGEST_BACKOFF_SECONDS)
        else:
            await self._site.intake.take_or_spool(batch)
        await self._pause(self._site.rates.delay(self._peer.address, len(frames), time.monotonic()))

    async def _pause(self, seconds: float) -> None:
        if seconds > 0:
            with contextlib.suppress(TimeoutError):
                await asyncio.wait_for(self._port.stopping.wait(), seconds)

    def _batch(self, frames: Sequence[Frame]) -> Batch:
        places = [next(self._site.places) for _ in frames]
        numbered = list(zip(places, frames, strict=True))
        source = self._site.received(
            self._peer.name,
            self._port.kind,
            self._port.format,
            peers=dict.fromkeys(places, self._peer.address),
            faults={place: frame.fault for place, frame in numbered if frame.fault},
        )
        lengths = {place: frame.length for place, frame in numbered if frame.length > len(frame.raw)}
        return Batch(source, [(place, frame.raw) for place, frame in numbered], self._port.read, lengths)
