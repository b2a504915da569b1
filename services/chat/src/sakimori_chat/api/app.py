"""The application: routes, errors, edge."""

from collections.abc import Sequence

from fastapi import APIRouter, FastAPI
from fastapi.exceptions import RequestValidationError
from starlette.exceptions import HTTPException
from starlette.requests import ClientDisconnect, Request
from starlette.responses import Response
from starlette.routing import BaseRoute
from starlette.types import ASGIApp

from sakimori_chat.api.assets import FOLDER, Assets
from sakimori_chat.api.debug import DebugApi, Debugging
from sakimori_chat.api.edge import Edge
from sakimori_chat.api.inner import Inner
from sakimori_chat.api.live import live_routes
from sakimori_chat.api.moderation import moderation_routes
from sakimori_chat.api.pages import page_routes
from sakimori_chat.api.posts import post_routes
from sakimori_chat.api.view import trouble_page, wants_page
from sakimori_chat.api.visit import Chat
from sakimori_chat.domain.occurrences import store_away
from sakimori_chat.ports import StoreUnavailable
from sakimori_common.web import Problem, problem_response, render_problem


def create_app(
    chat: Chat, *, also: APIRouter, also_inner: Sequence[BaseRoute], debugging: Debugging | None = None
) -> ASGIApp:
    """Build the chat's application with the routes that others add; without `debugging` there is no debug API."""
    app = FastAPI(title="Sakimori chat", openapi_url=None, docs_url=None, redoc_url=None, redirect_slashes=False)
    app.include_router(page_routes(chat))
    app.include_router(post_routes(chat))
    app.include_router(live_routes(chat))
    app.include_router(also)
    app.mount("/moderation", Inner([*moderation_routes(chat.moderation), *also_inner], chat.edge_token))
    if debugging is not None:
        app.mount("/debug", DebugApi(chat, debugging))
    app.mount("/chat/static", Assets(directory=FOLDER), name="static")
    _answer_errors(app, chat)
    return Edge(app, chat.edge_token, chat.metrics)


def _answer_errors(app: FastAPI, chat: Chat) -> None:
    """Have every error answered by a problem, or by a page where somebody waits for one."""

    async def unavailable(request: Request, _: Exception) -> Response:
        where = str(getattr(request.scope.get("route"), "path", request.scope["path"]))
        chat.reporter.report(store_away(chat.origin_of(request), where))
        if wants_page(request):
            return trouble_page(chat, request, 503, "system_unavailable", {"retry-after": "1"})
        detail = "The chat cannot check anybody right now; it comes back by itself."
        return problem_response(503, "system_unavailable", detail, {"retry-after": "1"})

    async def refused(request: Request, problem: Exception) -> Response:
        if isinstance(problem, Problem) and wants_page(request):
            return trouble_page(chat, request, problem.status_code, problem.code, problem.headers)
        return render_problem(request, problem)

    async def bad_request(_: Request, error: Exception) -> Response:
        fields = [str(e["loc"][-1]) for e in error.errors()] if isinstance(error, RequestValidationError) else []
        return problem_response(400, "bad_request", f"Not understood: {', '.join(fields)}.")

    async def gone(_: Request, __: Exception) -> Response:
        return Response(status_code=499)  # who hung up amid a body reads no answer, and it is no error of ours

    async def broken(_: Request, __: Exception) -> Response:
        return problem_response(500, "internal_error", "Something is wrong on this side.")

    app.add_exception_handler(StoreUnavailable, unavailable)
    app.add_exception_handler(ClientDisconnect, gone)
    app.add_exception_handler(HTTPException, refused)
    app.add_exception_handler(RequestValidationError, bad_request)
    app.add_exception_handler(Exception, broken)
