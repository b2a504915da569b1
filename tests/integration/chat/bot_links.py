"""A bot that stays connected, by the description of the protocol; over WebSocket or TCP."""

import asyncio
import hashlib
import hmac
import json
import secrets
import ssl
import time
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, suppress
from typing import Any, Protocol

from websockets.asyncio.client import ClientConnection, connect
from websockets.exceptions import ConnectionClosed

from integration.chat.bots import TestBot
from integration.chat.conftest import EDGE_TOKEN, OpenChat

ADDRESS = "198.51.100.20"


class Gone(Exception):
    """The connection has ended."""


class Line(Protocol):
    """What carries frames."""

    async def send(self, frame: bytes) -> None:
        """Send a frame. Raises Gone."""

    async def receive(self) -> bytes:
        """Take a frame. Raises Gone."""


class SocketLine:
    """A WebSocket."""

    def __init__(self, socket: ClientConnection) -> None:
        self.socket = socket

    async def send(self, frame: bytes) -> None:
        """See Line."""
        try:
            await self.socket.send(frame.decode())
        except ConnectionClosed as error:
            raise Gone from error

    async def receive(self) -> bytes:
        """See Line."""
        try:
            return str(await self.socket.recv()).encode()
        except ConnectionClosed as error:
            raise Gone(error.rcvd.code if error.rcvd else None) from error


class TcpLine:
    """A TCP connection."""

    def __init__(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self.reader = reader
        self.writer = writer

    async def send(self, frame: bytes) -> None:
        """See Line."""
        self.writer.write(frame + b"\n")
        try:
            await self.writer.drain()
        except ConnectionError as error:
            raise Gone from error

    async def receive(self) -> bytes:
        """See Line."""
        try:
            line = await self.reader.readline()
        except ConnectionError as error:
            raise Gone from error
        if not line.endswith(b"\n"):
            raise Gone
        return line


class BotLink:
    """A bot's session. `next` takes frames in order and answers pings unless told not to."""

    def __init__(self, line: Line, bot: TestBot) -> None:
        self.line = line
        self.bot = bot
        self.session = ""
        self.sequence = 0
        self.answers_pings = True

    async def greet(self, **changes: Any) -> dict[str, Any]:
        """Shake hands; the answer."""
        await self.line.send(json.dumps(self.handshake(**changes)).encode())
        answer = await self.next("handshake_complete")
        self.session, self.sequence = answer.get("session", ""), 0
        return answer

    def handshake(self, **changes: Any) -> dict[str, Any]:
        """Make a signed handshake; `changes` come after the signature but for secret and at."""
        at = changes.pop("at", int(time.time()))
        secret = changes.pop("secret", self.bot.secret)
        frame = {"type": "handshake", "id": self.bot.id, "name": "one", "version": "1.0", "timestamp": at}
        frame["nonce"] = secrets.token_urlsafe(16)
        digest = hashlib.sha256(f"{self.bot.id}\none\n1.0".encode()).hexdigest()
        text = f"SAKIMORI-HMAC-SHA256\nSESSION\n/bots/ws\n{at}\n{frame['nonce']}\n{digest}"
        frame["signature"] = _signature(secret, text)
        return {**frame, **changes}

    def envelope(self, kind: str, sequence: int | None = None, **fields: Any) -> dict[str, Any]:
        """Sign a frame, the next in turn where no sequence is given."""
        if sequence is None:
            self.sequence += 1
            sequence = self.sequence
        body = json.dumps({"type": kind, **fields})
        digest = hashlib.sha256(body.encode()).hexdigest()
        text = f"SAKIMORI-HMAC-SHA256\nFRAME\n{self.session}\n{sequence}\n{digest}"
        return {"sequence": sequence, "body": body, "signature": _signature(self.bot.secret, text)}

    async def say(self, kind: str, **fields: Any) -> None:
        """Send a frame."""
        await self.line.send(json.dumps(self.envelope(kind, **fields)).encode())

    async def post(self, text: str, room: str = "lobby", ref: str = "r") -> dict[str, Any]:
        """Say something; the answer."""
        await self.say("post", room=room, text=text, ref=ref)
        return await self.next("posted", "refused")

    async def next(self, *kinds: str, seconds: float = 10) -> dict[str, Any]:
        """Take the next frame of these kinds, passing over others. Raises Gone."""
        async with asyncio.timeout(seconds):
            while True:
                frame: dict[str, Any] = json.loads(await self.line.receive())
                if frame["type"] == "ping" and self.answers_pings:
                    with suppress(Gone):  # what it said before it went is read all the same
                        await self.say("pong", id=frame["id"], memory_bytes=1000, queue=0, rooms=1)
                if not kinds or frame["type"] in kinds:
                    return frame

    async def end(self, seconds: float = 10) -> dict[str, Any]:
        """Wait for the end; the last frame before it, `{}` when there was none."""
        last: dict[str, Any] = {}
        try:
            while True:
                last = await self.next(seconds=seconds)
        except Gone:
            return last


def _signature(secret: str, text: str) -> str:
    return "v1=" + hmac.new(secret.encode(), text.encode(), hashlib.sha256).hexdigest()


@asynccontextmanager
async def by_websocket(chat: OpenChat, bot: TestBot, address: str = ADDRESS) -> AsyncIterator[BotLink]:
    """Connect through the gateway."""
    headers = {"x-sakimori-edge": EDGE_TOKEN, "x-forwarded-for": address}
    url = chat.url.replace("http:", "ws:") + "/bots/ws"
    async with connect(url, additional_headers=headers, ping_interval=None, close_timeout=1) as socket:
        yield BotLink(SocketLine(socket), bot)


@asynccontextmanager
async def by_tcp(
    port: int, bot: TestBot, tls: ssl.SSLContext | None = None, limit: int = 1 << 22
) -> AsyncIterator[BotLink]:
    """Connect to a port of the chat's own."""
    reader, writer = await asyncio.open_connection("127.0.0.1", port, ssl=tls, limit=limit)
    try:
        yield BotLink(TcpLine(reader, writer), bot)
    finally:
        writer.transport.abort()
