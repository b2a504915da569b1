"""Reading: the page, what came since, and whether the store answers."""

import math
from typing import Annotated

import msgspec
from fastapi import APIRouter, Query
from starlette.requests import Request
from starlette.responses import JSONResponse, RedirectResponse, Response

from sakimori_chat.api.view import PAGE_MESSAGES, language_of, room_page, shown_room
from sakimori_chat.api.visit import Chat
from sakimori_chat.domain.identity import shown_as
from sakimori_chat.domain.rooms import LOBBY, Room
from sakimori_chat.ports import StoreUnavailable
from sakimori_common.web import problem_response

_json = msgspec.json.Encoder()


def page_routes(chat: Chat) -> APIRouter:
    """Make the routes that change nothing."""
    router = APIRouter()

    @router.get("/chat/")
    @router.get("/chat/post")
    @router.get("/")
    async def root() -> Response:
        """Lead to the page; also who loads the answer to a refused form again."""
        return RedirectResponse("/chat", 307)

    @router.api_route("/chat", methods=["GET", "HEAD"])
    async def page(request: Request, room: str = LOBBY) -> Response:
        """Show the last messages of a room and the form; hand out the cookies that posting needs.

        `lang` (en, ja, ko) chooses the language, which a cookie remembers.
        """
        identity = chat.cookies.identity(request)
        chat.note_forgery(request, identity)
        response = await room_page(chat, request, chat.room_of(room), identity)
        chat.cookies.set_identity(response, identity)
        return response

    @router.get("/chat/poll")
    async def poll(request: Request, after: Annotated[int, Query(ge=0, le=2**53)] = 0, room: str = LOBBY) -> Response:
        """Read what follows a number, oldest first, at most 100; `next` is the number to ask from next time.

        `room` says how the room is now, `me` as whom the reader would post, `block_sec` how long that is banned.
        """
        return await _polled(chat, request, after, chat.room_of(room))

    @router.get("/chat/rooms")
    async def rooms(request: Request) -> Response:
        """List the open rooms as `/chat/poll` describes one, the lobby first."""
        language = language_of(chat, request)
        return JSONResponse({"rooms": [shown_room(room, language) for room in chat.directory.all()]})

    @router.get("/health/redis")
    async def health() -> Response:
        """Tell whether Valkey answers."""
        try:
            await chat.rooms.check()
        except StoreUnavailable:
            return problem_response(503, "system_unavailable", "Valkey does not answer.", redis="unavailable")
        return JSONResponse({"redis": "ok"})

    return router


async def _polled(chat: Chat, request: Request, after: int, room: Room) -> Response:
    viewer = chat.cookies.known_id(request)
    seen = await chat.reader.after(room.name, after, PAGE_MESSAGES, viewer)
    state = {
        "block_sec": math.ceil(seen.ban_seconds),
        "room": shown_room(room, language_of(chat, request)),
        "me": shown_as(viewer) if viewer else "",
    }
    return Response(_json.encode(msgspec.structs.asdict(seen.page) | state), media_type="application/json")
