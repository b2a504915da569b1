"""Rooms, messages and mutes, for operators."""

from typing import Annotated, Any, Final

import msgspec
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import BaseRoute, Route

from sakimori_chat.api.inner import answer, given, operator_of, room_of
from sakimori_chat.domain.identity import is_anonymous_id
from sakimori_chat.domain.messages import Draft
from sakimori_chat.domain.moderation import MAX_MUTE_SECONDS, Mute
from sakimori_chat.domain.rooms import is_room_name
from sakimori_chat.domain.trial import Attempted
from sakimori_chat.moderation import Moderation
from sakimori_common.web import Problem

MAX_HELD: Final = 1000
MAX_MUTES: Final = 1000
MAX_BANS: Final = 1000
_MAX_NUMBER: Final = 2**53

Policy = dict[str, Any]


class NewRoom(msgspec.Struct, forbid_unknown_fields=True):
    """A room to be; what the policy does not name has its default."""

    name: str
    policy: Policy = {}


class RoomChange(msgspec.Struct, forbid_unknown_fields=True):
    """What becomes of a room; what is left out stays, null in the policy is the default."""

    policy: Policy = {}
    is_open: bool | None = None


class NewTrial(Attempted, frozen=True, forbid_unknown_fields=True):
    """A text, and how the policy would be changed first."""

    policy: Policy = msgspec.field(default_factory=dict)


class NewMute(msgspec.Struct, forbid_unknown_fields=True):
    """For how long an identity is muted, and why."""

    seconds: Annotated[int, msgspec.Meta(ge=1, le=MAX_MUTE_SECONDS)]
    reason: Annotated[str, msgspec.Meta(max_length=1000)] = ""


def moderation_routes(moderation: Moderation) -> list[BaseRoute]:
    """Make the routes; answers to changes say what was before, for the gateway's audit."""
    return [
        *_room_routes(moderation),
        *_message_routes(moderation),
        *_held_routes(moderation),
        *_mute_routes(moderation),
        *_ban_routes(moderation),
    ]


def _room_routes(moderation: Moderation) -> list[BaseRoute]:
    async def rooms(_: Request) -> Response:
        return answer({"rooms": await moderation.all_rooms()})

    async def create(request: Request) -> Response:
        new = await given(request, NewRoom)
        if not is_room_name(new.name):
            raise Problem(422, "invalid_request", "body.name: 1 to 32 of a-z, 0-9 and hyphens, no hyphen at either end")
        made = await moderation.create_room(operator_of(request), new.name, new.policy)
        return answer({"old": None, "new": made}, 201)

    async def change(request: Request) -> Response:
        changes = await given(request, RoomChange)
        room = room_of(request)
        old, new = await moderation.change_room(operator_of(request), room, changes.policy, changes.is_open)
        return answer({"old": old, "new": new})

    async def try_out(request: Request) -> Response:
        wanted = await given(request, NewTrial)
        return answer(await moderation.try_out(room_of(request), wanted, wanted.policy))

    return [
        Route("/rooms/{room}/trial", try_out, methods=["POST"]),
        Route("/rooms", rooms, methods=["GET"]),
        Route("/rooms", create, methods=["POST"]),
        Route("/rooms/{room}", change, methods=["PATCH"]),
    ]


def _message_routes(moderation: Moderation) -> list[BaseRoute]:
    async def find(request: Request) -> Response:
        room, number = room_of(request), _number_of(request)
        return answer(_described(room, number, _there(await moderation.find(room, number))))

    async def delete(request: Request) -> Response:
        room, number = room_of(request), _number_of(request)
        return answer(
            {"old": _described(room, number, _there(await moderation.delete(operator_of(request), room, number)))}
        )

    path = "/rooms/{room}/messages/{number:int}"
    return [Route(path, find, methods=["GET"]), Route(path, delete, methods=["DELETE"])]


def _held_routes(moderation: Moderation) -> list[BaseRoute]:
    async def held(_: Request) -> Response:
        return answer({"held": await moderation.held.waiting(MAX_HELD)})

    async def release(request: Request) -> Response:
        room, number = room_of(request), _number_of(request)
        released = await moderation.release(operator_of(request), room, number)
        if released is None:
            raise Problem(404, "no_such_message", "There is no such message, or it is not held.")
        return answer({"old": {"room": room, "number": number}, "new": {"room": room, "number": released}})

    async def discard(request: Request) -> Response:
        room, number = room_of(request), _number_of(request)
        draft = await moderation.discard(operator_of(request), room, number)
        return answer({"old": _described(room, number, _there(draft))})

    return [
        Route("/held", held, methods=["GET"]),
        Route("/held/{room}/{number:int}/release", release, methods=["POST"]),
        Route("/held/{room}/{number:int}/discard", discard, methods=["POST"]),
    ]


def _mute_routes(moderation: Moderation) -> list[BaseRoute]:
    async def mutes(_: Request) -> Response:
        return answer({"mutes": await moderation.mutes.all(MAX_MUTES)})

    async def show(request: Request) -> Response:
        anon_id = _identity_of(request)
        return answer(await moderation.mutes.find(anon_id) or Mute(user_id=anon_id, seconds=0))

    async def mute(request: Request) -> Response:
        wanted, anon_id = await given(request, NewMute), _identity_of(request)
        before, made = await moderation.mute(operator_of(request), anon_id, wanted.seconds, wanted.reason)
        return answer({"old": before or Mute(user_id=anon_id, seconds=0), "new": made})

    async def unmute(request: Request) -> Response:
        anon_id = _identity_of(request)
        none = Mute(user_id=anon_id, seconds=0)
        return answer({"old": await moderation.unmute(operator_of(request), anon_id) or none, "new": none})

    path = "/mutes/{anon_id}"
    return [
        Route("/mutes", mutes, methods=["GET"]),
        Route(path, show, methods=["GET"]),
        Route(path, mute, methods=["PUT"]),
        Route(path, unmute, methods=["DELETE"]),
    ]


def _ban_routes(moderation: Moderation) -> list[BaseRoute]:
    async def bans(_: Request) -> Response:
        return answer({"bans": await moderation.bans.all(MAX_BANS)})

    return [Route("/bans", bans, methods=["GET"])]


def _number_of(request: Request) -> int:
    number = int(request.path_params["number"])
    if number > _MAX_NUMBER:
        raise Problem(404, "no_such_message", "There is no such message.")
    return number


def _identity_of(request: Request) -> str:
    anon_id = str(request.path_params["anon_id"])
    if not is_anonymous_id(anon_id):
        raise Problem(404, "no_such_identity", "There is no such identity.")
    return anon_id


def _there(draft: Draft | None) -> Draft:
    if draft is None:
        raise Problem(404, "no_such_message", "There is no such message.")
    return draft


def _described(room: str, number: int, draft: Draft) -> dict[str, object]:
    return {"room": room, "number": number, **msgspec.structs.asdict(draft)}
