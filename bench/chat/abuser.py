"""Whether one who posts a thousand times a second slows others down.

Honest people, each at an address of their own, post every few seconds and read in between; their p95 is taken without
the abuser, with it, and while it asks a server as often that only says no: what that costs them is the machine, which
all share here.
"""

import asyncio
import itertools
import json
import multiprocessing
import random
import statistics
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from http import HTTPStatus
from typing import Final
from urllib.parse import urlencode

import httpx

from bench.chat.stage import Stage, run
from sakimori_common.fast_http import ready_problem
from servers.ports import free_ports

HONEST: Final = 40
ABUSE_PER_SECOND: Final = 1000
_CONNECTIONS: Final = 20
_POST_EVERY_SECONDS: Final = 3.0
_READ_EVERY_SECONDS: Final = 0.5
_NO: Final = ready_problem(HTTPStatus.TOO_MANY_REQUESTS, "too_many_requests", "No.")


@dataclass(frozen=True, slots=True)
class Disturbance:
    """Medians over the turns: the honest p95, in seconds, without the abuser, beside it and while it is elsewhere; what
    the abuser got; the chat's share of a core without it and beside it.
    """

    calm_p95: float
    abused_p95: float
    elsewhere_p95: float
    calm_cpu: float
    abused_cpu: float
    offered_per_second: float
    refused_ratio: float

    @property
    def ratio(self) -> float:
        """How much later others are served."""
        return self.abused_p95 / self.calm_p95

    @property
    def own_ratio(self) -> float:
        """How much of that is the chat's doing, and not the machine's."""
        return self.abused_p95 / self.elsewhere_p95


async def measured(stage: Stage, seconds: float, turns: int) -> Disturbance:
    """Take turns: calm, abused, elsewhere, calm, ..."""
    crowd = [await _entered(stage, f"198.18.0.{number + 1}") for number in range(HONEST)]
    await _served(crowd, seconds)
    rounds = []
    with _refusing() as elsewhere:
        for _ in range(turns):
            used = [stage.cpu_seconds()]
            calm = await _served(crowd, seconds)
            used.append(stage.cpu_seconds())
            abused, (count, lost) = await _beside_an_abuser(stage, crowd, seconds, stage.port)
            used.append(stage.cpu_seconds())
            away, _ = await _beside_an_abuser(stage, crowd, seconds, elsewhere)
            shares = [(after - before) / seconds for before, after in itertools.pairwise(used)]
            rounds.append((calm, abused, away, *shares, count / seconds, lost / count))
    return Disturbance(*(statistics.median(column) for column in zip(*rounds, strict=True)))


class Visitor:
    """Somebody at the page, on one connection; costs less than a browser, so that the chat is what is measured."""

    def __init__(self, port: int, headers: dict[str, str]) -> None:
        self._port = port
        self._head = "".join(f"{name}: {value}\r\n" for name, value in headers.items())
        self._streams: tuple[asyncio.StreamReader, asyncio.StreamWriter] | None = None
        self._next = b"0"

    async def post(self, text: str) -> None:
        """Say something. Raises SystemExit when it is refused."""
        body = urlencode({"text": text}).encode()
        form = f"content-type: application/x-www-form-urlencoded\r\ncontent-length: {len(body)}\r\n"
        await self._asked(f"POST /chat/post HTTP/1.1\r\nhost: chat\r\n{self._head}{form}\r\n".encode() + body)

    async def read(self) -> None:
        """Ask for what is new. Raises SystemExit when it is refused."""
        target = f"/chat/poll?after={self._next.decode()}"
        answer = await self._asked(f"GET {target} HTTP/1.1\r\nhost: chat\r\n{self._head}\r\n".encode())
        self._next = answer.partition(b'"next":')[2].partition(b",")[0].strip() or self._next

    async def _asked(self, request: bytes) -> bytes:
        if self._streams is None:
            self._streams = await asyncio.open_connection("127.0.0.1", self._port)
        reader, writer = self._streams
        try:
            writer.write(request)
            status, body = await _answer(reader)
        except (asyncio.IncompleteReadError, ConnectionError):  # kept for too long; a browser asks once more, too
            self._streams = None
            return await self._asked(request)
        if status != 200:
            raise SystemExit(f"an honest person was refused: {status} {body[:200]!r}")
        return body


async def _answer(reader: asyncio.StreamReader) -> tuple[int, bytes]:
    head = await reader.readuntil(b"\r\n\r\n")
    length = int(head.lower().partition(b"content-length: ")[2].partition(b"\r\n")[0])
    return int(head[9:12]), await reader.readexactly(length)


async def _credentials(stage: Stage, address: str) -> dict[str, str]:
    """Open the page, as a browser does before it may post."""
    async with httpx.AsyncClient(base_url=f"http://127.0.0.1:{stage.port}", timeout=30) as http:
        (await http.get("/chat", headers=stage.headers(address))).raise_for_status()
        cookies = "; ".join(f"{name}={value}" for name, value in http.cookies.items())
        proof = {"cookie": cookies, "x-csrf-token": http.cookies["csrf_token"], "x-requested-with": "fetch"}
        return {**stage.headers(address), **proof}


async def _entered(stage: Stage, address: str) -> Visitor:
    return Visitor(stage.port, await _credentials(stage, address))


async def _served(crowd: list[Visitor], seconds: float) -> float:
    """Let everybody post and read for a while; the p95 of what they waited."""
    waits: list[float] = []
    until = time.monotonic() + seconds
    await asyncio.gather(*[_live(visitor, until, number, waits) for number, visitor in enumerate(crowd)])
    return statistics.quantiles(waits, n=20, method="inclusive")[18]


def _sentence() -> str:
    """Say something of its own: what resembles what was said before would be refused."""
    return " ".join("".join(random.choices("abcdefghijklmnoprstuvw", k=random.randint(2, 9))) for _ in range(8))


async def _live(visitor: Visitor, until: float, number: int, waits: list[float]) -> None:
    await asyncio.sleep(_READ_EVERY_SECONDS * number / HONEST)
    next_post = time.monotonic() + _POST_EVERY_SECONDS * number / HONEST
    while (started := time.monotonic()) < until:
        if started >= next_post:
            next_post += _POST_EVERY_SECONDS
            await visitor.post(_sentence())
        else:
            await visitor.read()
        waits.append(time.monotonic() - started)
        await asyncio.sleep(max(0.0, started + _READ_EVERY_SECONDS - time.monotonic()))


async def _beside_an_abuser(
    stage: Stage, crowd: list[Visitor], seconds: float, port: int
) -> tuple[float, tuple[int, int]]:
    body = b"text=buy+now"
    lines = "".join(f"{name}: {value}\r\n" for name, value in (await _credentials(stage, "198.18.99.99")).items())
    request = (
        f"POST /chat/post HTTP/1.1\r\nhost: chat\r\ncontent-type: application/x-www-form-urlencoded\r\n{lines}"
        f"content-length: {len(body)}\r\n\r\n"
    ).encode() + body
    receiving, sending = multiprocessing.Pipe(duplex=False)
    process = multiprocessing.get_context("spawn").Process(
        target=_abuse, args=(port, request, seconds, sending), daemon=True
    )
    process.start()
    while not receiving.poll():
        await asyncio.sleep(0.02)
    receiving.recv()
    p95 = await _served(crowd, seconds)
    while not receiving.poll():
        await asyncio.sleep(0.02)
    count, lost = json.loads(receiving.recv())
    process.join()
    return p95, (count, lost)


class _Refuser(asyncio.Protocol):
    """Says no to whatever comes; each request of the abuser is one write."""

    def connection_made(self, transport: asyncio.Transport) -> None:  # type: ignore[override]
        """Keep the connection."""
        self._transport = transport

    def data_received(self, data: bytes) -> None:
        """Refuse."""
        self._transport.write(_NO * data.count(b"\r\n\r\n"))


@contextmanager
def _refusing() -> Iterator[int]:
    """Run a server that only says no, in a process of its own; yields its port."""
    (port,) = free_ports(1)
    process = multiprocessing.get_context("spawn").Process(target=_refuse, args=(port,), daemon=True)
    process.start()
    try:
        yield port
    finally:
        process.terminate()
        process.join()


def _refuse(port: int) -> None:
    async def serve() -> None:
        server = await asyncio.get_running_loop().create_server(_Refuser, "127.0.0.1", port)
        await server.serve_forever()

    run(serve())


def _abuse(port: int, request: bytes, seconds: float, sending: "multiprocessing.connection.Connection") -> None:
    sending.send("ready")
    sending.send(json.dumps(run(_abused(port, request, seconds))))


async def _abused(port: int, request: bytes, seconds: float) -> tuple[int, int]:
    """Offer posts at a steady rate over a few connections; how many were answered, how many of them refused."""
    answered = refused = 0

    async def post(offset: float) -> None:
        nonlocal answered, refused
        reader, writer = await asyncio.open_connection("127.0.0.1", port)
        started, every = time.monotonic() + offset, _CONNECTIONS / ABUSE_PER_SECOND
        for number in itertools.count():
            at = started + number * every
            if at > started + seconds:
                break
            await asyncio.sleep(max(0.0, at - time.monotonic()))
            writer.write(request)
            status, _ = await _answer(reader)
            answered += 1
            refused += status != 200
        writer.close()

    await asyncio.gather(*[post(number / ABUSE_PER_SECOND) for number in range(_CONNECTIONS)])
    return answered, refused
