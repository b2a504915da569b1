"""Posting by the page's form and script."""

from urllib.parse import unquote_to_bytes

from fastapi import APIRouter
from starlette.datastructures import FormData
from starlette.requests import Request
from starlette.responses import JSONResponse, RedirectResponse, Response

from sakimori_chat.api.cookies import Identity, foreign_by_token
from sakimori_chat.api.origins import foreign_origin
from sakimori_chat.api.view import Refused, room_page, trouble_page, wants_page
from sakimori_chat.api.visit import Chat
from sakimori_chat.domain.posting import BODY_TOO_LARGE, FORGED_COOKIE, NOT_UTF8, Refusal, forged
from sakimori_chat.domain.rooms import LOBBY, Room
from sakimori_chat.domain.text import clean_name
from sakimori_chat.intake import Submission
from sakimori_common.web import Problem, problem_response


def post_routes(chat: Chat) -> APIRouter:
    """Make the routes that change something."""
    router = APIRouter()

    @router.post("/chat/post")
    async def post(request: Request) -> Response:
        """Take a message: form fields `text`, optionally `room`, `name`, and `csrf_token` where there is no header."""
        return await _posted(chat, request)

    return router


async def _posted(chat: Chat, request: Request) -> Response:
    body = await _body(chat, request)
    form = await request.form(max_files=0, max_fields=10)
    given = request.headers.get("x-csrf-token") or _field(form, "csrf_token")
    foreign = foreign_origin(request, chat.edge_token, chat.origins) or foreign_by_token(
        chat.cookies.token(request), given
    )
    if foreign is not None:
        return _shut_out(chat, request, forged(foreign.value))  # and no new identity at a foreign page's request
    if not _is_utf8(body, request.headers.get("content-type", "")):
        return _shut_out(chat, request, NOT_UTF8)
    room = chat.room_of(_field(form, "room") or LOBBY)
    identity = chat.cookies.identity(request)
    if identity.is_forged:
        response = _shut_out(chat, request, FORGED_COOKIE)
    else:
        response = await _taken(chat, request, form, room, identity)
    chat.cookies.set_identity(response, identity)
    if "name" in form:
        chat.cookies.set_name(response, clean_name(_field(form, "name")))
    return response


async def _body(chat: Chat, request: Request) -> bytes:
    """Read the body; one that is too large is reported before it is refused. Raises Problem 413."""
    try:
        return await request.body()
    except Problem as problem:
        if problem.status_code == BODY_TOO_LARGE.status:
            chat.intake.refuse(chat.origin_of(request), BODY_TOO_LARGE)
        raise


def _is_utf8(body: bytes, content_type: str) -> bool:
    """Tell whether what stands in a form is UTF-8, as every browser sends it; the parser would replace what is not."""
    try:
        (unquote_to_bytes(body) if content_type.startswith("application/x-www-form-urlencoded") else body).decode()
    except UnicodeDecodeError:
        return False
    return True


def _shut_out(chat: Chat, request: Request, refusal: Refusal) -> Response:
    chat.intake.refuse(chat.origin_of(request), refusal)
    return trouble_page(chat, request, refusal.status, refusal.code) if wants_page(request) else refused(refusal)


async def _taken(chat: Chat, request: Request, form: FormData, room: Room, identity: Identity) -> Response:
    name = _field(form, "name") if "name" in form else chat.cookies.name(request)
    text, anon_id = _field(form, "text"), identity.anon_id
    outcome = await chat.intake.post(Submission(chat.origin_of(request, anon_id), anon_id, room, text, name))
    if isinstance(outcome, Refusal):
        typed = Refused(outcome, text, clean_name(name))
        return await room_page(chat, request, room, identity, typed) if wants_page(request) else refused(outcome)
    if request.headers.get("x-requested-with", "").lower() == "fetch":
        return JSONResponse({"ok": True})
    return RedirectResponse("/chat" if room.name == LOBBY else f"/chat?room={room.name}", 303)


def refused(refusal: Refusal) -> Response:
    """Render a refusal."""
    if not refusal.block_seconds:
        return problem_response(refusal.status, refusal.code, refusal.detail)
    wait = {"retry-after": str(refusal.block_seconds)}
    return problem_response(refusal.status, refusal.code, refusal.detail, wait, block_sec=refusal.block_seconds)


def _field(form: FormData, name: str) -> str:
    value = form.get(name, "")
    return value if isinstance(value, str) else ""
