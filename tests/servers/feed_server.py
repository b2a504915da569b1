"""A server of feeds on loopback that answers byte for byte what a test wants, also what no server should."""

import asyncio
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager, suppress
from dataclasses import dataclass, field


@dataclass(slots=True)
class Request:
    """What was asked."""

    path: str
    headers: dict[str, str]


Answer = bytes | Callable[[Request], bytes]


@dataclass(slots=True)
class FeedServer:
    """Answers by path, 404 where there is nothing; an empty answer means silence. `requests` are those that came."""

    url: str = ""
    answers: dict[str, Answer] = field(default_factory=dict)
    requests: list[Request] = field(default_factory=list)

    async def answer(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        """Take one request, answer, hang up."""
        with suppress(ConnectionError, asyncio.IncompleteReadError):  # tests have the other side give up
            request = await _read(reader)
            self.requests.append(request)
            answer = self.answers.get(request.path, response(404))
            content = answer if isinstance(answer, bytes) else answer(request)
            if not content:
                await reader.read()  # until the other side gives up
            writer.write(content)
            await writer.drain()
        writer.close()


def response(status: int, body: bytes = b"", *, length: int | None = None, **headers: str) -> bytes:
    """Write an HTTP/1.1 answer; `length` may lie, `_` in names of headers stands for `-`."""
    lines = [f"HTTP/1.1 {status} Whatever", f"content-length: {len(body) if length is None else length}"]
    lines += [f"{name.replace('_', '-')}: {value}" for name, value in headers.items()]
    return "\r\n".join([*lines, "connection: close", "", ""]).encode() + body


@asynccontextmanager
async def feed_server() -> AsyncIterator[FeedServer]:
    """Run a server on a free port."""
    feeds = FeedServer()
    server = await asyncio.start_server(feeds.answer, "127.0.0.1", 0)
    feeds.url = f"http://127.0.0.1:{server.sockets[0].getsockname()[1]}"
    async with server:
        yield feeds


async def _read(reader: asyncio.StreamReader) -> Request:
    first, *lines = (await reader.readuntil(b"\r\n\r\n")).decode().strip().split("\r\n")
    headers = (line.partition(":") for line in lines)
    return Request(first.split(" ")[1], {name.lower(): value.strip() for name, _, value in headers})
