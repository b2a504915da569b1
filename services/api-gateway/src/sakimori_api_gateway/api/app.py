"""The application: routers, problems, and the edge around all of it."""

from fastapi import FastAPI
from starlette.types import ASGIApp

from sakimori_api_gateway.api import (
    answers,
    bots,
    chat,
    chat_bans,
    decisions,
    devices,
    events,
    findings,
    live,
    login,
    packets,
    pages,
    problems,
    proxy,
    quarantine,
    sockets,
    sources,
    traffic,
    users,
)
from sakimori_api_gateway.api.edge import Edge
from sakimori_api_gateway.api.gateway import Gateway

_DESCRIPTION = """\
Findings, triage, decisions, devices, sessions, chat, bots and users of Sakimori.

Log in with `POST /api/v1/login` and send the token as `Authorization: Bearer <token>`. Roles include one another:
*viewer* reads (addresses are shown as pseudonyms), *analyst* triages findings, blocks and moderates the chat, *admin*
administers users, rooms and bots.
Errors are `application/problem+json` with a stable `code`. Instants are RFC 3339 in UTC.

Live findings: WebSocket `/api/v1/findings/live` with the subprotocol `bearer.<token>`, the `Authorization` header, or
`{"token": "..."}` as the first message; each message is one finding as listed here.
"""


def build(gateway: Gateway) -> ASGIApp:
    """Build the application that the gateway's port serves."""
    app = FastAPI(
        title="Sakimori",
        version="1",
        description=_DESCRIPTION,
        docs_url=None,
        redoc_url=None,
        openapi_url="/openapi.json",
        swagger_ui_oauth2_redirect_url=None,
        redirect_slashes=False,
    )
    app.state.gateway = gateway
    operated = (findings, live, decisions, devices, traffic, events, sources, quarantine, users, packets)
    moderated = (chat, chat_bans, bots)
    for module in (pages, login, *operated, *moderated, sockets, proxy):
        app.include_router(module.router)
    problems.register(app)
    answers.describe(app)
    return Edge(app, gateway)
