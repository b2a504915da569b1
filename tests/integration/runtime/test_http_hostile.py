"""The port that every service speaks HTTP on, against clients that ask for other protocols and read nothing."""

import asyncio
import logging
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager, suppress
from dataclasses import dataclass, field

import pytest
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import PlainTextResponse, Response
from starlette.routing import Route, WebSocketRoute
from starlette.types import Receive, Scope, Send
from starlette.websockets import WebSocket

from sakimori_common.fast_http import Patience, Phase, patient
from sakimori_common.web import Problem, render_problem, serving
from servers.eventually import eventually
from servers.own_logs import logging_set_up

LONG = "a" * (16 << 20)
"""More than the kernel holds for one connection."""
REFUSED = b"HTTP/1.1 429 Too Many Requests\r\ncontent-length: 2\r\n\r\nno"
WEBSOCKET = (
    b"host: x\r\nconnection: upgrade\r\nupgrade: websocket\r\nsec-websocket-version: 13\r\n"
    b"sec-websocket-key: dGhlIHNhbXBsZSBub25jZQ==\r\n"
)


@dataclass
class Port:
    """An open port whose door turns away whatever asks for /no, who was too slow for it, and what was asked for."""

    number: int = 0
    slow: list[Phase] = field(default_factory=list)
    asked: list[str] = field(default_factory=list)

    async def answer(self, sent: bytes) -> bytes:
        """Send bytes, and read until the port closes."""
        reader, writer = await asyncio.open_connection("127.0.0.1", self.number)
        writer.write(sent)
        async with asyncio.timeout(20):
            received = await reader.read()
        writer.close()
        return received


def _application(port: Port) -> Starlette:
    async def hear(request: Request) -> Response:
        port.asked.append(f"{request.method} {request.url.path} {(await request.body()).decode()}".strip())
        return PlainTextResponse(LONG if request.url.path == "/long" else "heard")

    async def refuse(_: WebSocket) -> None:
        raise Problem(403, "refused", "Not here.")

    methods = ["GET", "POST"]
    routes = [Route("/{path:path}", hear, methods=methods), WebSocketRoute("/{path:path}", refuse)]
    return Starlette(routes=routes, exception_handlers={Problem: render_problem})


@asynccontextmanager
async def _open(**patience: float) -> AsyncIterator[Port]:
    port = Port()
    protocol = patient(
        Patience(on_slow=lambda _, phase: port.slow.append(phase), **patience),
        lambda head: REFUSED if head["path"] == "/no" else None,
    )
    async with serving(_application(port), "127.0.0.1", 0, protocol=protocol) as number:
        port.number = number
        yield port


class _Keeping(logging.Handler):
    def __init__(self) -> None:
        super().__init__()
        self.records: list[logging.LogRecord] = []

    def emit(self, record: logging.LogRecord) -> None:
        self.records.append(record)


@pytest.fixture
def logged() -> Iterator[list[logging.LogRecord]]:
    """What is logged meanwhile."""
    handler = _Keeping()
    with logging_set_up():
        logging.getLogger().addHandler(handler)
        yield handler.records


@pytest.mark.parametrize(
    "length", [b"content-length: %d\r\n\r\n", b"transfer-encoding: chunked\r\n\r\n"], ids=["length", "chunked"]
)
@pytest.mark.parametrize("protocol", [b"h2c", b"websocket"])
async def test_a_body_behind_an_upgrade_is_never_taken_for_a_request(protocol: bytes, length: bytes) -> None:
    hidden = b"GET /hidden HTTP/1.1\r\nhost: x\r\n\r\n"
    asked = b"POST /shown HTTP/1.1\r\nhost: x\r\nconnection: upgrade\r\nupgrade: " + protocol + b"\r\n"
    async with _open() as port:
        reader, writer = await asyncio.open_connection("127.0.0.1", port.number)
        writer.write(asked + length.replace(b"%d", b"%d" % len(hidden)))
        await asyncio.sleep(0)
        writer.write(hidden)
        async with asyncio.timeout(20):
            received = await reader.read()
        writer.close()
        assert received.startswith(b"HTTP/1.1 400 ")
        assert received.count(b"HTTP/1.1 ") == 1
        assert port.asked == []


async def test_an_upgrade_that_nobody_understands_is_ignored_where_there_is_no_body() -> None:
    asked = b"%s /%s HTTP/1.1\r\nhost: x\r\nconnection: upgrade\r\nupgrade: h2c\r\ncontent-length: 0\r\n\r\n"
    async with _open() as port:
        reader, writer = await asyncio.open_connection("127.0.0.1", port.number)
        for method, path in ((b"GET", b"a"), (b"POST", b"b")):
            writer.write(asked % (method, path))
            async with asyncio.timeout(20):
                assert (await reader.readuntil(b"heard")).startswith(b"HTTP/1.1 200 ")
        writer.close()
        assert port.asked == ["GET /a", "POST /b"]


@pytest.mark.parametrize(
    "target", [b"/no", b"/no?a", b"/%6eo", b"/%6E%6f?a", b"http://x/no", b"http://x/n%6f", b"HTTPS://a:b@x:1/no?/yes"]
)
@pytest.mark.parametrize("upgrade", [b"", b"connection: upgrade\r\nupgrade: h2c\r\n"], ids=["plain", "upgrade"])
async def test_the_door_sees_the_path_that_the_application_would_see(target: bytes, upgrade: bytes) -> None:
    async with _open() as port:
        asked = b"GET " + target + b" HTTP/1.1\r\nhost: x\r\nconnection: close\r\n" + upgrade + b"\r\n"
        reader, writer = await asyncio.open_connection("127.0.0.1", port.number)
        writer.write(asked)
        async with asyncio.timeout(20):
            assert await reader.readexactly(len(REFUSED)) == REFUSED
        writer.close()
        assert port.asked == []


@pytest.mark.parametrize(
    "head",
    [
        b"POST / HTTP/1.1\r\n" + WEBSOCKET + b"\r\n",
        b"GET / HTTP/1.1\r\n" + WEBSOCKET + b"content-length: 2\r\n\r\nhi",
        b"GET / HTTP/1.1\r\n" + WEBSOCKET + b"x-long: " + b"a" * 9000 + b"\r\n\r\n",
        b"GET /" + b"a" * 9000 + b" HTTP/1.1\r\n" + WEBSOCKET + b"\r\n",
        b"GET / HTTP/1.1\r\n" + WEBSOCKET + b"x-more: a\r\n" * 200 + b"\r\n",
    ],
    ids=["post", "body", "long header", "long line", "many headers"],
)
async def test_a_handshake_that_the_websocket_protocol_does_not_understand_is_answered_and_closed(head: bytes) -> None:
    async with _open() as port:
        assert (await port.answer(head)).startswith(b"HTTP/1.1 400 ")


async def test_a_request_that_is_served_learns_that_its_client_left_whatever_it_sent_behind_it() -> None:
    begun, left = asyncio.Event(), asyncio.Event()

    async def wait(scope: Scope, receive: Receive, send: Send) -> None:
        begun.set()
        while (await receive())["type"] != "http.disconnect":
            pass
        left.set()

    async with serving(wait, "127.0.0.1", 0, protocol=patient(Patience())) as number:
        _, writer = await asyncio.open_connection("127.0.0.1", number)
        writer.write(b"GET / HTTP/1.1\r\nhost: x\r\n\r\n" * 2)
        async with asyncio.timeout(20):
            await begun.wait()
            writer.transport.abort()
            await left.wait()


async def test_who_does_not_read_an_answer_is_cut_off_and_told_of() -> None:
    async with _open(answer_seconds=0.3) as port:
        reader, writer = await asyncio.open_connection("127.0.0.1", port.number, limit=1024)
        writer.write(b"GET /long HTTP/1.1\r\nhost: x\r\n\r\n")
        await eventually(lambda: port.slow == [Phase.ANSWER])
        received = 0
        with suppress(ConnectionError):
            while part := await reader.read(1 << 20):
                received += len(part)
        writer.transport.abort()
        assert received < len(LONG)


async def test_who_reads_slowly_gets_the_whole_answer() -> None:
    async with _open(answer_seconds=5) as port:
        received = await port.answer(b"GET /long HTTP/1.0\r\nhost: x\r\n\r\n")
        assert len(received.partition(b"\r\n\r\n")[2]) == len(LONG)
        assert port.slow == []


async def test_a_stranger_writes_no_lines_into_our_log(logged: list[logging.LogRecord]) -> None:
    upgrade = b"GET /a HTTP/1.1\r\nhost: x\r\nconnection: upgrade\r\nupgrade: h2c\r\n\r\n"
    async with _open(head_seconds=0.2) as port:
        for broken in (b"no such thing\r\n\r\n", upgrade, b"GET / HTTP/1.1\r\n" + WEBSOCKET + b"\r\n"):
            assert await port.answer(broken)
    assert [record.getMessage() for record in logged] == []
