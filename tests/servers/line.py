"""A line between a browser and a server that can be cut, led to another server, or closed to WebSockets."""

import asyncio
import re
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, suppress

_HEAD_BYTES = 64 * 1024
_UPGRADE = re.compile(rb"^upgrade:\s*websocket", re.IGNORECASE | re.MULTILINE)


class Line:
    """Passes connections on to a port of this host; `address` is what a browser opens."""

    def __init__(self, target_port: int) -> None:
        self.target_port = target_port
        self.takes_websockets = True
        self.is_up = True
        self.refused_websockets = 0
        self.address = ""
        self._open: set[asyncio.StreamWriter] = set()
        self._mute: set[asyncio.StreamWriter] = set()

    def cut(self) -> None:
        """Break every connection that there is."""
        for writer in self._open:
            writer.transport.abort()

    def mute(self) -> None:
        """Let nothing more through the connections that there are, and let neither side know."""
        self._mute |= self._open

    async def serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        """Pass one connection on until either side ends it."""
        self._open.add(writer)
        try:
            with suppress(OSError, asyncio.IncompleteReadError, asyncio.LimitOverrunError):
                await self._passed_on(reader, writer)
        finally:
            self._open.discard(writer)
            writer.transport.abort()

    async def _passed_on(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        head = await reader.readuntil(b"\r\n\r\n")
        if not self.is_up:
            return
        if _UPGRADE.search(head) and not self.takes_websockets:
            self.refused_websockets += 1
            writer.write(b"HTTP/1.1 502 Bad Gateway\r\nContent-Length: 0\r\nConnection: close\r\n\r\n")
            await writer.drain()
            return
        # One request a connection, so that every request meets the line as it is then.
        if not _UPGRADE.search(head):
            head = re.sub(rb"(?im)^connection:[^\r]*\r\n", b"", head)[:-2] + b"Connection: close\r\n\r\n"
        their_reader, their_writer = await asyncio.open_connection("127.0.0.1", self.target_port)
        self._open.add(their_writer)
        try:
            their_writer.write(head)
            there = asyncio.create_task(self._pumped(reader, their_writer))
            await self._pumped(their_reader, writer)
            there.cancel()
        finally:
            self._open.discard(their_writer)
            their_writer.transport.abort()

    async def _pumped(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        while data := await reader.read(_HEAD_BYTES):
            if writer not in self._mute:
                writer.write(data)
                await writer.drain()


@asynccontextmanager
async def line_to(target_port: int) -> AsyncIterator[Line]:
    """Open a line for the length of the block."""
    line = Line(target_port)
    server = await asyncio.start_server(line.serve, "127.0.0.1", 0, limit=_HEAD_BYTES)
    line.address = f"http://127.0.0.1:{server.sockets[0].getsockname()[1]}"
    try:
        yield line
    finally:
        server.close()
        line.cut()
