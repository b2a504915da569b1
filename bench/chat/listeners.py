"""A crowd of WebSocket clients that costs little itself: they share a machine with what is measured (RFC 6455).

Each frame of each client is looked at in full. What is in it is read once: the next client that gets a frame compares
it, byte by byte, with those that were read last. Each client sees for itself that the numbers of its messages follow
one another, from the page it was shown at the start.
"""

import asyncio
import base64
import time
from collections import deque
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Final, cast

import msgspec

_SENT_AT: Final = "at "
"""Each text says when it was sent, in nanoseconds of the machine's monotonic clock: `at 123 ...`."""
_BUFFER: Final = bytearray(1 << 20)
"""Shared by all: it is read out before the loop turns to the next."""
_KNOWN_FRAMES: Final = 4
_NO_TEXT: Final = b'{"type":"control"}'


class _Message(msgspec.Struct):
    id: int
    text: str


class _News(msgspec.Struct):
    type: str
    messages: list[_Message] = []
    next: int = 0


_news: Final = msgspec.json.Decoder(_News)


class _Frame:
    """A frame that was read: its bytes, head included; the numbers of its messages; when they were sent."""

    __slots__ = ("content", "count", "data", "first", "last", "sent_at")

    def __init__(self, data: bytes, payload: bytes) -> None:
        self.data = data
        self.content = _news.decode(payload)
        numbers = [message.id for message in self.content.messages] if self.content.type == "messages" else []
        self.count = len(numbers)
        self.first, self.last = (numbers[0], numbers[-1]) if numbers else (0, 0)
        if numbers != list(range(self.first, self.first + self.count)):
            self.first = -1  # follows nothing
        texts = [message.text for message in self.content.messages if message.text.startswith(_SENT_AT)]
        self.sent_at = [int(text.split(" ", 2)[1]) for text in texts]


@dataclass
class Heard:
    """What a crowd heard: messages, frames, bytes, and of those who keep time how late each message was, in seconds.

    `disordered` counts frames whose first message does not follow what the client had heard before.
    """

    messages: int = 0
    frames: int = 0
    size: int = 0
    disordered: int = 0
    lost_connections: int = 0
    delays: list[float] = field(default_factory=list)
    known: deque[_Frame] = field(default_factory=lambda: deque(maxlen=_KNOWN_FRAMES))


class Listener(asyncio.BufferedProtocol):
    """One client: shakes hands, follows the numbers of its messages and, where it keeps time, how late they are."""

    def __init__(self, request: bytes, heard: Heard, *, keeps_time: bool) -> None:
        self._request = request
        self._heard = heard
        self._keeps_time = keeps_time
        self._rest = b""
        self._number = 0
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
        """Take in the whole frames in the buffer; returns where the first that is not begins."""
        while size > at:
            frame = self._known(at, size) or self._unknown(at, size)
            if frame is None:
                break
            self._hear(frame)
            at += len(frame.data)
        return at

    def _known(self, at: int, size: int) -> _Frame | None:
        for frame in self._heard.known:
            if at + len(frame.data) <= size and _BUFFER.startswith(frame.data, at):
                return frame
        return None

    def _unknown(self, at: int, size: int) -> _Frame | None:
        """Read a frame that no other client had lately; None when it is not whole yet."""
        if size < at + 2:
            return None
        extended = {126: 2, 127: 8}.get(_BUFFER[at + 1] & 0x7F, 0)
        begin = at + 2 + extended
        if size < begin:
            return None
        length = int.from_bytes(_BUFFER[at + 2 : begin], "big") if extended else _BUFFER[at + 1] & 0x7F
        end = begin + length
        if size < end:
            return None
        frame = _Frame(bytes(_BUFFER[at:end]), bytes(_BUFFER[begin:end]) if _BUFFER[at] & 0x0F == 1 else _NO_TEXT)
        self._heard.known.appendleft(frame)
        return frame

    def _hear(self, frame: _Frame) -> None:
        heard = self._heard
        if frame.content.type == "page":
            self._number = frame.content.next
        if not frame.count:
            return
        heard.frames += 1
        heard.size += len(frame.data)
        heard.messages += frame.count
        heard.disordered += frame.first != self._number + 1
        self._number = frame.last
        if self._keeps_time:
            now = time.monotonic_ns()
            heard.delays += [(now - sent) / 1e9 for sent in frame.sent_at]


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
