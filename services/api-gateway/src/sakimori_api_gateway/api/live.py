"""Live findings on a WebSocket."""

import asyncio
from collections.abc import Coroutine
from contextlib import suppress
from typing import Any
from urllib.parse import urlsplit

import msgspec
from fastapi import APIRouter, WebSocket, WebSocketDisconnect

from sakimori_api_gateway.api.answers import may_see_addresses
from sakimori_api_gateway.api.gateway import Gateway, gateway_of
from sakimori_api_gateway.api.hub import HubFull, Watcher
from sakimori_api_gateway.api.sessions import Operator
from sakimori_api_gateway.domain.tokens import TokenError
from sakimori_common.bus import Unavailable
from sakimori_common.instants import MICROSECONDS

router = APIRouter()

TOKEN_PROTOCOL = "bearer."  # noqa: S105  # how the subprotocol with the token begins
CLOSE_UNAUTHORIZED = 4401
CLOSE_UNAVAILABLE = 4503
CLOSE_TOO_SLOW = 1013
CLOSE_GOING_AWAY = 1001
CLOSE_POLICY = 1008

_FIRST_MESSAGE_SECONDS = 5.0
_RECHECK_SECONDS = 30.0
_CLOSE_SECONDS = 2.0


class _Hello(msgspec.Struct):
    token: str


@router.websocket("/api/v1/findings/live")
async def live(websocket: WebSocket) -> None:
    """Send each finding as JSON text, as it is found and as it is triaged.

    The token comes as the subprotocol `bearer.<token>` (browsers), in `Authorization` (other clients), or as the first
    message `{"token": "..."}` within 5 s. Closes with 4401 when it is not valid or expires, 1013 when the client reads
    too slowly, 4503 when the token cannot be checked.
    """
    gateway = gateway_of(websocket)
    if not _is_same_origin(websocket):
        await websocket.close(CLOSE_POLICY)
        return
    protocol, token = _offered_token(websocket)
    await websocket.accept(subprotocol=protocol)
    with suppress(WebSocketDisconnect):
        code = await _serve(websocket, gateway, token)
        async with asyncio.timeout(_CLOSE_SECONDS):
            await websocket.close(code)


async def _serve(websocket: WebSocket, gateway: Gateway, token: str | None) -> int:
    """Authenticate, then send until something ends it; returns the code to close with."""
    try:
        token = token or await _first_message(websocket)
        asking = await gateway.sessions.operator(token, websocket.state.address)
        watcher = gateway.hub.join(may_see_addresses=may_see_addresses(asking.role))
    except TokenError:
        return CLOSE_UNAUTHORIZED
    except Unavailable:
        return CLOSE_UNAVAILABLE
    except HubFull:
        return CLOSE_TOO_SLOW
    try:
        return await _first_of(
            _send(websocket, watcher),
            _until_gone(websocket),
            _until_expired(gateway, asking, token),
            _until_set(watcher.fell_behind, CLOSE_TOO_SLOW),
            _until_set(gateway.hub.stopping, CLOSE_GOING_AWAY),
        )
    finally:
        gateway.hub.leave(watcher)


async def _first_of(*endings: Coroutine[Any, Any, int]) -> int:
    tasks = [asyncio.create_task(ending) for ending in endings]
    try:
        done, _ = await asyncio.wait(tasks, return_when=asyncio.FIRST_COMPLETED)
        return next(iter(done)).result()
    finally:
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)


async def _send(websocket: WebSocket, watcher: Watcher) -> int:
    while True:
        await websocket.send_text(await watcher.texts.get())


async def _until_gone(websocket: WebSocket) -> int:
    """Read on, whatever a client says: that is how its leaving is noticed."""
    while (await websocket.receive())["type"] != "websocket.disconnect":
        continue
    raise WebSocketDisconnect


async def _until_expired(gateway: Gateway, asking: Operator, token: str) -> int:
    """Wait for the token to expire or the user to be disabled; the database being away ends nothing."""
    while True:
        left = (asking.expires_at - gateway.clock()) / MICROSECONDS
        await asyncio.sleep(max(0.0, min(left, _RECHECK_SECONDS)))
        try:
            await gateway.sessions.operator(token, asking.address)
        except TokenError:
            return CLOSE_UNAUTHORIZED
        except Unavailable:
            continue


async def _until_set(event: asyncio.Event, code: int) -> int:
    await event.wait()
    return code


def _is_same_origin(websocket: WebSocket) -> bool:
    """Refuse other sites' pages: browsers name the origin and let any site open a WebSocket."""
    origin = websocket.headers.get("origin")
    return origin is None or urlsplit(origin).netloc.lower() == websocket.headers.get("host", "").lower()


def _offered_token(websocket: WebSocket) -> tuple[str | None, str | None]:
    """Find the subprotocol to accept and the token; browsers want one of theirs accepted, best one without a secret."""
    offered = websocket.scope.get("subprotocols", [])
    bearer = next((protocol for protocol in offered if protocol.startswith(TOKEN_PROTOCOL)), None)
    if bearer is not None:
        plain = next((protocol for protocol in offered if protocol != bearer), None)
        return plain or bearer, bearer.removeprefix(TOKEN_PROTOCOL)
    scheme, _, value = websocket.headers.get("authorization", "").partition(" ")
    return next(iter(offered), None), value.strip() if scheme.lower() == "bearer" and value.strip() else None


async def _first_message(websocket: WebSocket) -> str:
    try:
        async with asyncio.timeout(_FIRST_MESSAGE_SECONDS):
            return msgspec.json.decode(await websocket.receive_text(), type=_Hello).token
    except (TimeoutError, msgspec.DecodeError, KeyError):
        raise TokenError("the first message must be a token") from None
