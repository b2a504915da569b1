"""The way through to chat, collector and packet-sensor."""

from collections.abc import AsyncIterator
from typing import Annotated

import httpx
from fastapi import APIRouter, Header
from starlette.requests import ClientDisconnect, HTTPConnection, Request
from starlette.responses import Response, StreamingResponse
from starlette.types import Send

from sakimori_api_gateway.adapters.upstream import NotForwardable, Upstream, UpstreamAway
from sakimori_api_gateway.api.answers import problems
from sakimori_api_gateway.api.authentication import Analyst, TheGateway, entry_of
from sakimori_api_gateway.api.gateway import Gateway
from sakimori_api_gateway.api.problems import unavailable
from sakimori_api_gateway.domain.headers import RawHeader, request_headers, response_headers
from sakimori_common.web import EDGE_TOKEN_HEADER, problem_response

router = APIRouter()

_CHAT_METHODS = ["GET", "HEAD", "POST", "PUT", "PATCH", "DELETE", "OPTIONS"]
_SHIPPERS_METHODS = ["GET", "HEAD", "POST", "PUT"]
_ABOUT_THE_BODY = frozenset({b"content-length", b"content-type", b"content-encoding", b"transfer-encoding"})
_OPERATOR_ONLY = frozenset({b"authorization", b"cookie"})


@router.api_route("/chat", methods=_CHAT_METHODS, include_in_schema=False)
@router.api_route("/chat/{path:path}", methods=_CHAT_METHODS, include_in_schema=False)
@router.api_route("/bots", methods=_CHAT_METHODS, include_in_schema=False)
@router.api_route("/bots/{path:path}", methods=_CHAT_METHODS, include_in_schema=False)
async def to_chat(request: Request, gateway: TheGateway) -> Response:
    """Pass everything below /chat and /bots on to the chat; bots sign target and body, so both go as they came."""
    return await _forward(request, gateway, gateway.chat, target_of(request))


@router.post("/ingest", include_in_schema=False)
@router.post("/upload", include_in_schema=False)
@router.api_route("/_bulk", methods=["POST", "PUT"], include_in_schema=False)
@router.api_route("/{index}/_bulk", methods=["POST", "PUT"], include_in_schema=False)
@router.api_route("/elasticsearch", methods=_SHIPPERS_METHODS, include_in_schema=False)
@router.api_route("/elasticsearch/{path:path}", methods=_SHIPPERS_METHODS, include_in_schema=False)
@router.api_route("/services/collector", methods=_SHIPPERS_METHODS, include_in_schema=False)
@router.api_route("/services/collector/{path:path}", methods=_SHIPPERS_METHODS, include_in_schema=False)
async def to_collector(request: Request, gateway: TheGateway) -> Response:
    """Pass logs on to the collector as they come, with the shipper's own token.

    Elasticsearch's other calls stand below /elasticsearch, for `/` is the gateway's own page.
    """
    return await _forward(request, gateway, gateway.collector, target_of(request))


@router.post(
    "/api/v1/captures",
    tags=["captures"],
    status_code=200,
    responses=problems(401, 403, 413),
    openapi_extra={
        "requestBody": {
            "required": True,
            "content": {"application/vnd.tcpdump.pcap": {"schema": {"type": "string", "format": "binary"}}},
        }
    },
)
async def to_sensor(
    request: Request,
    gateway: TheGateway,
    asking: Analyst,
    length: Annotated[int | None, Header(alias="content-length", include_in_schema=False)] = None,
) -> Response:
    """Have a capture examined.

    The body is a pcap or pcapng file of up to 64 MiB; the answer is the packet-sensor's.
    """
    await gateway.audit.write(entry_of(gateway, asking, "capture_submitted", "captures", {"bytes": length}))
    return await to_the_sensor(request, gateway, b"/captures")


async def to_the_sensor(request: Request, gateway: Gateway, path: bytes, body: bytes | None = None) -> Response:
    """Pass an operator's request on to the packet-sensor, with its query; `body` is its body where that was read."""
    query = request.scope["query_string"]
    target = path + (b"?" + query if query else b"")
    return await _forward(request, gateway, gateway.sensor, target, without=_OPERATOR_ONLY, body=body)


async def to_the_collector(request: Request, gateway: Gateway, path: bytes, body: bytes | None = None) -> Response:
    """Pass an operator's request on to the collector, with its query; `body` is its body where that was read."""
    query = request.scope["query_string"]
    target = path + (b"?" + query if query else b"")
    return await _forward(request, gateway, gateway.collector, target, without=_OPERATOR_ONLY, body=body)


async def _forward(
    request: Request,
    gateway: Gateway,
    upstream: Upstream,
    target: bytes,
    *,
    without: frozenset[bytes] = frozenset(),
    body: bytes | None = None,
) -> Response:
    """Send a request on and stream the answer back; 503 when there is none, 400 when it cannot be sent."""
    headers = request_headers(request.scope["headers"], own_headers(request, gateway), without=without)
    given: AsyncIterator[bytes] | None = request.stream() if _has_body(request) else None
    if body is not None:
        headers = [(name, value) for name, value in headers if name not in _ABOUT_THE_BODY]
        headers += [(b"content-type", b"application/json"), (b"content-length", str(len(body)).encode())]
        given = _once(body)
    try:
        answer = await upstream.send(request.method, target, headers, given)
    except UpstreamAway as error:
        _count(gateway, upstream, error)
        return unavailable(f"The {upstream.name} is away, try again soon.")
    except NotForwardable:
        return problem_response(400, "bad_request", "This is not HTTP/1.1 as it can be passed on (RFC 9112).")
    except ClientDisconnect:
        return Response(status_code=499)
    return _Streamed(upstream, answer, gateway)


async def _once(body: bytes) -> AsyncIterator[bytes]:
    yield body


def _count(gateway: Gateway, upstream: Upstream, error: UpstreamAway) -> None:
    gateway.metrics.upstream_failures_total.labels(upstream.name).inc()
    gateway.log.warning("upstream_away", upstream=upstream.name, reason=str(error))


def own_headers(request: HTTPConnection, gateway: Gateway) -> list[RawHeader]:
    """Say who the client is, and prove that it is the gateway that says so."""
    is_https = gateway.settings.cookie_secure or request.url.scheme in {"https", "wss"}
    own = {
        "x-forwarded-for": request.state.address,
        "x-forwarded-proto": "https" if is_https else "http",
        "x-forwarded-host": request.headers.get("host", ""),
        "x-request-id": request.state.request_id,
        EDGE_TOKEN_HEADER: gateway.settings.edge_token.get_secret_value(),
    }
    return [(name.encode("latin-1"), value.encode("latin-1")) for name, value in own.items()]


def _has_body(request: Request) -> bool:
    return "transfer-encoding" in request.headers or request.headers.get("content-length", "0") != "0"


def target_of(request: HTTPConnection) -> bytes:
    """Say what was asked for as it came: path and query."""
    path: bytes = request.scope.get("raw_path") or request.scope["path"].encode()
    query: bytes = request.scope["query_string"]
    return path + (b"?" + query if query else b"")


class _Streamed(StreamingResponse):
    """An answer passed on as it comes, for as long as the client is there."""

    def __init__(self, upstream: Upstream, answer: httpx.Response, gateway: Gateway) -> None:
        super().__init__(upstream.stream(answer), answer.status_code)
        self.raw_headers = response_headers(answer.headers.raw)
        self._upstream = upstream
        self._answer = answer
        self._gateway = gateway

    async def stream_response(self, send: Send) -> None:
        """Send head and body; when the service breaks off, so does this, which the client sees as an error."""
        try:
            await super().stream_response(send)
        except UpstreamAway as error:
            _count(self._gateway, self._upstream, error)
        finally:
            await self._answer.aclose()
