"""What every request and every response has: a trace id, security headers, a bound on the body, a measurement."""

import re
import secrets
import time
import uuid
from typing import Final

from starlette.datastructures import MutableHeaders
from starlette.requests import HTTPConnection
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from sakimori_chat.metrics import ChatMetrics
from sakimori_common.web import EDGE_TOKEN_HEADER, Problem

MAX_BODY_BYTES = 64 * 1024
"""Twenty times what the longest message needs, so that one a bit too long still learns why it is refused."""

SECURITY_HEADERS: Final = {
    "content-security-policy": "default-src 'self'; object-src 'none'; frame-ancestors 'none'; base-uri 'none'; "
    "form-action 'self'; require-trusted-types-for 'script'; trusted-types 'none'",
    "x-content-type-options": "nosniff",
    "referrer-policy": "same-origin",
    "x-frame-options": "DENY",
    "permissions-policy": "geolocation=(), microphone=(), camera=()",
    "cross-origin-opener-policy": "same-origin",
    "cross-origin-resource-policy": "same-origin",
}

_TRACE_ID = re.compile(r"[A-Za-z0-9._-]{8,64}")


class Edge:
    """The outermost layer of the application."""

    def __init__(self, app: ASGIApp, edge_token: str, metrics: ChatMetrics) -> None:
        self._app = app
        self._edge_token = edge_token
        self._metrics = metrics

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Serve one request."""
        trace_id = self._trace_id(HTTPConnection(scope)) if scope["type"] != "lifespan" else ""
        scope.setdefault("state", {})["trace_id"] = trace_id
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        started = time.perf_counter()
        status = 500

        async def _send(message: Message) -> None:
            nonlocal status
            if message["type"] == "http.response.start":
                status = message["status"]
                headers = MutableHeaders(scope=message)
                headers["x-request-id"] = trace_id
                headers.update(SECURITY_HEADERS)
                headers.setdefault("cache-control", "no-store")
            await send(message)

        try:
            await self._app(scope, _bounded(receive), _send)
        finally:
            seconds = time.perf_counter() - started
            self._metrics.request_seconds.labels(_route_of(scope), str(status)).observe(seconds)

    def _trace_id(self, request: HTTPConnection) -> str:
        """Take the gateway's trace id over, nobody else's."""
        given = request.headers.get("x-request-id", "")
        proof = request.headers.get(EDGE_TOKEN_HEADER, "")
        if _TRACE_ID.fullmatch(given) and secrets.compare_digest(proof.encode(), self._edge_token.encode()):
            return given
        return str(uuid.uuid4())


def _bounded(receive: Receive) -> Receive:
    received = 0

    async def _receive() -> Message:
        nonlocal received
        message = await receive()
        received += len(message.get("body", b""))
        if received > MAX_BODY_BYTES:
            raise Problem(413, "body_too_large", f"A request has at most {MAX_BODY_BYTES} bytes.")
        return message

    return _receive


def _route_of(scope: Scope) -> str:
    route = scope.get("route")
    return str(getattr(route, "path", "")) or "unmatched"
