"""What every HTTP port has in common: problem+json, a server that stops when told, the edge's word on the client."""

import asyncio
import hmac
import socket
from collections.abc import AsyncIterator, Iterator, Mapping
from contextlib import asynccontextmanager, contextmanager, suppress
from dataclasses import dataclass
from http import HTTPStatus
from pathlib import Path
from typing import Any, Literal

import uvicorn
from prometheus_client import CONTENT_TYPE_LATEST, generate_latest
from starlette.applications import Starlette
from starlette.exceptions import HTTPException
from starlette.requests import HTTPConnection, Request
from starlette.responses import JSONResponse, PlainTextResponse, Response
from starlette.routing import Route
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from sakimori_common.context import ServiceContext
from sakimori_common.fast_http import BoundedHttp
from sakimori_common.log import SecurityLogger

_REFUSED = frozenset({401, 403, 429})
UNREAD_SECONDS = 60
"""After so long in which a peer takes nothing of what waits for it, the kernel ends the connection (tcp(7), Linux)."""
EDGE_TOKEN_HEADER = "x-sakimori-edge"  # noqa: S105  # the name of a header
"""The gateway proves itself with this header; only then is `x-forwarded-for` believed."""
_EDGE_TOKEN = EDGE_TOKEN_HEADER.encode()


class Problem(HTTPException):
    """An error as RFC 9457 shows it. `code` is stable for programs, `detail` tells a person what to do."""

    def __init__(
        self, status: int, code: str, detail: str, headers: Mapping[str, str] | None = None, **extra: object
    ) -> None:
        super().__init__(status, detail, dict(headers or {}))
        self.code = code
        self.extra = extra


def render_problem(request: Request, problem: Exception) -> Response:
    """Render any HTTPException as problem+json; register it for HTTPException on every application."""
    if not isinstance(problem, HTTPException):
        raise problem
    code = problem.code if isinstance(problem, Problem) else HTTPStatus(problem.status_code).name.lower()
    extra = problem.extra if isinstance(problem, Problem) else {}
    return problem_response(problem.status_code, code, problem.detail, problem.headers, **extra)


def problem_response(
    status: int, code: str, detail: str, headers: Mapping[str, str] | None = None, **extra: object
) -> Response:
    """Build a problem+json response (RFC 9457, 3)."""
    body: dict[str, Any] = {
        "type": f"urn:sakimori:problem:{code}",
        "title": HTTPStatus(status).phrase,
        "status": status,
        "code": code,
        "detail": detail,
        **extra,
    }
    return JSONResponse(body, status, dict(headers or {}), media_type="application/problem+json")


def is_from_edge(request: HTTPConnection, edge_token: str) -> bool:
    """Tell whether the gateway sends a request on: it proves itself with the token."""
    given = request.headers.get(EDGE_TOKEN_HEADER, "")
    return bool(given) and hmac.compare_digest(given.encode(), edge_token.encode())


def client_address(request: HTTPConnection, edge_token: str) -> str:
    """Tell who the client is: the peer, or what the gateway says when it proves itself.

    The gateway sets `x-forwarded-for` to exactly one address.
    """
    return scope_address(request.scope, edge_token)


def scope_address(scope: Scope, edge_token: str) -> str:
    """Tell what `client_address` does, without making a request of it."""
    token = forwarded = b""
    for name, value in scope["headers"]:
        if name == _EDGE_TOKEN:
            token = value
        elif name == b"x-forwarded-for":
            forwarded = value
    if token and forwarded and hmac.compare_digest(token, edge_token.encode()):
        return str(forwarded.decode("latin-1")).strip()
    client = scope.get("client")
    return str(client[0]) if client else ""


class AccessLogged:
    """Wraps an application: each request is a line of the access stream, each that is refused one of the security's.

    Requests that the gateway sends on are in its access stream already.
    """

    def __init__(self, app: ASGIApp, streams: SecurityLogger, edge_token: str) -> None:
        self._app = app
        self._streams = streams
        self._edge_token = edge_token

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Serve one request; what is no HTTP passes by."""
        if scope["type"] != "http" or not self._streams.is_open:
            await self._app(scope, receive, send)
            return
        status = 499

        async def sending(message: Message) -> None:
            nonlocal status
            if message["type"] == "http.response.start":
                status = message["status"]
            await send(message)

        try:
            await self._app(scope, receive, sending)
        finally:
            self._note(Request(scope), status)

    def _note(self, request: Request, status: int) -> None:
        address, path = client_address(request, self._edge_token), request.scope["path"]
        if status in _REFUSED:
            self._streams.log_security("request_refused", address, reason=f"{request.method} {path}: {status}")
        if is_from_edge(request, self._edge_token):
            return
        agent = request.headers.get("user-agent", "")
        self._streams.log_access(address, request.method, path, status, user_agent=agent)


@dataclass(frozen=True, slots=True)
class Certificate:
    """What a port shows by TLS: PEM files of the certificate, with those between it and the root, and of its key."""

    certificate: Path
    key: Path


@asynccontextmanager
async def serving(
    app: Any,
    host: str,
    port: int,
    *,
    drain_seconds: float = 5.0,
    certificate: Certificate | None = None,
    protocol: type[BoundedHttp] = BoundedHttp,
    websockets: type[asyncio.Protocol] | Literal["auto"] = "auto",
) -> AsyncIterator[int]:
    """Serve an ASGI application until the block ends, then finish open requests; yields the port that was bound.

    `protocol` reads HTTP and bounds how long that may take (sakimori_common.fast_http), `websockets` is for a crowd of
    listeners (sakimori_common.live_socket) or uvicorn's own.
    By TLS (1.2 or newer) where there is a certificate. Raises OSError when the port is taken or a file of the
    certificate cannot be read, ssl.SSLError (an OSError, too) when it is none.
    """
    config = uvicorn.Config(
        app,
        host=host,
        port=port,
        log_config=None,
        access_log=False,
        server_header=False,
        proxy_headers=False,
        lifespan="off",
        timeout_graceful_shutdown=int(drain_seconds),
        ws_max_size=1 << 20,
        ws_per_message_deflate=False,  # some 300 KB and a compressor for each client, for messages of about 1 KB
        http=protocol,
        ws=websockets,
        ssl_certfile=None if certificate is None else certificate.certificate,
        ssl_keyfile=None if certificate is None else certificate.key,
    )
    config.load()  # a certificate that is none is found before the port is bound
    sockets = [_bind(host, port)]
    server = uvicorn.Server(config)
    server.capture_signals = _no_signals  # type: ignore[method-assign]  # the runner owns them
    task = asyncio.create_task(server.serve(sockets=sockets), name=f"http-{port}")
    try:
        while not server.started and not task.done():
            await asyncio.sleep(0.005)
        yield int(sockets[0].getsockname()[1])
    finally:
        server.should_exit = True
        with suppress(asyncio.CancelledError):
            await task


@asynccontextmanager
async def side_port(context: ServiceContext, host: str, port: int) -> AsyncIterator[int]:
    """Serve /live, /ready and /metrics of a service; yields the port."""

    async def live(_: Request) -> Response:
        return PlainTextResponse("ok\n")

    async def ready(_: Request) -> Response:
        report = await context.health.report()
        return JSONResponse(report, 200 if all(state == "ok" for state in report.values()) else 503)

    async def metrics(_: Request) -> Response:
        return Response(generate_latest(context.registry), media_type=CONTENT_TYPE_LATEST)

    app = Starlette(routes=[Route("/live", live), Route("/ready", ready), Route("/metrics", metrics)])
    async with serving(app, host, port) as bound:
        yield bound


def _bind(host: str, port: int) -> socket.socket:
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    # The protocol is named because asyncio turns Nagle off (40 ms a response otherwise) only where it is.
    listener = socket.socket(family, socket.SOCK_STREAM, socket.IPPROTO_TCP)
    listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    if hasattr(socket, "TCP_USER_TIMEOUT"):  # what it accepts inherits it
        listener.setsockopt(socket.IPPROTO_TCP, socket.TCP_USER_TIMEOUT, UNREAD_SECONDS * 1000)
    try:
        listener.bind((host, port))
    except OSError as error:
        listener.close()
        raise OSError(error.errno, f"{host}:{port}: {error.strerror}") from error
    return listener


@contextmanager
def _no_signals() -> Iterator[None]:
    yield
