"""The page's WebSocket: what happens in a room comes by itself, and posts go the same way."""

import time
from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Any, Final
from uuid import uuid4

from fastapi import APIRouter
from starlette.websockets import WebSocket

from sakimori_chat.api.cookies import foreign_by_token
from sakimori_chat.api.origins import foreign_origin
from sakimori_chat.api.visit import Chat
from sakimori_chat.crowds import Listener
from sakimori_chat.domain.frames import MAX_FRAME_BYTES, FrameError, Post, posted_frame, read_frame, refused_frame
from sakimori_chat.domain.occurrences import Action, Origin, occurred, store_away
from sakimori_chat.domain.origins import Foreign
from sakimori_chat.domain.posting import FORGED_COOKIE, Refusal, forged
from sakimori_chat.domain.rooms import LOBBY, Room
from sakimori_chat.domain.seats import Allowance, NoSeat
from sakimori_chat.hub import ROOM_CLOSED
from sakimori_chat.intake import Submission
from sakimori_chat.ports import StoreUnavailable
from sakimori_common.live_socket import POLICY, TOO_BIG, TRY_LATER, UNSUPPORTED, LiveSocket, text_frame
from sakimori_common.web import Problem

PATH: Final = "/chat/ws"
_MAX_NUMBER: Final = 2**53
_AWAY: Final = Refusal(503, "system_unavailable", "The chat cannot check anybody right now; try again.", 0, ())
_NO_ROOM: Final = Refusal(404, "no_such_room", "There is no such room.", 0, ())
_TOO_MANY: Final = Refusal(429, "too_many_requests", "Too many requests from your network; slow down.", 0, ())
_UNKNOWN: Final = Refusal(403, "identity_unknown", "Open the page first: it gives you an identity.", 0, ())


@dataclass(frozen=True, slots=True)
class _Asked:
    """A handshake that may go on."""

    room: Room
    after: int | None
    origin: Origin
    anon_id: str


class _Breach(Exception):
    """A client sent what nobody may send; the connection is closed with the code."""

    def __init__(self, reason: str, code: int) -> None:
        super().__init__(reason)
        self.reason = reason
        self.code = code


def live_routes(chat: Chat) -> APIRouter:
    """Make the WebSocket's route."""
    router = APIRouter()

    @router.websocket(PATH)
    async def live(websocket: WebSocket) -> None:
        """Listen to a room: `room`, and `after`, the number up to which the client knows it (absent: the newest 100).

        A handshake that is refused gets problem+json like any other request.
        """
        asked = _asked(chat, websocket)
        try:
            with chat.seats.taken(asked.origin.client.network):
                await _serve(chat, websocket, asked)
        except NoSeat as error:
            _report(chat, asked.origin, Action.CONNECTION_REFUSED, error.reason)
            detail = "Too many connections from your network." if error.reason != "full" else "Too many listeners."
            raise Problem(429, "too_many_connections", detail, {"retry-after": "5"}) from None

    return router


def _asked(chat: Chat, websocket: WebSocket) -> _Asked:
    """Check who asks for what. Raises Problem."""
    origin = chat.origin_of(websocket)
    foreign = foreign_origin(websocket, chat.edge_token, chat.origins)
    if foreign is None and "origin" not in websocket.headers:
        foreign = Foreign.ORIGIN_MISSING  # every browser sends one with a WebSocket (RFC 6455, 4.1)
    if foreign is not None:
        raise _refused(chat, origin, forged(foreign.value, "origin_refused"))
    identity = chat.cookies.identity(websocket)
    if identity.is_new:
        raise _refused(chat, origin, FORGED_COOKIE if identity.is_forged else _UNKNOWN)
    room = chat.room_of(websocket.query_params.get("room", LOBBY))
    return _Asked(room, _number(websocket.query_params), origin, identity.anon_id)


def _refused(chat: Chat, origin: Origin, refusal: Refusal) -> Problem:
    chat.intake.refuse(origin, refusal)
    chat.metrics.live_refusals_total.labels(refusal.code).inc()
    return Problem(refusal.status, refusal.code, refusal.detail)


def _number(query: Mapping[str, str]) -> int | None:
    given = query.get("after")
    if given is None:
        return None
    if not (given.isascii() and given.isdecimal() and len(given) <= 16 and int(given) <= _MAX_NUMBER):
        raise Problem(400, "bad_request", "Not understood: after.")
    return int(given)


async def _serve(chat: Chat, websocket: WebSocket, asked: _Asked) -> None:
    block_seconds = await chat.gate.ban_seconds(asked.anon_id)
    await chat.hub.prepare(asked.room.name)
    await websocket.accept()
    socket: LiveSocket = websocket.state.live_socket
    socket.limit_frames(MAX_FRAME_BYTES)
    listener = Listener(asked.room.name, asked.anon_id, asked.origin.client, socket)
    room = chat.directory.find(asked.room.name)  # as it is now: it may have changed since the handshake
    if room is None:
        socket.close(ROOM_CLOSED, "room closed")
        return
    try:
        await chat.hub.join(listener, asked.after, room, block_seconds)
        await _converse(chat, websocket, socket, asked)
    except StoreUnavailable:  # between handshake and joining
        socket.close(TRY_LATER, "system_unavailable")
    except _Breach as breach:
        socket.close(breach.code, breach.reason)
        _report_breach(chat, asked.origin, breach.reason)
    finally:
        chat.hub.leave(listener)
    if socket.refused:
        _report_breach(chat, asked.origin, socket.refused)


async def _converse(chat: Chat, websocket: WebSocket, socket: LiveSocket, asked: _Asked) -> None:
    """Take the client's frames until it leaves. Raises _Breach."""
    allowance = Allowance(chat.live_frames_per_second, time.monotonic())
    token = chat.cookies.token(websocket)
    while (event := await websocket.receive())["type"] != "websocket.disconnect":
        if not allowance.takes(time.monotonic()):
            raise _Breach("too_many_frames", POLICY)
        post = _frame_of(event)
        answer = await _answer(chat, asked, post, token)
        socket.write(text_frame(answer))


def _frame_of(event: Mapping[str, Any]) -> Post:
    text = event.get("text")
    if text is None:
        raise _Breach("binary", UNSUPPORTED)
    if len(text.encode()) > MAX_FRAME_BYTES:
        raise _Breach("too_large", TOO_BIG)
    try:
        return read_frame(text)
    except FrameError as error:
        raise _Breach(error.reason, POLICY) from None


async def _answer(chat: Chat, asked: _Asked, post: Post, token: str) -> bytes:
    """Take a post and say what became of it."""
    if not chat.door.admits(asked.origin.client.network, time.monotonic()):  # reported like those of the HTTP door
        return refused_frame(post.ref, _TOO_MANY)
    origin = replace(asked.origin, trace_id=str(uuid4()))
    foreign = foreign_by_token(token, post.csrf_token)
    if foreign is not None:
        refusal = forged(foreign.value)
        chat.intake.refuse(origin, refusal)
        return refused_frame(post.ref, refusal)
    room = chat.directory.find(asked.room.name)
    if room is None:
        return refused_frame(post.ref, _NO_ROOM)
    try:
        outcome = await chat.intake.post(Submission(origin, asked.anon_id, room, post.text, post.name))
    except StoreUnavailable:
        chat.reporter.report(store_away(origin, PATH))
        return refused_frame(post.ref, _AWAY)
    return refused_frame(post.ref, outcome) if isinstance(outcome, Refusal) else posted_frame(post.ref)


def _report_breach(chat: Chat, origin: Origin, reason: str) -> None:
    _report(chat, origin, Action.FRAME_REFUSED, reason)


def _report(chat: Chat, origin: Origin, action: Action, reason: str) -> None:
    chat.reporter.report(occurred(action, origin, {"chat.reason": reason}))
    chat.metrics.live_refusals_total.labels(reason).inc()
