"""Answers as the contracts write them: the structs are what is sent and what /openapi.json describes."""

import asyncio
from typing import Any

import msgspec
from fastapi import FastAPI
from fastapi.openapi.utils import get_openapi
from starlette.responses import Response

from sakimori_api_gateway.domain import chat, events, network, records, sources
from sakimori_api_gateway.domain.masking import AddressMask
from sakimori_api_gateway.domain.roles import Role

_ANSWERS = (
    records.AccessToken,
    records.AuditPage,
    chat.BlockedBots,
    chat.Bot,
    chat.BotDetail,
    chat.BotList,
    chat.ChatMessage,
    chat.ChatMute,
    chat.ChatRoom,
    chat.ChatRoomList,
    records.DecisionList,
    network.Device,
    network.DeviceActivity,
    network.DevicePage,
    network.DeviceStats,
    events.EventPage,
    records.FindingDetail,
    records.FindingPage,
    records.FindingStats,
    chat.HeldChatMessageList,
    chat.IssuedBotSecret,
    sources.IssuedSource,
    sources.LogSource,
    sources.LogSourceList,
    records.RecordedDecision,
    chat.ReleasedChatMessage,
    network.SessionPage,
    network.SessionStats,
    records.TriagedFinding,
    records.User,
    records.UserList,
)
_REFERENCE = "#/components/schemas/{name}"
_PROBLEM: dict[str, Any] = {
    "title": "Problem",
    "description": "An error (RFC 9457). `code` is stable; `detail` says what to do.",
    "type": "object",
    "required": ["type", "title", "status", "code", "detail"],
    "properties": {
        "type": {"type": "string"},
        "title": {"type": "string"},
        "status": {"type": "integer"},
        "code": {"type": "string"},
        "detail": {"type": "string"},
        "errors": {"type": "array", "items": {"type": "object"}},
    },
}
_MEANINGS = {
    401: "No valid token.",
    403: "The role does not allow it, or the address is blocked.",
    404: "There is no such thing.",
    409: "Not possible as things stand.",
    413: "The body is too large.",
    422: "The request is not as described; `errors` names the fields.",
    429: "Too many attempts; Retry-After says how long to wait.",
    503: "Something this needs is away; Retry-After says when to try again.",
}


def answer(value: Any, status: int = 200) -> Response:
    """Send a struct or a builtin as JSON."""
    return Response(msgspec.json.encode(value), status, media_type="application/json")


async def answer_for(role: Role, mask: AddressMask, value: Any, status: int = 200) -> Response:
    """Send a struct as JSON; a viewer sees pseudonyms in place of addresses (X-05)."""
    if may_see_addresses(role):
        return answer(value, status)
    masked = await asyncio.to_thread(mask.value, msgspec.to_builtins(value))  # a page of 1,000 takes a second
    return answer(masked, status)


def may_see_addresses(role: Role) -> bool:
    """Tell whether a role sees addresses in the clear."""
    return role.may(Role.ANALYST)


def documented(kind: type[msgspec.Struct], *errors: int, status: int = 200) -> dict[int | str, dict[str, Any]]:
    """Describe an operation's answers for /openapi.json."""
    reference = {"$ref": _REFERENCE.format(name=kind.__name__)}
    answers: dict[int | str, dict[str, Any]] = {
        status: {"description": "Done.", "content": {"application/json": {"schema": reference}}}
    }
    return answers | problems(*errors)


def problems(*errors: int) -> dict[int | str, dict[str, Any]]:
    """Describe an operation's errors for /openapi.json."""
    reference = {"$ref": _REFERENCE.format(name="Problem")}
    return {
        error: {
            "description": _MEANINGS[error],
            "content": {"application/problem+json": {"schema": reference}},
        }
        for error in sorted({*errors, 422, 503})
    }


def _summarise(operation: dict[str, Any]) -> None:
    """Take the first line of an operation's docstring for its summary, in place of the function's name."""
    summary, _, rest = operation["description"].partition("\n\n")
    operation["summary"] = summary.rstrip(".")
    operation["description"] = rest or summary


def describe(app: FastAPI) -> None:
    """Make /openapi.json carry the schemas of the structs beside those of the requests."""

    def openapi() -> dict[str, Any]:
        if app.openapi_schema is None:
            schema = get_openapi(
                title=app.title,
                version=app.version,
                description=app.description,
                routes=app.routes,
                tags=app.openapi_tags,
            )
            _, structs = msgspec.json.schema_components(_ANSWERS, ref_template=_REFERENCE)
            schema.setdefault("components", {}).setdefault("schemas", {}).update(structs, Problem=_PROBLEM)
            for operations in schema["paths"].values():
                for operation in operations.values():
                    _summarise(operation)
            app.openapi_schema = schema
        return app.openapi_schema

    app.openapi = openapi  # type: ignore[method-assign]  # the way FastAPI documents
