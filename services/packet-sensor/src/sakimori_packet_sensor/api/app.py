"""The application behind the gateway: whoever does not prove to be it is refused."""

import hmac

from pydantic import SecretStr
from starlette.applications import Starlette
from starlette.exceptions import HTTPException
from starlette.requests import Request
from starlette.types import ASGIApp, Receive, Scope, Send

from sakimori_common.web import EDGE_TOKEN_HEADER, Problem, render_problem
from sakimori_packet_sensor.api.captures import CapturesApi
from sakimori_packet_sensor.api.packets import PacketsApi
from sakimori_packet_sensor.api.recordings import RecordingsApi


def application(
    captures: CapturesApi, packets: PacketsApi, recordings: RecordingsApi, edge_token: SecretStr
) -> ASGIApp:
    """Build the ASGI application."""
    app = Starlette(
        routes=[*captures.routes(), *packets.routes(), *recordings.routes()],
        exception_handlers={HTTPException: render_problem},
    )
    return EdgeOnly(app, edge_token.get_secret_value())


class EdgeOnly:
    """Lets the gateway through and nobody else."""

    def __init__(self, app: ASGIApp, edge_token: str) -> None:
        self._app = app
        self._edge_token = edge_token.encode()

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Serve one request."""
        if scope["type"] == "http":
            request = Request(scope)
            given = request.headers.get(EDGE_TOKEN_HEADER, "").encode("utf-8", "replace")
            if not hmac.compare_digest(given, self._edge_token):
                problem = Problem(403, "edge_only", "The gateway only may ask this: see its /docs.")
                await render_problem(request, problem)(scope, receive, send)
                return
        await self._app(scope, receive, send)
