"""Bots that stay connected, by WebSocket at /bots/ws."""

import asyncio
import uuid
from collections.abc import Collection
from contextlib import suppress
from typing import Final, Protocol

from fastapi import APIRouter
from starlette.websockets import WebSocket, WebSocketDisconnect

from sakimori_chat.api.origins import foreign_origin
from sakimori_chat.bots.domain.endings import close_code
from sakimori_chat.bots.domain.occurrences import BotOrigin
from sakimori_chat.bots.domain.session import Fault, FaultCode
from sakimori_chat.bots.sessions.sessions import BotSessions
from sakimori_chat.bots.sessions.wire import WireClosed
from sakimori_chat.domain.identity import canonical_address
from sakimori_common.web import Problem, client_address

PATH: Final = "/bots/ws"
_FAULTS: Final = {
    "too_large": Fault(FaultCode.FRAME_TOO_LARGE, "A frame was longer than this session takes."),
    "invalid_utf8": Fault(FaultCode.INVALID_UTF8, "A frame is UTF-8."),
    "malformed": Fault(FaultCode.MALFORMED, "These are no frames of a WebSocket."),
    "too_many_fragments": Fault(FaultCode.MALFORMED, "A message came in too many parts."),
    "too_many_pings": Fault(FaultCode.MALFORMED, "Too many pings of the WebSocket between two messages."),
}


class Socket(Protocol):
    """What is needed of sakimori_common.live_socket.LiveSocket."""

    refused: str

    def limit_frames(self, max_frame_bytes: int) -> None:
        """Take no longer messages from now on."""

    def close(self, code: int, reason: str = "") -> None:
        """Say goodbye, and cut the connection when there is no answer."""


def bot_live_routes(sessions: BotSessions, edge_token: str, origins: Collection[str] = ()) -> APIRouter:
    """Make the route of bots' sessions.

    A page of somebody else's is refused before it is a session, without an event: it would be its visitor's address
    that failed to come in as a bot.
    """
    router = APIRouter()

    @router.websocket(PATH)
    async def live(websocket: WebSocket) -> None:
        """Serve a session; the first frame of the bot is its handshake."""
        if foreign_origin(websocket, edge_token, origins) is not None:
            raise Problem(403, "origin_refused", "Connect without Origin, or with that of this chat.")
        trace_id = str(getattr(websocket.state, "trace_id", "") or uuid.uuid4())
        address = canonical_address(client_address(websocket, edge_token))
        with suppress(OSError):  # it left before it was let in
            await websocket.accept()
            await sessions.serve(SocketWire(websocket), BotOrigin(trace_id, address, PATH, "websocket"))

    return router


class SocketWire:
    """See Wire. Frames are text; binary messages are read the same way."""

    def __init__(self, websocket: WebSocket) -> None:
        self._websocket = websocket
        self._socket: Socket = websocket.state.live_socket

    async def receive(self, max_bytes: int) -> bytes | Fault | None:
        """See Wire."""
        self._socket.limit_frames(max_bytes)
        message = await self._websocket.receive()
        if message["type"] == "websocket.disconnect":
            return _FAULTS.get(self._socket.refused)
        text = message.get("text")
        return bytes(message["bytes"]) if text is None else text.encode()

    async def send(self, frame: bytes) -> None:
        """See Wire."""
        try:
            await self._websocket.send_text(frame.decode())
        except (OSError, WebSocketDisconnect, RuntimeError) as error:  # RuntimeError: it was closed before
            raise WireClosed from error

    async def close(self, code: str) -> None:
        """See Wire."""
        self._socket.close(close_code(code), code)
        await asyncio.sleep(0)
