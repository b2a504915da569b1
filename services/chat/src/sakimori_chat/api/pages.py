"""Reading: the page, what came since, and whether the store answers."""

import math
from typing import Annotated

import msgspec
from fastapi import APIRouter, Query
from jinja2 import Environment, PackageLoader, StrictUndefined
from starlette.requests import Request
from starlette.responses import HTMLResponse, JSONResponse, RedirectResponse, Response

from sakimori_chat.api.assets import version
from sakimori_chat.api.cookies import new_token
from sakimori_chat.api.phrases import PHRASES, preferred_language
from sakimori_chat.api.visit import Chat
from sakimori_chat.domain.identity import shown_as
from sakimori_chat.domain.rooms import LOBBY, Room
from sakimori_chat.domain.text import MAX_NAME_CHARACTERS
from sakimori_chat.ports import StoreUnavailable
from sakimori_common.web import problem_response

PAGE_MESSAGES = 100

_template = Environment(
    loader=PackageLoader("sakimori_chat.api"),
    autoescape=True,
    undefined=StrictUndefined,
    trim_blocks=True,
    lstrip_blocks=True,
).get_template("chat.html")


def page_routes(chat: Chat) -> APIRouter:
    """Make the routes that change nothing."""
    router = APIRouter()

    @router.get("/chat/")
    @router.get("/")
    async def root() -> Response:
        """Lead to the page."""
        return RedirectResponse("/chat", 307)

    @router.api_route("/chat", methods=["GET", "HEAD"])
    async def page(request: Request, room: str = LOBBY) -> Response:
        """Show the last messages of a room and the form; hand out the cookies that posting needs."""
        return await _page(chat, request, chat.room_of(room))

    @router.get("/chat/poll")
    async def poll(request: Request, after: Annotated[int, Query(ge=0, le=2**53)] = 0, room: str = LOBBY) -> Response:
        """Read what follows a number, oldest first, at most 100; `next` is the number to ask from next time."""
        viewer = chat.cookies.known_id(request)
        found = await chat.rooms.after(chat.room_of(room).name, after, PAGE_MESSAGES, viewer)
        return JSONResponse({**msgspec.to_builtins(found), "block_sec": await _ban_seconds(chat, request)})

    @router.get("/health/redis")
    async def health() -> Response:
        """Tell whether Valkey answers."""
        try:
            await chat.rooms.check()
        except StoreUnavailable:
            return problem_response(503, "system_unavailable", "Valkey does not answer.", redis="unavailable")
        return JSONResponse({"redis": "ok"})

    return router


async def _page(chat: Chat, request: Request, room: Room) -> Response:
    identity = chat.cookies.identity(request)
    known_token = chat.cookies.token(request)
    token = known_token or new_token()
    messages = await chat.rooms.latest(room.name, PAGE_MESSAGES, identity.anon_id)
    language = preferred_language(request.headers.get("accept-language", ""))
    html = _template.render(
        language=language,
        phrases=PHRASES[language],
        version=version(),
        me=shown_as(identity.anon_id),
        name=chat.cookies.name(request),
        token=token,
        messages=messages,
        last=messages[-1].id if messages else 0,
        block_seconds=await _ban_seconds(chat, request),
        max_message=room.policy.max_characters,
        max_name=MAX_NAME_CHARACTERS,
    )
    response = HTMLResponse(html, headers={"content-language": language, "vary": "accept-language, cookie"})
    chat.cookies.set_identity(response, identity)
    if not known_token:
        chat.cookies.set_token(response, token)
    return response


async def _ban_seconds(chat: Chat, request: Request) -> int:
    known = chat.cookies.known_id(request)
    return math.ceil(await chat.gate.ban_seconds(known)) if known else 0
