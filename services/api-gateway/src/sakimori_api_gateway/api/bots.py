"""Bots: who waits, who may speak where, who not any more."""

from typing import Annotated, Any

from fastapi import APIRouter, Path
from pydantic import BaseModel, ConfigDict, Field
from starlette.responses import Response

from sakimori_api_gateway.api.answers import answer, documented
from sakimori_api_gateway.api.chat import ROOM_PATTERN
from sakimori_api_gateway.api.office import AdminsOffice, AnalystsOffice, Office, ViewersOffice, part
from sakimori_api_gateway.domain.chat import BlockedBots, Bot, BotDetail, BotList, IssuedBotSecret
from sakimori_common.web import Problem

router = APIRouter(tags=["bots"])

BOT_PATTERN = r"^bot-[0-9a-f]{16}$"
BotId = Annotated[str, Path(pattern=BOT_PATTERN)]
Reason = Annotated[str, Field(min_length=1, max_length=200, pattern=r"^[^\x00]+$")]
Rooms = Annotated[list[Annotated[str, Field(pattern=ROOM_PATTERN)]], Field(max_length=100)]


class Approval(BaseModel):
    """Where a bot may speak and read; without rooms, those it asked for."""

    model_config = ConfigDict(extra="forbid")
    rooms: Rooms | None = None


class Why(BaseModel):
    """Why."""

    model_config = ConfigDict(extra="forbid")
    reason: Reason


class BotRooms(BaseModel):
    """Where a bot may speak and read."""

    model_config = ConfigDict(extra="forbid")
    rooms: Rooms


class Emergency(Why):
    """Which bots to block, and why."""

    ids: Annotated[list[Annotated[str, Field(pattern=BOT_PATTERN)]], Field(min_length=1, max_length=100)]


class Rotation(BaseModel):
    """How to rotate: `at_once` ends the old secrets now, for one that has leaked; else they overlap for a day."""

    model_config = ConfigDict(extra="forbid")
    at_once: bool = False


@router.get("/api/v1/bots", responses=documented(BotList, 401, 403))
async def list_bots(office: ViewersOffice) -> Response:
    """List bots, those that wait for approval first."""
    return answer(await office.read("/bots", BotList))


@router.get("/api/v1/bots/{bot_id}", responses=documented(BotDetail, 401, 403, 404))
async def show_bot(bot_id: BotId, office: ViewersOffice) -> Response:
    """Show a bot and what became of it."""
    return answer(await office.read(f"/bots/{bot_id}", BotDetail))


@router.post("/api/v1/bots/{bot_id}/approve", responses=documented(Bot, 401, 403, 404, 409))
async def approve_bot(bot_id: BotId, approval: Approval, office: AdminsOffice) -> Response:
    """Let a bot in: one that waits, was denied, or is blocked. Open connections learn of it within a second."""
    body = {"status": "approved", "rooms": approval.rooms}
    return await _set_status(office, bot_id, body, "bot_approved")


@router.post("/api/v1/bots/{bot_id}/deny", responses=documented(Bot, 401, 403, 404, 409))
async def deny_bot(bot_id: BotId, why: Why, office: AdminsOffice) -> Response:
    """Turn a bot away that waits."""
    body = {"status": "denied", "reason": why.reason}
    return await _set_status(office, bot_id, body, "bot_denied")


@router.post("/api/v1/bots/{bot_id}/revoke", responses=documented(Bot, 401, 403, 404, 409))
async def revoke_bot(bot_id: BotId, why: Why, office: AdminsOffice) -> Response:
    """End a bot for good; it may register anew."""
    body = {"status": "revoked", "reason": why.reason}
    return await _set_status(office, bot_id, body, "bot_revoked")


@router.put("/api/v1/bots/{bot_id}/rooms", responses=documented(Bot, 401, 403, 404))
async def set_rooms(bot_id: BotId, new: BotRooms, office: AdminsOffice) -> Response:
    """Say where a bot may speak and read."""
    changed = await office.change(
        "PUT", f"/bots/{bot_id}/rooms", new.model_dump(), action="bot_rooms_changed", target=f"bot:{bot_id}"
    )
    return answer(part(changed.new, Bot))


@router.post("/api/v1/bots/{bot_id}/secret", responses=documented(IssuedBotSecret, 401, 403, 404))
async def rotate_secret(bot_id: BotId, rotation: Rotation, office: AdminsOffice) -> Response:
    """Give a bot a new secret, which is shown this once."""
    issued = await office.make(
        f"/bots/{bot_id}/secret",
        rotation.model_dump(),
        IssuedBotSecret,
        action="bot_secret_rotated",
        target=f"bot:{bot_id}",
        at_once=rotation.at_once,
    )
    return answer(issued)


@router.post("/api/v1/bots/block", responses=documented(BlockedBots, 401, 403))
async def block_bots(emergency: Emergency, office: AnalystsOffice) -> Response:
    """Block bots at once, whatever they are: their connections end within 5 s. An admin lets them in again."""
    blocked, refused = list[Bot](), dict[str, str]()
    body = {"status": "blocked", "reason": emergency.reason}
    for bot_id in dict.fromkeys(emergency.ids):
        try:
            changed = await office.change(
                "PUT", f"/bots/{bot_id}/status", body, action="bot_blocked", target=f"bot:{bot_id}"
            )
        except Problem as problem:
            refused[bot_id] = problem.detail
        else:
            blocked.append(part(changed.new, Bot))
    return answer(BlockedBots(blocked=blocked, refused=refused))


async def _set_status(office: Office, bot_id: str, body: dict[str, Any], action: str) -> Response:
    changed = await office.change(
        "PUT", f"/bots/{bot_id}/status", body, action=action, target=f"bot:{bot_id}", reason=body.get("reason")
    )
    return answer(part(changed.new, Bot))
