"""Posting by the page's form and script."""

from fastapi import APIRouter
from starlette.datastructures import FormData
from starlette.requests import Request
from starlette.responses import JSONResponse, RedirectResponse, Response

from sakimori_chat.api.cookies import is_forged
from sakimori_chat.api.visit import Chat
from sakimori_chat.domain.occurrences import Action
from sakimori_chat.domain.posting import Refusal
from sakimori_chat.domain.rooms import LOBBY, Room
from sakimori_chat.domain.text import clean_name
from sakimori_chat.intake import Submission
from sakimori_common.web import problem_response

FORGED = Refusal(
    403, "csrf_failed", "The form's token is missing or old: load the page again.", 0, ((Action.CSRF_FAILED, {}),)
)


def post_routes(chat: Chat) -> APIRouter:
    """Make the routes that change something."""
    router = APIRouter()

    @router.post("/chat/post")
    async def post(request: Request) -> Response:
        """Take a message: form fields `text`, optionally `room`, `name`, and `csrf_token` where there is no header."""
        return await _posted(chat, request)

    return router


async def _posted(chat: Chat, request: Request) -> Response:
    form = await request.form(max_files=0, max_fields=10)
    given = request.headers.get("x-csrf-token") or _field(form, "csrf_token")
    if is_forged(request, chat.cookies.token(request), given):
        chat.intake.refuse(chat.origin_of(request), FORGED)
        return refused(FORGED)  # and no new identity at a foreign page's request
    room = chat.room_of(_field(form, "room") or LOBBY)
    identity = chat.cookies.identity(request)
    response = await _taken(chat, request, form, room, identity.anon_id)
    chat.cookies.set_identity(response, identity)
    if "name" in form:
        chat.cookies.set_name(response, clean_name(_field(form, "name")))
    return response


async def _taken(chat: Chat, request: Request, form: FormData, room: Room, anon_id: str) -> Response:
    name = _field(form, "name") if "name" in form else chat.cookies.name(request)
    submission = Submission(chat.origin_of(request, anon_id), anon_id, room, _field(form, "text"), name)
    outcome = await chat.intake.post(submission)
    if isinstance(outcome, Refusal):
        return refused(outcome)
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
