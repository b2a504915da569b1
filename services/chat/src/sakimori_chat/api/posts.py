"""Posting: CSRF, risk, block, rate, length, store - in this order (appendix B6 of the requirements)."""

from fastapi import APIRouter
from starlette.datastructures import FormData
from starlette.requests import Request
from starlette.responses import JSONResponse, RedirectResponse, Response

from sakimori_chat.api.cookies import is_forged
from sakimori_chat.api.visit import Chat
from sakimori_chat.domain.messages import Draft
from sakimori_chat.domain.occurrences import Action, Origin
from sakimori_chat.domain.posting import Refusal, refusal_of_text, refusal_of_verdict
from sakimori_chat.domain.text import clean_name, clean_text
from sakimori_common.instants import now_text
from sakimori_common.web import problem_response

_FORGED = Refusal(
    403, "csrf_failed", "The form's token is missing or old: load the page again.", 0, ((Action.CSRF_FAILED, {}),)
)


def post_routes(chat: Chat) -> APIRouter:
    """Make the routes that change something."""
    router = APIRouter()

    @router.post("/chat/post")
    async def post(request: Request) -> Response:
        """Take a message: form fields `text`, optionally `name`, and `csrf_token` where there is no header."""
        return await _posted(chat, request)

    return router


async def _posted(chat: Chat, request: Request) -> Response:
    form = await request.form(max_files=0, max_fields=10)
    given = request.headers.get("x-csrf-token") or _field(form, "csrf_token")
    if is_forged(request, chat.cookies.token(request), given):
        return _refused(chat, chat.origin_of(request), _FORGED)  # and no new identity at a foreign page's request
    identity = chat.cookies.identity(request)
    origin = chat.origin_of(request, identity.anon_id)
    response = await _judged(chat, request, form, origin, identity.anon_id)
    chat.cookies.set_identity(response, identity)
    if "name" in form:
        chat.cookies.set_name(response, clean_name(_field(form, "name")))
    return response


async def _judged(chat: Chat, request: Request, form: FormData, origin: Origin, anon_id: str) -> Response:
    text = clean_text(_field(form, "text"))
    verdict = await chat.gate.admit(origin.client, anon_id)
    refusal = refusal_of_verdict(verdict) or refusal_of_text(text)
    if refusal is not None:
        return _refused(chat, origin, refusal)
    name = clean_name(_field(form, "name")) if "name" in form else chat.cookies.name(request)
    await chat.room.append(Draft(anon_id, name, text, now_text()))
    chat.report(Action.MESSAGE_POSTED, origin, {"chat.message.length": len(text)})
    chat.metrics.posts_total.labels("posted").inc()
    if request.headers.get("x-requested-with", "").lower() == "fetch":
        return JSONResponse({"ok": True})
    return RedirectResponse("/chat", 303)


def _refused(chat: Chat, origin: Origin, refusal: Refusal) -> Response:
    for action, details in refusal.reports:
        chat.report(action, origin, details)
    chat.metrics.posts_total.labels(refusal.code).inc()
    if not refusal.block_seconds:
        return problem_response(refusal.status, refusal.code, refusal.detail)
    wait = {"retry-after": str(refusal.block_seconds)}
    return problem_response(refusal.status, refusal.code, refusal.detail, wait, block_sec=refusal.block_seconds)


def _field(form: FormData, name: str) -> str:
    value = form.get(name, "")
    return value if isinstance(value, str) else ""
