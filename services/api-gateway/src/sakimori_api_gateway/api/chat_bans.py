"""Bans in the chat: decisions like all others, on whoever wrote a message or on an identity."""

import uuid
from collections.abc import Mapping
from ipaddress import ip_network
from typing import Annotated, Any, Literal

import msgspec
from fastapi import APIRouter, Query
from pydantic import BaseModel, ConfigDict, Field
from starlette.responses import Response

from sakimori_api_gateway.api.answers import answer, documented
from sakimori_api_gateway.api.authentication import Analyst, TheGateway, entry_of
from sakimori_api_gateway.api.chat import MAX_SECONDS, ROOM_PATTERN, UUID_PATTERN, Reason
from sakimori_api_gateway.api.decisions import OPERATOR_RULE, NewDecision, take
from sakimori_api_gateway.api.office import AnalystsOffice, Office
from sakimori_api_gateway.domain.chat import ChatBan, ChatBanList, ChatMessage
from sakimori_api_gateway.domain.records import RecordedDecision
from sakimori_api_gateway.ports import Conflict
from sakimori_common.contracts import DecisionAction
from sakimori_common.instants import format_instant
from sakimori_common.web import Problem

router = APIRouter(tags=["chat"])


class Banned(BaseModel):
    """Who: the author of a message, or an identity."""

    model_config = ConfigDict(extra="forbid")
    room: Annotated[str | None, Field(pattern=ROOM_PATTERN, description="With `message`.")] = None
    message: Annotated[int | None, Field(ge=1, le=2**53, description="Number of one of theirs.")] = None
    user_id: Annotated[str | None, Field(pattern=UUID_PATTERN, description="`user.id` of events.")] = None
    scope: Annotated[
        Literal["identity", "fingerprint"],
        Field(
            description="`fingerprint` holds against a new cookie, too, but also for others with the same network,"
            " browser and language; it needs a message."
        ),
    ] = "identity"


class Unbanned(Banned):
    """Whose bans end, and why."""

    reason: Annotated[str, Field(max_length=1000, pattern=r"^[^\x00]*$", description="For the audit.")] = ""


class NewBan(Banned):
    """A ban to be."""

    seconds: Annotated[int, Field(ge=1, le=MAX_SECONDS, description="At most 30 days.")]
    reason: Reason


_LATER: dict[int | str, dict[str, Any]] = {
    202: {"description": "Stored; the bus is away and the chat gets it as soon as it is back."}
}


@router.get("/api/v1/chat/bans", responses=documented(ChatBanList, 401, 403))
async def list_bans(office: AnalystsOffice, gateway: TheGateway) -> Response:
    """List who is kept from posting, whoever decided it: the chat itself, the detector, an operator."""
    found = await office.read("/bans", ChatBanList)
    newest: dict[tuple[str, str, str], RecordedDecision] = {}
    for each in await gateway.decisions.active():
        newest.setdefault((each.entity_type, _blocked(each), each.action.value), each)
    return answer(ChatBanList(bans=[_explained(ban, newest) for ban in found.bans]))


def _blocked(decision: RecordedDecision) -> str:
    """Name what the chat blocks for a decision: of an IPv6 address, the /64 that its subscriber has."""
    if decision.entity_type != "source.ip" or ":" not in decision.entity:
        return decision.entity
    return str(ip_network(f"{decision.entity}/64", strict=False))


def _explained(ban: ChatBan, newest: Mapping[tuple[str, str, str], RecordedDecision]) -> ChatBan:
    decision = newest.get((ban.entity_type, ban.entity, ban.action)) if ban.by != "chat" else None
    if decision is None:
        return ban
    told = {"decision_id": decision.id, "rule_id": decision.rule_id, "reason": decision.reason}
    return msgspec.structs.replace(ban, **told)


@router.post(
    "/api/v1/chat/bans",
    status_code=201,
    responses=documented(RecordedDecision, 401, 403, 404, 409, status=201) | _LATER,
)
async def ban(new: NewBan, office: AnalystsOffice, gateway: TheGateway, asking: Analyst) -> Response:
    """Keep somebody from posting for a while.

    The chat refuses them within a second; it is a decision like those of `/api/v1/decisions`, and ends like those. Whom
    CHAT_NEVER_BLOCK lets in stays in.
    """
    entity_type, entity = await _entity(new, office)
    decision = NewDecision(entity_type=entity_type, entity=entity, expires_in_seconds=new.seconds, reason=new.reason)
    return await take(gateway, asking, decision)


@router.delete("/api/v1/chat/bans", responses=documented(RecordedDecision, 401, 403, 404, 409) | _LATER)
async def unban(
    whom: Annotated[Unbanned, Query()], office: AnalystsOffice, gateway: TheGateway, asking: Analyst
) -> Response:
    """Let somebody post again, whatever keeps them from it: all bans on the identity or fingerprint end.

    Returns the decision that lifts: one that has expired.
    """
    entity_type, entity = await _entity(whom, office)
    at = format_instant(gateway.clock())
    lift = RecordedDecision(
        id=str(uuid.uuid4()),
        entity_type=entity_type,
        entity=entity,
        action=DecisionAction.BLOCK,
        rule_id=OPERATOR_RULE,
        finding_id="",
        created_at=at,
        expires_at=at,
        origin=asking.name,
        reason=whom.reason or "lifts all bans",
    )
    ended = [
        each.id for each in await gateway.decisions.active(entity_type) if each.entity == entity and not each.dry_run
    ]
    noted: dict[str, object] = {"lifted_by": lift.id, "lifted": ended}
    if whom.reason:
        noted["reason"] = whom.reason
    entry = entry_of(gateway, asking, "ban_lifted", f"{entity_type}:{entity}", noted)
    await gateway.decisions.add(lift, entry)
    return answer(lift, 200 if await gateway.enforcement.publish(lift) else 202)


async def _entity(whom: Banned, office: Office) -> tuple[Literal["user.id", "client.fingerprint"], str]:
    """Find out whom it is about. Raises Problem 422, or as the chat says of the message."""
    if (whom.room is None) is not (whom.message is None) or (whom.message is None) is (whom.user_id is None):
        raise _wrong("name either a room and a message, or a user_id")
    if whom.user_id is not None:
        if whom.scope == "fingerprint":
            raise _wrong("scope fingerprint needs a message: an identity has no fingerprint of its own")
        return "user.id", whom.user_id
    written = await office.read(f"/rooms/{whom.room}/messages/{whom.message}", ChatMessage)
    if written.kind != "person":
        raise Conflict(f"a bot wrote it: POST /api/v1/bots/block with {written.author_id}")
    if whom.scope == "identity":
        return "user.id", written.author_id
    if not written.fingerprint:
        raise Conflict("the message has no fingerprint")
    return "client.fingerprint", written.fingerprint


def _wrong(detail: str) -> Problem:
    return Problem(422, "invalid_request", detail, errors=[{"field": "user_id"}])
