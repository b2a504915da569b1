"""A crowd of WebSocket clients that costs little itself: they share a machine with what is measured (RFC 6455)."""

import asyncio
import base64
import re
import time
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Final, cast

SENT_AT: Final = re.compile(rb'"text":"at (\d+)')
"""Each message says when it was sent, in nanoseconds of the machine's monotonic clock."""
_MESSAGE: Final = b'"text":"at '
_BUFFER: Final = bytearray(1 << 20)
"""Shared by all: it is read out before the loop turns to the next."""


@dataclass
class Heard:
    """What a crowd heard: messages, frames, bytes, and of those who keep time how late each message was, in seconds."""

    messages: int = 0
    frames: int = 0
    size: int = 0
    lost_connections: int = 0
    delays: list[float] = field(default_factory=list)


class Listener(asyncio.BufferedProtocol):
    """One client: shakes hands, counts the messages in its frames and, where it keeps time, how late they are."""

    def __init__(self, request: bytes, heard: Heard, *, keeps_time: bool) -> None:
        self._request = request
        self._heard = heard
        self._keeps_time = keeps_time
        self._rest = b""
        self._transport: asyncio.Transport | None = None
        self.opened: asyncio.Future[None] = asyncio.get_running_loop().create_future()

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """Ask for the upgrade."""
        self._transport = cast("asyncio.Transport", transport)
        transport = self._transport
        transport.write(self._request)

    def get_buffer(self, sizehint: int) -> memoryview:
        """Lend the common buffer, behind what is left over from the last time."""
        _BUFFER[: len(self._rest)] = self._rest
        return memoryview(_BUFFER)[len(self._rest) :]

    def buffer_updated(self, nbytes: int) -> None:
        """Read the frames that are whole."""
        at, size = 0, len(self._rest) + nbytes
        if not self.opened.done():
            end = _BUFFER.find(b"\r\n\r\n", 0, size)
            if end >= 0 and _BUFFER.startswith(b"HTTP/1.1 101"):
                self.opened.set_result(None)
                at = end + 4
            elif end >= 0:
                self.opened.set_exception(ConnectionError(_BUFFER[:200].decode("latin-1")))
        if self.opened.done():
            at = self._read(at, size)
        self._rest = bytes(_BUFFER[at:size])

    def connection_lost(self, exc: Exception | None) -> None:
        """Note it: nobody is to be lost."""
        self._heard.lost_connections += 1
        if not self.opened.done():
            self.opened.set_exception(ConnectionError("closed"))

    def say(self, payload: bytes) -> None:
        """Send a text of at most 125 bytes, masked with zeros, which is allowed to a client that trusts the way."""
        assert self._transport is not None
        self._transport.write(b"\x81" + bytes([0x80 | len(payload)]) + b"\0\0\0\0" + payload)

    def close(self) -> None:
        """Leave without a word."""
        if self._transport is not None:
            self._heard.lost_connections -= 1
            self._transport.abort()

    def _read(self, at: int, size: int) -> int:
        """Count the whole frames in the buffer; returns where the first that is not begins."""
        while size >= at + 2:
            extended = {126: 2, 127: 8}.get(_BUFFER[at + 1] & 0x7F, 0)
            begin = at + 2 + extended
            if size < begin:
                break
            length = int.from_bytes(_BUFFER[at + 2 : begin], "big") if extended else _BUFFER[at + 1] & 0x7F
            if size < begin + length:
                break
            if _BUFFER[at] & 0x0F == 1:
                self._hear(begin, begin + length)
            at = begin + length
        return at

    def _hear(self, begin: int, end: int) -> None:
        heard = self._heard
        heard.frames += 1
        heard.size += end - begin
        heard.messages += _BUFFER.count(_MESSAGE, begin, end)
        if self._keeps_time:
            at = time.monotonic_ns()
            heard.delays += [(at - int(sent)) / 1e9 for sent in SENT_AT.findall(_BUFFER, begin, end)]


@dataclass(frozen=True, slots=True)
class Seat:
    """Where a listener sits: the room, the headers of its handshake."""

    room: str
    headers: dict[str, str]


async def seated(port: int, seats: Sequence[Seat], heard: Heard, timekeepers: int) -> list[Listener]:
    """Open all connections, fifty at a time; every so many-th keeps time."""
    every, crowd = max(1, len(seats) // timekeepers), []
    for at in range(0, len(seats), 50):
        opening = [
            _open(port, seat, heard, keeps_time=(at + number) % every == 0)
            for number, seat in enumerate(seats[at : at + 50])
        ]
        crowd += await asyncio.gather(*opening)
    return crowd


async def _open(port: int, seat: Seat, heard: Heard, *, keeps_time: bool) -> Listener:
    key = base64.b64encode(b"a bench, no key!").decode()
    host = f"127.0.0.1:{port}"
    lines = {
        "host": host,
        "origin": f"http://{host}",
        "upgrade": "websocket",
        "connection": "Upgrade",
        "sec-websocket-version": "13",
        "sec-websocket-key": key,
        **seat.headers,
    }
    head = "".join(f"{name}: {value}\r\n" for name, value in lines.items())
    request = f"GET /chat/ws?room={seat.room} HTTP/1.1\r\n{head}\r\n".encode()
    _, listener = await asyncio.get_running_loop().create_connection(
        lambda: Listener(request, heard, keeps_time=keeps_time), "127.0.0.1", port
    )
    await listener.opened
    return listener
