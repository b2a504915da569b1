"""Moderation of the chat: rooms, messages, mutes."""

from typing import Annotated, Any

from fastapi import APIRouter, Path, Query
from pydantic import BaseModel, ConfigDict, Field
from starlette.responses import Response

from sakimori_api_gateway.api.answers import answer, documented
from sakimori_api_gateway.api.office import AdminsOffice, AnalystsOffice, ViewersOffice, part
from sakimori_api_gateway.domain.chat import (
    ChatMessage,
    ChatMute,
    ChatMuteList,
    ChatRoom,
    ChatRoomList,
    ChatTrial,
    HeldChatMessageList,
    ReleasedChatMessage,
)

router = APIRouter(tags=["chat"])

ROOM_PATTERN = r"^[a-z0-9]([a-z0-9-]{0,30}[a-z0-9])?$"
UUID_PATTERN = r"^[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}$"
MAX_SECONDS = 30 * 24 * 3600

RoomName = Annotated[str, Path(pattern=ROOM_PATTERN)]
Number = Annotated[int, Path(ge=1, le=2**53)]
UserId = Annotated[str, Path(pattern=UUID_PATTERN, description="`user.id` of events, `author_id` of messages.")]
Reason = Annotated[str, Field(min_length=1, max_length=1000, pattern=r"^[^\x00]+$")]
WhyQuery = Annotated[str, Query(max_length=1000, pattern=r"^[^\x00]*$", description="For the audit.")]
Policy = Annotated[
    dict[str, Any],
    Field(
        description="Fields of ChatRoomPolicy; what is left out stays, null is the default. `checks` by name (words,"
        " links, duplicate, spam)."
    ),
]


class NewRoom(BaseModel):
    """A room to be."""

    model_config = ConfigDict(extra="forbid")
    name: Annotated[str, Field(pattern=ROOM_PATTERN)]
    policy: Policy = {}


class RoomChange(BaseModel):
    """What becomes of a room."""

    model_config = ConfigDict(extra="forbid")
    policy: Policy = {}
    is_open: Annotated[bool | None, Field(description="False closes it, true opens it again. Not for the lobby.")] = (
        None
    )


class NewTrial(BaseModel):
    """A text to be tried."""

    model_config = ConfigDict(extra="forbid")
    text: Annotated[str, Field(max_length=16_384, description="As somebody would type it.")]
    is_bot: Annotated[bool, Field(description="As a bot would say it.")] = False
    policy: Policy = {}


class NewMute(BaseModel):
    """A mute to be."""

    model_config = ConfigDict(extra="forbid")
    seconds: Annotated[int, Field(ge=1, le=MAX_SECONDS, description="At most 30 days.")]
    reason: Reason


@router.get("/api/v1/chat/rooms", responses=documented(ChatRoomList, 401, 403))
async def list_rooms(office: ViewersOffice) -> Response:
    """List the chat's rooms with their policies."""
    return answer(await office.read("/rooms", ChatRoomList))


@router.post("/api/v1/chat/rooms", status_code=201, responses=documented(ChatRoom, 401, 403, 409, status=201))
async def open_room(new: NewRoom, office: AdminsOffice) -> Response:
    """Open a room; every replica of the chat has it within a second."""
    changed = await office.change("POST", "/rooms", new.model_dump(), action="room_opened", target=f"room:{new.name}")
    return answer(part(changed.new, ChatRoom), 201)


@router.patch("/api/v1/chat/rooms/{room}", responses=documented(ChatRoom, 401, 403, 404, 409))
async def change_room(room: RoomName, change: RoomChange, office: AdminsOffice) -> Response:
    """Change a room: lock it, slow it down, set its words and checks, close it or open it again.

    Those who are in it are told within a second.
    """
    changed = await office.change(
        "PATCH", f"/rooms/{room}", change.model_dump(), action="room_changed", target=f"room:{room}"
    )
    return answer(part(changed.new, ChatRoom))


@router.post("/api/v1/chat/rooms/{room}/trial", responses=documented(ChatTrial, 401, 403, 404))
async def try_text(room: RoomName, new: NewTrial, office: AnalystsOffice) -> Response:
    """Tell what would become of a text in a room, and why: what each check has against it.

    With `policy`, as if the room's were changed so first. Nothing is posted, changed or kept. What depends on who posts
    when (limits, bans, repetitions) no trial can tell.
    """
    return answer(await office.ask(f"/rooms/{room}/trial", new.model_dump(), ChatTrial))


@router.get("/api/v1/chat/rooms/{room}/messages/{number}", responses=documented(ChatMessage, 401, 403, 404))
async def show_message(room: RoomName, number: Number, office: AnalystsOffice) -> Response:
    """Show a message with its author; a room keeps its last 200."""
    return answer(await office.read(f"/rooms/{room}/messages/{number}", ChatMessage))


@router.delete("/api/v1/chat/rooms/{room}/messages/{number}", responses=documented(ChatMessage, 401, 403, 404))
async def delete_message(room: RoomName, number: Number, office: AnalystsOffice, reason: WhyQuery = "") -> Response:
    """Take a message away, everywhere and at once. Returns it; the audit keeps it."""
    changed = await office.change(
        "DELETE",
        f"/rooms/{room}/messages/{number}",
        action="message_deleted",
        target=f"message:{room}/{number}",
        reason=reason,
    )
    return answer(part(changed.old, ChatMessage))


@router.get("/api/v1/chat/held", responses=documented(HeldChatMessageList, 401, 403))
async def list_held(office: AnalystsOffice) -> Response:
    """List the messages that wait for an operator, and what the checks have against each."""
    return answer(await office.read("/held", HeldChatMessageList))


@router.post("/api/v1/chat/held/{room}/{number}/release", responses=documented(ReleasedChatMessage, 401, 403, 404))
async def release_message(room: RoomName, number: Number, office: AnalystsOffice, reason: WhyQuery = "") -> Response:
    """Show a held message to everybody: it comes in as a new one, at the end of its room."""
    changed = await office.change(
        "POST",
        f"/held/{room}/{number}/release",
        action="message_released",
        target=f"message:{room}/{number}",
        reason=reason,
    )
    return answer(part(changed.new, ReleasedChatMessage))


@router.post("/api/v1/chat/held/{room}/{number}/discard", responses=documented(ChatMessage, 401, 403, 404))
async def discard_message(room: RoomName, number: Number, office: AnalystsOffice, reason: WhyQuery = "") -> Response:
    """Take a held message away. Returns it; the audit keeps it."""
    changed = await office.change(
        "POST",
        f"/held/{room}/{number}/discard",
        action="message_discarded",
        target=f"message:{room}/{number}",
        reason=reason,
    )
    return answer(part(changed.old, ChatMessage))


@router.get("/api/v1/chat/mutes", responses=documented(ChatMuteList, 401, 403))
async def list_mutes(office: AnalystsOffice) -> Response:
    """List who is muted, for how long yet, by whom and why."""
    return answer(await office.read("/mutes", ChatMuteList))


@router.get("/api/v1/chat/mutes/{user_id}", responses=documented(ChatMute, 401, 403))
async def show_mute(user_id: UserId, office: AnalystsOffice) -> Response:
    """Tell for how long somebody is muted yet."""
    return answer(await office.read(f"/mutes/{user_id}", ChatMute))


@router.put("/api/v1/chat/mutes/{user_id}", responses=documented(ChatMute, 401, 403))
async def mute(user_id: UserId, new: NewMute, office: AnalystsOffice) -> Response:
    """Mute somebody for a while without telling them: what they say from now on they alone see."""
    changed = await office.change(
        "PUT", f"/mutes/{user_id}", new.model_dump(), action="user_muted", target=f"user:{user_id}"
    )
    return answer(part(changed.new, ChatMute))


@router.delete("/api/v1/chat/mutes/{user_id}", responses=documented(ChatMute, 401, 403))
async def unmute(user_id: UserId, office: AnalystsOffice, reason: WhyQuery = "") -> Response:
    """End a mute. What was said meanwhile stays with its author."""
    changed = await office.change(
        "DELETE", f"/mutes/{user_id}", action="user_unmuted", target=f"user:{user_id}", reason=reason
    )
    return answer(part(changed.new, ChatMute))
