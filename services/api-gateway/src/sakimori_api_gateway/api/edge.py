"""The outermost layer: who asks, whether they may, and what every answer carries."""

import time
import uuid

from starlette.datastructures import Headers, MutableHeaders
from starlette.responses import RedirectResponse, Response
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from sakimori_api_gateway.api.gateway import Gateway
from sakimori_api_gateway.domain.addresses import client_of, is_within, network_of, parse_address
from sakimori_common.web import Problem, problem_response

CONTENT_SECURITY_POLICY = (
    "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self' data:; connect-src 'self';"
    " base-uri 'none'; form-action 'none'; frame-ancestors 'none'"
)
_SECURITY_HEADERS = {
    "content-security-policy": CONTENT_SECURITY_POLICY,
    "x-content-type-options": "nosniff",
    "referrer-policy": "same-origin",
    "x-frame-options": "DENY",
    "permissions-policy": "geolocation=(), microphone=(), camera=()",
}
_HSTS = "max-age=31536000; includeSubDomains"
_METHODS = frozenset({"GET", "HEAD", "POST", "PUT", "PATCH", "DELETE", "OPTIONS"})

MEBIBYTE = 1 << 20
_BODY_LIMITS = {"/api/v1/captures": 64 * MEBIBYTE, "/chat": 10 * MEBIBYTE, "/bots": MEBIBYTE}
_SHIPPERS = ("/ingest", "/elasticsearch", "/services/collector")
_SHIPPED_LIMIT = 10 * MEBIBYTE
_VISITED = ("/chat", "/bots")
"""Where strangers come; everybody else has a token."""
_API_BODY_LIMIT = 64 * 1024


class Edge:
    """Wraps the whole application: address, request id, blocks, body limits, security headers, metrics, log line."""

    def __init__(self, app: ASGIApp, gateway: Gateway) -> None:
        self._app = app
        self._gateway = gateway

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Serve one request or WebSocket."""
        headers = Headers(scope=scope)
        peer = scope["client"][0] if scope.get("client") else ""
        address = client_of(peer, ",".join(headers.getlist("x-forwarded-for")), self._gateway.settings.trusted_proxies)
        request_id = uuid.uuid4().hex
        scope["state"] = {**scope.get("state", {}), "address": address, "request_id": request_id}
        if scope["type"] == "websocket":
            if self._is_shed(address, scope):
                await send({"type": "websocket.close", "code": 1013})
                return
            await self._websocket(address, scope, receive, send)
            return
        answer = _Answer(
            send, request_id, api=scope["path"].startswith("/api/"), hsts=self._gateway.settings.cookie_secure
        )
        started = time.perf_counter()
        if self._is_shed(address, scope):
            detail = "Too many requests from your network; slow down."
            refused = problem_response(429, "too_many_requests", detail, {"retry-after": "1"})
            await refused(scope, receive, answer.send)
            return  # one log line a second tells of all of them
        try:
            refusal = self._refusal(address, scope, headers) or self._redirect(peer, scope, headers)
            if refusal is not None:
                await refusal(scope, receive, answer.send)
            else:
                await self._app(scope, _bounded(receive, body_limit(scope["path"]), answer), answer.send)
        finally:
            self._account(scope, answer.status, time.perf_counter() - started)

    async def _websocket(self, address: str, scope: Scope, receive: Receive, send: Send) -> None:
        if self._gateway.enforcement.remaining_seconds(address) is not None:
            self._gateway.metrics.blocked_requests_total.inc()
            self._gateway.streams.log_security("request_blocked", address, reason="blocked address")
            await receive()
            await send({"type": "websocket.close", "code": 1008, "reason": "blocked"})  # before accept: HTTP 403
            self._log_access(scope, "GET", 403)
            return
        status = 403
        request_id = scope["state"]["request_id"]

        async def sending(message: Message) -> None:
            nonlocal status
            if message["type"] in {"websocket.accept", "websocket.http.response.start"}:
                status = message.get("status", 101)
                message.setdefault("headers", [])
                MutableHeaders(scope=message)["x-request-id"] = request_id
            await send(message)

        try:
            await self._app(scope, receive, sending)
        finally:
            self._log_access(scope, "GET", status)

    def _is_shed(self, address: str, scope: Scope) -> bool:
        path = scope["path"]
        if not any(path == prefix or path.startswith(prefix + "/") for prefix in _VISITED):
            return False
        client = parse_address(address)
        if client is None or is_within(client, self._gateway.settings.never_block):
            return False
        return not self._gateway.visitors.admits(network_of(client), time.monotonic())

    def _refusal(self, address: str, scope: Scope, headers: Headers) -> Response | None:
        seconds = self._gateway.enforcement.remaining_seconds(address)
        if seconds is not None:
            self._gateway.metrics.blocked_requests_total.inc()
            self._gateway.streams.log_security("request_blocked", address, reason="blocked address")
            detail = f"This address is blocked for another {seconds} s."
            return problem_response(403, "blocked", detail, {"retry-after": str(seconds)}, retry_after_seconds=seconds)
        length, limit = headers.get("content-length", "0"), body_limit(scope["path"])
        if length.isdecimal() and int(length) > limit:
            return _too_large(limit)
        return None

    def _redirect(self, peer: str, scope: Scope, headers: Headers) -> Response | None:
        """Send a client to HTTPS that a trusted proxy took by plain HTTP (S0-53)."""
        settings = self._gateway.settings
        if not settings.cookie_secure or headers.get("x-forwarded-proto", "").lower() != "http":
            return None
        proxy, host = parse_address(peer), headers.get("host", "")
        if proxy is None or not is_within(proxy, settings.trusted_proxies) or not host:
            return None
        query = scope["query_string"].decode("latin-1")
        target = scope.get("raw_path", b"/").decode("latin-1") + (f"?{query}" if query else "")
        return RedirectResponse(f"https://{host}{target}", 301 if scope["method"] in {"GET", "HEAD"} else 308)

    def _account(self, scope: Scope, status: int, seconds: float) -> None:
        route = getattr(scope.get("route"), "path", "none")
        method = scope["method"] if scope["method"] in _METHODS else "other"
        self._gateway.metrics.requests_total.labels(route, method, str(status)).inc()
        self._gateway.metrics.request_seconds.labels(route).observe(seconds)
        self._log_access(scope, method, status)
        log = self._gateway.log.info if route.startswith("/api/") else self._gateway.log.debug
        log(
            "request_answered",
            route=route,
            method=method,
            status=status,
            seconds=round(seconds, 4),
            request_id=scope["state"]["request_id"],
        )

    def _log_access(self, scope: Scope, method: str, status: int) -> None:
        state = scope["state"]
        self._gateway.streams.log_access(
            state["address"],
            method,
            scope["path"],
            status,
            user=state.get("user", ""),
            user_agent=Headers(scope=scope).get("user-agent", ""),
            request_id=state["request_id"],
        )


class _Answer:
    """Adds what every answer carries and remembers the status; what a service set itself stays."""

    def __init__(self, send: Send, request_id: str, *, api: bool, hsts: bool) -> None:
        self._send = send
        self._request_id = request_id
        self._defaults = dict(_SECURITY_HEADERS)
        if api:
            self._defaults["cache-control"] = "no-store"
        if hsts:
            self._defaults["strict-transport-security"] = _HSTS
        self.status = 499
        """What nginx calls a client that left before it was answered."""
        self.has_started = False

    async def send(self, message: Message) -> None:
        """Pass a message on, the head of the answer with its headers."""
        if message["type"] == "http.response.start":
            self.status = message["status"]
            self.has_started = True
            headers = MutableHeaders(scope=message)
            for name, value in self._defaults.items():
                headers.setdefault(name, value)
            headers["x-request-id"] = self._request_id
        await self._send(message)


def body_limit(path: str) -> int:
    """Tell how many bytes a request's body may have."""
    for prefix, limit in _BODY_LIMITS.items():
        if path == prefix or path.startswith(prefix + "/"):
            return limit
    if path.endswith("/_bulk") or any(path == prefix or path.startswith(prefix + "/") for prefix in _SHIPPERS):
        return _SHIPPED_LIMIT
    return _API_BODY_LIMIT


def _bounded(receive: Receive, limit: int, answer: _Answer) -> Receive:
    received = 0

    async def bounded() -> Message:
        nonlocal received
        message = await receive()
        received += len(message.get("body", b""))
        if received > limit:
            if answer.has_started:
                return {"type": "http.disconnect"}
            raise Problem(413, "body_too_large", f"The body may have {limit} bytes.")
        return message

    return bounded


def _too_large(limit: int) -> Response:
    return problem_response(413, "body_too_large", f"The body may have {limit} bytes.", {"connection": "close"})
