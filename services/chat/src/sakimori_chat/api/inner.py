"""The inner API: for the gateway alone, which has checked that an operator may do what it asks for."""

import re
from collections.abc import Sequence
from typing import Any, Final, TypeVar

import msgspec
from starlette.applications import Starlette
from starlette.exceptions import HTTPException
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import BaseRoute
from starlette.types import ASGIApp, Receive, Scope, Send

from sakimori_chat.domain.moderation import Operator, PolicyError
from sakimori_chat.domain.rooms import is_room_name
from sakimori_chat.ports import LobbyStays, NoSuchRoom, RoomTaken, StoreUnavailable, TooManyRooms
from sakimori_common.web import Problem, client_address, is_from_edge, problem_response, render_problem

OPERATOR_HEADER: Final = "x-sakimori-operator"
"""Names the operator; the gateway takes it out of what clients send."""
_NAME: Final = re.compile(r"[\x21-\x7e]{1,64}")

T = TypeVar("T")


class Inner:
    """Shows the application inside to the gateway acting for an operator; to anybody else there is nothing here."""

    def __init__(self, routes: Sequence[BaseRoute], edge_token: str) -> None:
        self._app = application(routes)
        self._edge_token = edge_token

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Serve one request."""
        app: ASGIApp = self._app
        if scope["type"] == "http":
            request = Request(scope)
            name = request.headers.get(OPERATOR_HEADER, "")
            if not is_from_edge(request, self._edge_token) or not _NAME.fullmatch(name):
                app = problem_response(404, "not_found", "Not Found")
            else:
                address = client_address(request, self._edge_token)
                scope["state"]["operator"] = Operator(name, request.state.trace_id, scope["path"], address)
        await app(scope, receive, send)


def application(routes: Sequence[BaseRoute]) -> Starlette:
    """Build an application that answers with problems."""
    return Starlette(
        routes=list(routes),
        exception_handlers={
            HTTPException: render_problem,
            StoreUnavailable: _unavailable,
            NoSuchRoom: _as_problem(404, "no_such_room"),
            PolicyError: _as_problem(422, "invalid_request"),
            **dict.fromkeys((RoomTaken, LobbyStays, TooManyRooms), _as_problem(409, "conflict")),
        },
    )


def _as_problem(status: int, code: str) -> Any:
    async def render(_: Request, error: Exception) -> Response:
        return problem_response(status, code, str(error))

    return render


async def _unavailable(_: Request, error: Exception) -> Response:
    return problem_response(503, "store_unavailable", f"A store is away: {error}.", {"retry-after": "1"})


def operator_of(request: Request) -> Operator:
    """Say who asks."""
    operator: Operator = request.state.operator
    return operator


async def given(request: Request, kind: type[T]) -> T:
    """Read the body. Raises Problem 422."""
    try:
        return msgspec.json.decode(await request.body() or b"{}", type=kind)
    except (msgspec.MsgspecError, UnicodeDecodeError) as error:
        raise Problem(422, "invalid_request", f"body: {error}") from None


def room_of(request: Request) -> str:
    """Read the room's name from the path. Raises Problem 404."""
    name = str(request.path_params["room"])
    if not is_room_name(name):
        raise Problem(404, "no_such_room", "There is no such room.")
    return name


def answer(value: Any, status: int = 200) -> Response:
    """Send a struct or a builtin as JSON."""
    return Response(msgspec.json.encode(value), status, media_type="application/json")
