"""Decisions: what is in force, and what operators decide themselves."""

import uuid
from typing import Annotated, Literal

from fastapi import APIRouter, Path, Query
from pydantic import BaseModel, ConfigDict, Field
from starlette.responses import Response

from sakimori_api_gateway.api.answers import answer, answer_for, documented
from sakimori_api_gateway.api.authentication import Analyst, TheGateway, Viewer, entry_of
from sakimori_api_gateway.api.gateway import Gateway
from sakimori_api_gateway.api.sessions import Operator
from sakimori_api_gateway.domain.addresses import is_within, parse_address
from sakimori_api_gateway.domain.records import DecisionList, RecordedDecision
from sakimori_api_gateway.ports import Conflict, NotFound
from sakimori_common.contracts import DecisionAction
from sakimori_common.instants import MICROSECONDS, format_instant, parse_instant
from sakimori_common.web import Problem

router = APIRouter(tags=["decisions"])

MAX_SECONDS = 30 * 24 * 3600
OPERATOR_RULE = "operator"
"""`rule_id` of decisions that no rule led to."""


class NewDecision(BaseModel):
    """A block to be."""

    model_config = ConfigDict(extra="forbid")
    entity_type: Annotated[
        Literal["source.ip", "client.fingerprint", "user.id"],
        Field(description="The ECS field the entity is a value of."),
    ] = "source.ip"
    entity: Annotated[str, Field(min_length=1, max_length=256, pattern=r"^[^\x00-\x20\x7f]+$")]
    expires_in_seconds: Annotated[int, Field(ge=1, le=MAX_SECONDS, description="At most 30 days.")]
    reason: Annotated[str, Field(min_length=1, max_length=1000, pattern=r"^[^\x00]+$")]
    finding_id: Annotated[str, Field(max_length=200, pattern=r"^[^\x00]*$")] = ""
    dry_run: Annotated[bool, Field(description="Recorded and shown, never enforced.")] = False


@router.get("/api/v1/decisions", responses=documented(DecisionList, 401, 403))
async def list_decisions(
    gateway: TheGateway,
    asking: Viewer,
    active: Annotated[
        bool, Query(description="Only what is in force; else the latest, whatever became of them.")
    ] = True,
    limit: Annotated[int, Query(ge=1, le=1000)] = 1000,
) -> Response:
    """List decisions, newest first."""
    found = (await gateway.decisions.active())[:limit] if active else await gateway.decisions.recent(limit)
    return await answer_for(asking.role, gateway.mask, DecisionList(decisions=found))


@router.post(
    "/api/v1/decisions",
    status_code=201,
    responses=documented(RecordedDecision, 401, 403, 409, status=201)
    | {202: {"description": "Stored and enforced here; the bus is away and gets it as soon as it is back."}},
)
async def decide(new: NewDecision, gateway: TheGateway, asking: Analyst) -> Response:
    """Block an entity for a while.

    Enforced by the gateway at once and by the other services as soon as the bus has it. Addresses in
    GATEWAY_NEVER_BLOCK cannot be blocked.
    """
    return await take(gateway, asking, new)


async def take(gateway: Gateway, asking: Operator, new: NewDecision) -> Response:
    """Take a decision: stored with its audit entry, enforced, published. Raises Problem, Conflict."""
    now = gateway.clock()
    decision = RecordedDecision(
        id=str(uuid.uuid4()),
        entity_type=new.entity_type,
        entity=_checked_entity(gateway, new),
        action=DecisionAction.BLOCK,
        rule_id=OPERATOR_RULE,
        finding_id=new.finding_id,
        created_at=format_instant(now),
        expires_at=format_instant(now + new.expires_in_seconds * MICROSECONDS),
        origin=asking.name,
        dry_run=new.dry_run,
        reason=new.reason,
    )
    recorded = {"entity_type": decision.entity_type, "entity": decision.entity, "expires_at": decision.expires_at}
    details: dict[str, object] = {**recorded, "reason": new.reason, "dry_run": new.dry_run}
    await gateway.decisions.add(
        decision, entry_of(gateway, asking, "decision_taken", f"decision:{decision.id}", details)
    )
    return answer(decision, 201 if await gateway.enforcement.publish(decision) else 202)


@router.delete(
    "/api/v1/decisions/{decision_id}",
    responses=documented(RecordedDecision, 401, 403, 404, 409)
    | {202: {"description": "Lifted here; the bus is away and gets it as soon as it is back."}},
)
async def lift(
    decision_id: Annotated[str, Path(min_length=1, max_length=200, pattern=r"^[^\x00]+$")],
    gateway: TheGateway,
    asking: Analyst,
) -> Response:
    """Lift a decision before it expires, whoever took it.

    All decisions of the same action on the same entity end with it. Returns the decision that lifts: one that has
    expired.
    """
    lifted = await gateway.decisions.find(decision_id)
    if lifted is None:
        raise NotFound(f"there is no decision {decision_id}")
    now = gateway.clock()
    if lifted.lifted_at is not None or parse_instant(lifted.expires_at) <= now:
        raise Conflict("the decision is not in force any more")
    decision = RecordedDecision(
        id=str(uuid.uuid4()),
        entity_type=lifted.entity_type,
        entity=lifted.entity,
        action=lifted.action,
        rule_id=lifted.rule_id,
        finding_id=lifted.finding_id,
        created_at=format_instant(now),
        expires_at=format_instant(now),
        origin=asking.name,
        dry_run=lifted.dry_run,
        reason=f"lifts {decision_id}",
    )
    entry = entry_of(gateway, asking, "decision_lifted", f"decision:{decision_id}", {"lifted_by": decision.id})
    await gateway.decisions.add(decision, entry)
    return answer(decision, 200 if await gateway.enforcement.publish(decision) else 202)


def _checked_entity(gateway: Gateway, new: NewDecision) -> str:
    if new.entity_type != "source.ip":
        return new.entity
    address = parse_address(new.entity)
    if address is None:
        raise Problem(422, "invalid_request", "body.entity: not an address", errors=[{"field": "body.entity"}])
    if is_within(address, gateway.settings.never_block):
        raise Conflict(f"{address} is in GATEWAY_NEVER_BLOCK")
    return str(address)
