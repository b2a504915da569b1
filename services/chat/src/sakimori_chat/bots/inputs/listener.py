"""Bots that stay connected, by TCP: a frame a line, by TLS where there is a certificate."""

import asyncio
import socket
import ssl
import uuid
from collections.abc import AsyncIterator, Sequence
from contextlib import AsyncExitStack, asynccontextmanager, suppress
from typing import Final

import structlog

from sakimori_chat.bots.domain.occurrences import BotOrigin
from sakimori_chat.bots.domain.session import Fault, FaultCode
from sakimori_chat.bots.sessions.sessions import BotSessions
from sakimori_chat.bots.sessions.wire import WireClosed
from sakimori_chat.domain.identity import canonical_address
from sakimori_common.web import Certificate

CHUNK_BYTES: Final = 16 * 1024
FRAME_SECONDS: Final = 10.0
"""From the first byte of a frame to its last: 64 KiB in that time is a modem's pace."""
TLS_SECONDS: Final = 10.0
LINGER_SECONDS: Final = 1.0
"""How long the peer may take to read the last frame and go, before the connection is cut."""


class LineWire:
    """See Wire. Holds at most a frame and a chunk of what the peer sends."""

    def __init__(
        self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter, frame_seconds: float = FRAME_SECONDS
    ) -> None:
        self._reader = reader
        self._writer = writer
        self._frame_seconds = frame_seconds
        self._held = bytearray()

    @property
    def held_bytes(self) -> int:
        """Count what is held of frames that nobody took yet."""
        return len(self._held)

    async def receive(self, max_bytes: int) -> bytes | Fault | None:
        """See Wire."""
        if not self._held and not await self._more():
            return None
        try:
            async with asyncio.timeout(self._frame_seconds):
                return await self._line(max_bytes)
        except TimeoutError:
            return Fault(FaultCode.FRAME_TOO_SLOW, f"A frame takes at most {self._frame_seconds:g} seconds.")

    async def send(self, frame: bytes) -> None:
        """See Wire."""
        try:
            self._writer.write(frame + b"\n")
            await self._writer.drain()
        except OSError as error:
            raise WireClosed from error

    async def close(self, code: str) -> None:
        """See Wire. What the peer sends meanwhile is read: left unread, it would reset the connection before it reads
        our last frame.
        """
        with suppress(OSError, TimeoutError):
            async with asyncio.timeout(LINGER_SECONDS):
                if self._writer.can_write_eof():
                    self._writer.write_eof()
                    while await self._reader.read(CHUNK_BYTES):
                        pass
                else:  # TLS says goodbye by itself
                    self._writer.close()
                    await self._writer.wait_closed()
        self._writer.transport.abort()

    async def _line(self, max_bytes: int) -> bytes | Fault | None:
        searched = 0
        while (end := self._held.find(b"\n", searched)) < 0 and len(self._held) <= max_bytes + 1:
            searched = len(self._held)
            if not await self._more():
                return None
        line = bytes(self._held[:end]).removesuffix(b"\r") if end >= 0 else None
        if line is None or len(line) > max_bytes:
            return Fault(FaultCode.FRAME_TOO_LARGE, f"A frame has at most {max_bytes} bytes here.")
        del self._held[: end + 1]
        return line

    async def _more(self) -> bool:
        try:
            data = await self._reader.read(CHUNK_BYTES)
        except OSError:  # reset, or what TLS makes of it
            return False
        self._held += data
        return bool(data)


class BotListener:
    """Listens at any number of ports, all in clear or all by TLS. The ports are alike: an operator's order, no more."""

    def __init__(
        self,
        sessions: BotSessions,
        host: str,
        ports: Sequence[int],
        certificate: Certificate | None,
        log: structlog.stdlib.BoundLogger,
        *,
        frame_seconds: float = FRAME_SECONDS,
    ) -> None:
        self._frame_seconds = frame_seconds
        self._sessions = sessions
        self._host = host
        self._ports = ports
        self._certificate = certificate
        self._log = log

    @asynccontextmanager
    async def running(self) -> AsyncIterator[list[int]]:
        """Take connections until the block ends; yields the ports. Those that are open are the sessions' to close.

        Raises OSError when a port is taken, or a file of the certificate cannot be read.
        """
        tls = None if self._certificate is None else server_tls(self._certificate)
        async with AsyncExitStack() as stack:
            bound = []
            for port in self._ports:
                server = await asyncio.start_server(
                    self._accept,
                    self._host,
                    port,
                    limit=CHUNK_BYTES,
                    ssl=tls,
                    ssl_handshake_timeout=None if tls is None else TLS_SECONDS,
                )
                stack.callback(server.close)
                bound.append(int(server.sockets[0].getsockname()[1]))
            if bound:
                self._log.info("bot_ports_opened", ports=bound, tls=tls is not None)
            yield bound

    async def _accept(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        peer = writer.get_extra_info("peername")
        if not peer or self._sessions.is_crowded:
            writer.transport.abort()
            return
        writer.get_extra_info("socket").setsockopt(socket.SOL_SOCKET, socket.SO_KEEPALIVE, 1)
        origin = BotOrigin(str(uuid.uuid4()), canonical_address(peer[0]), transport="tcp")
        await self._sessions.serve(LineWire(reader, writer, self._frame_seconds), origin)


def server_tls(certificate: Certificate) -> ssl.SSLContext:
    """Make the context of a server, TLS 1.2 or newer. Raises OSError (ssl.SSLError is one)."""
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.minimum_version = ssl.TLSVersion.TLSv1_2
    context.load_cert_chain(certificate.certificate, certificate.key)
    return context
