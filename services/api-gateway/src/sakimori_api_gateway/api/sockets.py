"""The way through to the chat for WebSockets: of its page and of bots."""

import asyncio
from collections.abc import Coroutine
from dataclasses import dataclass
from typing import Any, Final

from fastapi import APIRouter, WebSocket, WebSocketDisconnect
from starlette.responses import Response
from websockets.asyncio.client import ClientConnection
from websockets.exceptions import ConnectionClosed

from sakimori_api_gateway.adapters.sockets import SocketRefused
from sakimori_api_gateway.adapters.upstream import UpstreamAway
from sakimori_api_gateway.api.gateway import Gateway, gateway_of
from sakimori_api_gateway.api.problems import unavailable
from sakimori_api_gateway.api.proxy import own_headers, target_of
from sakimori_api_gateway.api.tunnels import Tunnel, TunnelsFull
from sakimori_api_gateway.domain.closing import GOING_AWAY, POLICY, TRY_AGAIN_LATER, passable
from sakimori_api_gateway.domain.headers import request_headers, response_headers

router = APIRouter()

_CLOSE_SECONDS = 2.0
_HANDSHAKE: Final = frozenset(
    {
        b"host",
        b"content-length",
        b"sec-websocket-key",
        b"sec-websocket-version",
        b"sec-websocket-extensions",
        b"sec-websocket-protocol",
        b"sec-websocket-accept",
    }
)
"""Of this hop: each side shakes hands by itself."""


@dataclass(frozen=True, slots=True)
class _End:
    """How a tunnel ended: the close code and reason for whoever did not end it."""

    code: int
    reason: str = ""


@router.websocket("/chat/ws")
@router.websocket("/bots/ws")
async def through(websocket: WebSocket) -> None:
    """Pass a WebSocket on to the chat, frame by frame, for as long as both sides are there.

    503 instead of the handshake when the chat is away; the chat's own refusal is passed on. When it goes away later the
    client is told 1013; 1008 when the client's address is locked out meanwhile; 1001 when the gateway stops.
    """
    gateway = gateway_of(websocket)
    try:
        tunnel = gateway.tunnels.join(websocket.state.address)
    except TunnelsFull:
        await _deny(websocket, unavailable("Too many WebSockets are open, try again later."))
        return
    try:
        await _through(websocket, gateway, tunnel)
    finally:
        gateway.tunnels.leave(tunnel)


async def _through(websocket: WebSocket, gateway: Gateway, tunnel: Tunnel) -> None:
    headers = request_headers(websocket.scope["headers"], own_headers(websocket, gateway), without=_HANDSHAKE)
    try:
        service = await gateway.chat_sockets.open(target_of(websocket), headers, websocket.scope["subprotocols"])
    except SocketRefused as refusal:
        await _deny(websocket, _response_of(refusal))
        return
    except UpstreamAway as error:
        gateway.metrics.upstream_failures_total.labels(gateway.chat_sockets.name).inc()
        gateway.log.warning("upstream_away", upstream=gateway.chat_sockets.name, reason=str(error))
        await _deny(websocket, unavailable("The chat is away, try again soon."))
        return
    end = _End(GOING_AWAY)
    try:
        given = [] if service.response is None else service.response.headers.raw_items()
        kept = response_headers((name.encode("latin-1"), value.encode("latin-1")) for name, value in given)
        await websocket.accept(service.subprotocol, [each for each in kept if each[0] not in _HANDSHAKE])
        end = await _first_of(
            _to_service(websocket, service),
            _to_client(service, websocket),
            _until_set(tunnel.is_blocked, _End(POLICY, "blocked")),
            _until_set(gateway.tunnels.stopping, _End(GOING_AWAY)),
        )
    finally:
        await _close_both(websocket, service, end)


async def _to_service(websocket: WebSocket, service: ClientConnection) -> _End:
    """Pass on what the client says; a service that reads slowly slows the client down."""
    while True:
        message = await websocket.receive()
        if message["type"] == "websocket.disconnect":
            return _End(passable(message.get("code"), otherwise=GOING_AWAY), message.get("reason") or "")
        try:
            await service.send(message["text"] if message.get("text") is not None else message["bytes"])
        except ConnectionClosed:
            return _ending_of(service)


async def _to_client(service: ClientConnection, websocket: WebSocket) -> _End:
    """Pass on what the service says; a client that reads slowly makes the service wait, so little waits here."""
    try:
        while True:
            message = await service.recv()
            if isinstance(message, str):
                await websocket.send({"type": "websocket.send", "text": message})
            else:
                await websocket.send({"type": "websocket.send", "bytes": message})
    except ConnectionClosed:
        return _ending_of(service)
    except (WebSocketDisconnect, RuntimeError):  # the client left amid a message: starlette's words for it
        return _End(GOING_AWAY)


def _ending_of(service: ClientConnection) -> _End:
    return _End(passable(service.close_code, otherwise=TRY_AGAIN_LATER), service.close_reason or "")


async def _until_set(event: asyncio.Event, end: _End) -> _End:
    await event.wait()
    return end


async def _first_of(*endings: Coroutine[Any, Any, _End]) -> _End:
    tasks = [asyncio.create_task(ending) for ending in endings]
    try:
        done, _ = await asyncio.wait(tasks, return_when=asyncio.FIRST_COMPLETED)
        return next(iter(done)).result()
    finally:
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)


async def _close_both(websocket: WebSocket, service: ClientConnection, end: _End) -> None:
    """Close whichever side is still open, and wait a little for neither."""

    async def close_client() -> None:
        try:
            async with asyncio.timeout(_CLOSE_SECONDS):
                await websocket.close(end.code, end.reason)
        except (WebSocketDisconnect, RuntimeError, TimeoutError):
            return  # it is closed already, or does not read

    await asyncio.gather(close_client(), service.close(end.code, end.reason))


async def _deny(websocket: WebSocket, response: Response) -> None:
    await websocket.send_denial_response(response)


def _response_of(refusal: SocketRefused) -> Response:
    response = Response(refusal.body, refusal.status)
    about_the_body = {b"content-length", b"content-encoding"}
    kept = [each for each in response_headers(refusal.headers) if each[0] not in about_the_body | _HANDSHAKE]
    response.raw_headers = [*kept, (b"content-length", str(len(refusal.body)).encode())]
    return response
