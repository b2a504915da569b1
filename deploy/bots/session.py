#!/usr/bin/env python3
"""A bot that stays connected to a Sakimori chat: posts what stands on its input, prints what is said in its rooms.

    SAKIMORI_BOT_SECRET=sbk_... python3 session.py tcp://chat.example:1491 bot-0123456789abcdef lobby

Copy it and build on it: `BotSession` needs Python 3.11 and nothing else for tcp:// and tls://, the package `websockets`
for ws:// and wss:// (ws://chat.example/bots/ws). Lost connections come back by themselves, later each time, and what
was said meanwhile is caught up on; why one was lost and when it is tried again goes to the log `sakimori.bot`.
"""

import asyncio
import contextlib
import hashlib
import hmac
import json
import logging
import os
import random
import secrets
import ssl
import stat
import sys
import time
from collections import deque
from collections.abc import AsyncIterator, Callable
from typing import Any
from urllib.parse import urlsplit

LOG = logging.getLogger("sakimori.bot")
BASE_SECONDS, MAX_SECONDS, JITTER = 2.0, 60.0, 0.1
FAILURES, WITHIN_SECONDS = 5, 60.0
ANSWER_SECONDS = 15.0
SILENCE_SECONDS = 90.0  # the server pings every 30 s; without a word for so long it is gone
MAX_FRAME_BYTES = 4 * 1024 * 1024
FINAL = {
    "bot_denied",
    "bot_revoked",
    "bot_blocked",
    "bot_unregistered",
    "signature_wrong",
    "signature_malformed",
    "replaced",  # somebody else runs this bot: two that push each other out help nobody
}


class Refused(Exception):
    """The server said no: `code` for programs, `wait` seconds until another try makes sense."""

    def __init__(self, frame: dict[str, Any]) -> None:
        self.code = str(frame.get("code", ""))
        self.wait = float(frame.get("block_sec") or 0)
        super().__init__(frame.get("detail") or frame.get("message") or self.code)


class Disconnected(Exception):
    """The connection is lost. Of a post without an answer nobody knows whether it was taken."""


def back_off(tries: int, jitter: Callable[[float, float], float] = random.uniform) -> float:
    """Say how long to wait after so many failures in a row: 2, 4, 8, ... 60 seconds, a tenth more or less."""
    return min(MAX_SECONDS, BASE_SECONDS * 2.0 ** min(tries - 1, 10)) * (1 + jitter(-JITTER, JITTER))


class CircuitBreaker:
    """After five failures within a minute nothing is tried for a minute: a server in trouble is left alone."""

    def __init__(self) -> None:
        self._failures: deque[float] = deque(maxlen=FAILURES)

    def failed(self, now: float) -> None:
        """Note a failure."""
        self._failures.append(now)

    def succeeded(self) -> None:
        """Forget what failed."""
        self._failures.clear()

    def seconds_closed(self, now: float) -> float:
        """Say how long nothing is to be tried; 0 when it may be."""
        if len(self._failures) < FAILURES or self._failures[-1] - self._failures[0] > WITHIN_SECONDS:
            return 0.0
        return max(0.0, self._failures[-1] + WITHIN_SECONDS - now)


def sign(secret: str, *lines: str) -> str:
    """Sign lines joined by LF: `v1=` and HMAC-SHA256 in hex."""
    text = "\n".join(("SAKIMORI-HMAC-SHA256", *lines))
    return "v1=" + hmac.new(secret.encode(), text.encode(), hashlib.sha256).hexdigest()


def sha256(text: str) -> str:
    """Hash a text."""
    return hashlib.sha256(text.encode()).hexdigest()


def handshake(bot_id: str, secret: str, name: str, version: str) -> dict[str, Any]:
    """Make the first frame."""
    at, nonce = int(time.time()), secrets.token_urlsafe(16)
    body = sha256(f"{bot_id}\n{name}\n{version}")
    signature = sign(secret, "SESSION", "/bots/ws", str(at), nonce, body)
    frame = {"type": "handshake", "id": bot_id, "name": name, "version": version}
    return {**frame, "timestamp": at, "nonce": nonce, "signature": signature}


class BotSession:
    """Keeps one bot connected. `run` lasts until the task is cancelled or the bot is not wanted any more (Refused)."""

    def __init__(
        self,
        url: str,
        bot_id: str,
        secret: str,
        *,
        heard: Callable[[str, dict[str, Any]], None] = lambda room, message: None,
        name: str = "",
        version: str = "",
        tls: ssl.SSLContext | None = None,
        pause: Callable[[float], Any] = asyncio.sleep,
    ) -> None:
        self.is_open = asyncio.Event()
        self.numbers: dict[str, int] = {}
        self._url = url
        self._id = bot_id
        self._secret = secret
        self._heard = heard
        self._name = name
        self._version = version
        self._tls = tls
        self._pause = pause
        self._session = ""
        self._sequence = 0
        self._line: Line | None = None
        self._waiting: dict[str, asyncio.Future[dict[str, Any]]] = {}

    async def run(self) -> None:
        """Connect, and again whenever the connection is lost. Raises Refused when it makes no sense to go on."""
        breaker, tries = CircuitBreaker(), 0
        while True:
            wait, self._session = 0.0, ""
            try:
                await self._connected()
            except Refused as refusal:
                if refusal.code in FINAL:
                    raise
                wait, why = refusal.wait, f"{refusal.code}: {refusal}"
            except TimeoutError:
                why = "the server said nothing for too long"
            except (OSError, Disconnected) as error:
                why = str(error) or type(error).__name__
            if self._session:  # it was there for a while
                breaker.succeeded()
                tries = 0
            tries += 1
            breaker.failed(time.monotonic())
            seconds = max(wait, back_off(tries), breaker.seconds_closed(time.monotonic()))
            LOG.warning("not connected: %s; the next try is in %.0f s", why, seconds)
            await self._pause(seconds)

    async def post(self, room: str, text: str) -> int:
        """Say something; the message's number. Raises Refused, Disconnected."""
        return int((await self._ask("post", room=room, text=text))["id"])

    async def read(self, room: str, after: int = 0) -> list[dict[str, Any]]:
        """Read up to 100 messages that follow a number. Raises Refused, Disconnected."""
        return list((await self._ask("read", room=room, after=after))["messages"])

    async def _connected(self) -> None:
        async with opened(self._url, self._tls) as line:
            await line.send(json.dumps(handshake(self._id, self._secret, self._name, self._version)))
            async with asyncio.timeout(ANSWER_SECONDS):
                welcome = json.loads(await line.receive())
            if not welcome.get("success"):
                raise Refused(welcome)
            self._line, self._session, self._sequence = line, welcome["session"], 0
            catching_up = asyncio.create_task(self._catch_up(welcome["rooms"]))
            self.is_open.set()
            try:
                while True:
                    async with asyncio.timeout(SILENCE_SECONDS):
                        frame = json.loads(await line.receive())
                    await self._take(frame)
            finally:
                self._lose()
                catching_up.cancel()
                await asyncio.gather(catching_up, return_exceptions=True)

    async def _take(self, frame: dict[str, Any]) -> None:
        match frame["type"]:
            case "ping":
                await self._send("pong", id=frame["id"], queue=len(self._waiting), rooms=len(self.numbers))
            case "messages":
                self._note(frame["room"], frame["messages"], frame["next"])
            case "posted" | "page" | "refused":
                waiting = self._waiting.pop(frame.get("ref", ""), None)
                if waiting is not None and not waiting.done():
                    waiting.set_result(frame)
            case "closing":
                raise Refused(frame)

    async def _catch_up(self, rooms: dict[str, int]) -> None:
        """Read what was said while the bot was away; at its first connection it begins with now.

        Where that is cut short it begins again at the next connection: each message is heard at least once.
        """
        for room, newest in rooms.items():
            known, self.numbers[room] = self.numbers.get(room, newest), newest
            try:
                while known < newest and (messages := await self.read(room, known)):
                    for message in messages:
                        if message["id"] <= newest:
                            self._heard(room, message)
                    known = messages[-1]["id"]
            except (Refused, Disconnected, asyncio.CancelledError):
                self.numbers[room] = known
                raise

    def _note(self, room: str, messages: list[dict[str, Any]], number: int) -> None:
        for message in messages:
            self._heard(room, message)
        self.numbers[room] = number

    async def _ask(self, kind: str, **fields: Any) -> dict[str, Any]:
        ref = secrets.token_hex(8)
        answer = self._waiting[ref] = asyncio.get_running_loop().create_future()
        try:
            async with asyncio.timeout(ANSWER_SECONDS):
                await self._send(kind, ref=ref, **fields)
                frame: dict[str, Any] = await answer
        except TimeoutError:
            raise Disconnected("no answer") from None
        finally:
            self._waiting.pop(ref, None)
        if frame["type"] == "refused":
            raise Refused(frame)
        return frame

    async def _send(self, kind: str, **fields: Any) -> None:
        """Sign a frame and send it. No await stands between its number and the line: frames go in order."""
        if self._line is None:
            raise Disconnected("not connected")
        self._sequence += 1
        body = json.dumps({"type": kind, **fields})
        signature = sign(self._secret, "FRAME", self._session, str(self._sequence), sha256(body))
        await self._line.send(json.dumps({"sequence": self._sequence, "body": body, "signature": signature}))

    def _lose(self) -> None:
        self.is_open.clear()
        self._line = None
        waiting, self._waiting = self._waiting, {}
        for answer in waiting.values():
            if not answer.done():
                answer.set_exception(Disconnected("the connection was lost"))


class Line:
    """A frame a line, over TCP or TLS."""

    def __init__(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self._reader = reader
        self._writer = writer

    async def send(self, frame: str) -> None:
        """Send a frame."""
        self._writer.write(frame.encode() + b"\n")
        await self._writer.drain()

    async def receive(self) -> str:
        """Take a frame. Raises Disconnected."""
        try:
            line = await self._reader.readline()
        except ValueError as error:
            raise Disconnected("a frame without end") from error
        if not line.endswith(b"\n"):
            raise Disconnected("the server has closed the connection")
        return line.decode()


class SocketLine(Line):
    """A frame a message, over a WebSocket."""

    def __init__(self, socket: Any) -> None:
        self._socket = socket

    async def send(self, frame: str) -> None:
        """Send a frame."""
        try:
            await self._socket.send(frame)
        except Exception as error:  # the package's own: who uses TCP does not have it
            raise Disconnected(str(error)) from error

    async def receive(self) -> str:
        """Take a frame. Raises Disconnected."""
        try:
            return str(await self._socket.recv())
        except Exception as error:
            raise Disconnected(str(error)) from error


@contextlib.asynccontextmanager
async def opened(url: str, tls: ssl.SSLContext | None) -> AsyncIterator[Line]:
    """Open a connection for the length of the block. Raises OSError, Disconnected."""
    parts = urlsplit(url)
    if parts.scheme in {"ws", "wss"}:
        from websockets.asyncio.client import connect  # noqa: PLC0415  # only needed here
        from websockets.exceptions import WebSocketException  # noqa: PLC0415

        try:
            async with connect(url, ssl=tls, ping_interval=None, max_size=MAX_FRAME_BYTES, close_timeout=1) as socket:
                yield SocketLine(socket)
        except WebSocketException as error:
            raise Disconnected(str(error)) from error
        return
    context = (tls or ssl.create_default_context()) if parts.scheme == "tls" else None
    reader, writer = await asyncio.open_connection(parts.hostname, parts.port, ssl=context, limit=MAX_FRAME_BYTES)
    try:
        yield Line(reader, writer)
    finally:
        writer.close()
        with contextlib.suppress(OSError, TimeoutError):
            async with asyncio.timeout(1):
                await writer.wait_closed()


async def main(url: str, bot_id: str, room: str) -> None:
    """Post each line of the input; print what is said. Raises Refused when the bot is not wanted any more."""

    def heard(where: str, message: dict[str, Any]) -> None:
        sys.stdout.write(f"{where} {message['id']} {message['author']}: {message['text']}\n")
        sys.stdout.flush()

    bot = BotSession(url, bot_id, os.environ["SAKIMORI_BOT_SECRET"], heard=heard, name="session.py", version="1")
    posting = asyncio.create_task(post_lines(bot, room))
    try:
        await bot.run()
    finally:
        posting.cancel()


async def post_lines(bot: BotSession, room: str) -> None:
    """Post each line of the input, one after the other, whenever the bot is connected."""
    lines = asyncio.StreamReader(limit=MAX_FRAME_BYTES)
    kind = stat.S_IFMT(os.fstat(sys.stdin.fileno()).st_mode)
    if sys.stdin.isatty() or kind in {stat.S_IFIFO, stat.S_IFSOCK}:
        await asyncio.get_running_loop().connect_read_pipe(lambda: asyncio.StreamReaderProtocol(lines), sys.stdin)
    else:  # a file cannot be waited for, and need not be
        lines.feed_data(sys.stdin.buffer.read())
        lines.feed_eof()
    async for line in lines:
        await bot.is_open.wait()
        try:
            await bot.post(room, line.decode(errors="replace").strip())
        except Refused as refusal:
            LOG.warning("not posted: %s: %s", refusal.code, refusal)
        except Disconnected as error:
            LOG.warning("perhaps not posted, look before you say it again: %s", error)


if __name__ == "__main__":
    logging.basicConfig(format="%(message)s")
    if len(sys.argv) != 4 or "SAKIMORI_BOT_SECRET" not in os.environ:
        sys.exit(__doc__)
    try:
        asyncio.run(main(*sys.argv[1:]))
    except KeyboardInterrupt:
        LOG.warning("interrupted: the connection is closed")
        sys.exit(130)
    except Refused as refusal:
        sys.exit(f"refused: {refusal.code}: {refusal}")
