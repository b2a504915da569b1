"""The port that every service speaks HTTP on, against clients that do not behave."""

import asyncio
import json
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager, suppress
from dataclasses import dataclass, field

import pytest
from starlette.applications import Starlette
from starlette.requests import ClientDisconnect, Request
from starlette.responses import PlainTextResponse, Response
from starlette.routing import Route
from starlette.websockets import WebSocket

from sakimori_common.fast_http import MAX_HEAD_BYTES, Patience, Phase, patient
from sakimori_common.web import serving

OPEN = b"POST /echo HTTP/1.1\r\nhost: x\r\n"


@dataclass
class Port:
    """An open port, who was too slow for it, and what the application got."""

    number: int = 0
    slow: list[tuple[str, Phase]] = field(default_factory=list)
    bodies: list[bytes] = field(default_factory=list)


def _application(port: Port) -> Starlette:
    async def echo(request: Request) -> Response:
        try:
            body = await request.body()
        except ClientDisconnect:
            return Response(status_code=499)
        port.bodies.append(body)
        return PlainTextResponse(body)

    return Starlette(routes=[Route("/echo", echo, methods=["POST"])])


@asynccontextmanager
async def _open(**patience: float) -> AsyncIterator[Port]:
    port = Port()
    told: Callable[[str, Phase], None] = lambda address, phase: port.slow.append((address, phase))  # noqa: E731
    protocol = patient(Patience(on_slow=told, **patience))
    async with serving(_application(port), "127.0.0.1", 0, protocol=protocol) as number:
        port.number = number
        yield port


async def _answer(port: Port, *parts: bytes, pause: float = 0.0) -> tuple[int, bytes]:
    """Send parts with pauses between them; the status and body of what comes back before the port closes."""
    reader, writer = await asyncio.open_connection("127.0.0.1", port.number)

    async def trickle() -> None:
        for part in parts:
            writer.write(part)
            await asyncio.sleep(pause)

    sending = asyncio.create_task(trickle())
    received = b""
    try:
        async with asyncio.timeout(10):
            with suppress(ConnectionResetError):  # what is sent to a port that has closed is answered by a reset
                while part := await reader.read(1 << 16):
                    received += part
    finally:
        sending.cancel()
        await asyncio.gather(sending, return_exceptions=True)
        writer.close()
    head, _, body = received.partition(b"\r\n\r\n")
    return int(head.split()[1]), body


def _code(body: bytes) -> str:
    return str(json.loads(body)["code"])


async def test_a_head_that_trickles_in_is_refused_in_time_however_lively_it_is() -> None:
    async with _open(head_seconds=0.3) as port:
        status, body = await _answer(port, OPEN, *[b"x-a: b\r\n"] * 200, pause=0.02)
        assert (status, _code(body)) == (408, "request_timed_out")
        assert port.slow == [("127.0.0.1", Phase.HEAD)]


async def test_a_connection_that_says_nothing_is_closed() -> None:
    async with _open(head_seconds=0.2) as port:
        assert (await _answer(port))[0] == 408


async def test_a_body_that_trickles_in_is_refused_and_never_reaches_the_application() -> None:
    async with _open(body_seconds=0.3, bytes_per_second=1000) as port:
        status, body = await _answer(port, OPEN + b"content-length: 500\r\n\r\n", *[b"x"] * 400, pause=0.02)
        assert (status, _code(body)) == (408, "request_timed_out")
        assert port.slow == [("127.0.0.1", Phase.BODY)]
        assert port.bodies == []


async def test_a_long_body_that_moves_may_take_longer_than_a_short_one() -> None:
    async with _open(body_seconds=0.2, bytes_per_second=1000) as port:
        head = OPEN + b"connection: close\r\ncontent-length: 2000\r\n\r\n"
        status, body = await _answer(port, head, *[b"x" * 100] * 20, pause=0.04)
        assert (status, len(body)) == (200, 2000)
        assert port.slow == []


async def test_between_two_requests_of_a_connection_nobody_is_slow() -> None:
    async with _open(head_seconds=0.2) as port:
        first = OPEN + b"content-length: 1\r\n\r\na"
        second = OPEN + b"connection: close\r\ncontent-length: 1\r\n\r\nb"
        status, _ = await _answer(port, first, second, pause=0.5)
        assert status == 200
        assert port.bodies == [b"a", b"b"]
        assert port.slow == []


async def test_an_open_websocket_is_not_slow() -> None:
    async def hold(socket: WebSocket) -> None:
        await socket.accept()
        await socket.receive_text()
        await socket.send_text("late")
        await socket.close()

    from websockets.asyncio.client import connect

    async def application(scope: dict[str, object], receive: object, send: object) -> None:
        await hold(WebSocket(scope, receive, send))  # type: ignore[arg-type]  # they are what ASGI says

    protocol = patient(Patience(head_seconds=0.1, body_seconds=0.1))
    async with (
        serving(application, "127.0.0.1", 0, protocol=protocol) as number,
        connect(f"ws://127.0.0.1:{number}/") as client,
    ):
        await asyncio.sleep(0.4)
        await client.send("now")
        assert await client.recv() == "late"


GET = b"GET /%s HTTP/1.1\r\nhost: x\r\n\r\n"
REFUSED = b"HTTP/1.1 429 Too Many Requests\r\ncontent-length: 2\r\n\r\nno"


@asynccontextmanager
async def _guarded() -> AsyncIterator[Port]:
    """A port whose door turns away whatever asks for /no."""
    port = Port()
    protocol = patient(Patience(), lambda head: REFUSED if head["path"] == "/no" else None)
    async with serving(_application(port), "127.0.0.1", 0, protocol=protocol) as number:
        port.number = number
        yield port


async def test_who_is_turned_away_at_the_door_can_ask_again_on_the_same_connection() -> None:
    async with _guarded() as port:
        refused = b"POST /no?a=1 HTTP/1.1\r\nhost: x\r\ncontent-length: 4\r\n\r\n"
        welcome = OPEN + b"connection: close\r\ncontent-length: 1\r\n\r\nb"
        reader, writer = await asyncio.open_connection("127.0.0.1", port.number)
        for part in (refused, b"bo", b"dy", GET % b"no"):
            writer.write(part)
        assert await reader.readexactly(2 * len(REFUSED)) == REFUSED * 2
        writer.write(welcome)
        assert (await reader.read()).startswith(b"HTTP/1.1 200 ")
        writer.close()
        assert port.bodies == [b"b"]


@pytest.mark.parametrize(
    "asked",
    [
        b"GET /no HTTP/1.1\r\nhost: x\r\nconnection: close\r\n\r\n",
        b"GET /no HTTP/1.0\r\n\r\n",
        b"POST /no HTTP/1.1\r\nhost: x\r\nexpect: 100-continue\r\ncontent-length: 9\r\n\r\n",
    ],
)
async def test_the_door_closes_where_nothing_more_can_be_read(asked: bytes) -> None:
    async with _guarded() as port:
        reader, writer = await asyncio.open_connection("127.0.0.1", port.number)
        writer.write(asked)
        assert await reader.read() == REFUSED
        writer.close()


async def test_requests_sent_on_top_of_one_another_do_not_get_past_the_door() -> None:
    async with _guarded() as port:
        reader, writer = await asyncio.open_connection("127.0.0.1", port.number)
        writer.write(OPEN + b"content-length: 1\r\n\r\na" + GET % b"no" + OPEN + b"content-length: 1\r\n\r\nb")
        assert b"HTTP/1.1 404" not in await reader.read()
        writer.close()
        assert port.bodies in ([], [b"a"])


async def test_what_follows_a_last_request_is_not_served() -> None:
    async with _guarded() as port:
        reader, writer = await asyncio.open_connection("127.0.0.1", port.number)
        writer.write(b"GET /no HTTP/1.0\r\n\r\n" + OPEN + b"content-length: 1\r\n\r\nb")
        assert await reader.read() == REFUSED
        writer.close()
        assert port.bodies == []


@pytest.mark.parametrize(
    ("sent", "status", "code"),
    [
        (OPEN + b"x-long: " + b"a" * MAX_HEAD_BYTES, 431, "head_too_large"),
        (b"no such thing\r\n\r\n", 400, "bad_request"),
        (b"BREW / HTTP/1.1\r\nhost: x\r\n\r\n", 400, "bad_request"),
        (b"POST /\xff\xfe HTTP/1.1\r\nhost: x\r\n\r\n", 400, "bad_request"),
        (b"\x16\x03\x01\x02\x00\x01\x00", 400, "bad_request"),
        (OPEN + b"content-length: 5\r\ncontent-length: 6\r\n\r\n", 400, "bad_request"),
        (OPEN + b"content-length: 5\r\ntransfer-encoding: chunked\r\n\r\n0\r\n\r\n", 400, "bad_request"),
    ],
)
async def test_what_is_no_request_is_refused_with_a_code(sent: bytes, status: int, code: str) -> None:
    async with _open() as port:
        answered, body = await _answer(port, sent)
        assert (answered, _code(body)) == (status, code)
        assert port.bodies == []
