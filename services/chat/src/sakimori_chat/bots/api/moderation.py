"""Bots, for operators: who is there, who may speak where, who not any more."""

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Annotated, Any

import msgspec
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import BaseRoute, Route

from sakimori_chat.api.inner import answer, given, operator_of
from sakimori_chat.bots.domain.device import Bot, BotStatus, StatusChange
from sakimori_chat.bots.office import BotOffice
from sakimori_chat.bots.ports import NameTaken, NotAllowed
from sakimori_chat.domain.rooms import MAX_ROOMS, is_room_name
from sakimori_common.instants import MICROSECONDS, format_instant
from sakimori_common.web import Problem

Reason = Annotated[str, msgspec.Meta(max_length=200)]
RoomNames = Annotated[tuple[str, ...], msgspec.Meta(max_length=MAX_ROOMS)]


class NewStatus(msgspec.Struct, forbid_unknown_fields=True):
    """What a bot becomes, and why; with `rooms`, also where it may speak."""

    status: BotStatus
    reason: Reason = ""
    rooms: RoomNames | None = None


class NewRooms(msgspec.Struct, forbid_unknown_fields=True):
    """Where a bot may speak."""

    rooms: RoomNames


class NewSecret(msgspec.Struct, forbid_unknown_fields=True):
    """`at_once` ends the old secrets now, for one that has leaked."""

    at_once: bool = False


def bot_moderation_routes(office: BotOffice) -> list[BaseRoute]:
    """Make the routes; answers to changes say what was before, for the gateway's audit."""

    async def bots(_: Request) -> Response:
        return answer({"bots": [_described(bot) for bot in office.bots()]})

    async def show(request: Request) -> Response:
        bot = _there(office, request)
        return answer({**_described(bot), "record": [_noted(each) for each in await office.record(bot.id)]})

    async def change(request: Request) -> Response:
        new, bot, by = await given(request, NewStatus), _there(office, request), operator_of(request)
        if new.rooms is not None:
            await office.set_rooms(bot.id, _rooms(new.rooms), by.name, trace_id=by.trace_id)
        with _conflicts():
            changed = await office.change(bot.id, new.status, by.name, new.reason, trace_id=by.trace_id)
        return _change(bot, changed)

    async def set_rooms(request: Request) -> Response:
        new, bot, by = await given(request, NewRooms), _there(office, request), operator_of(request)
        return _change(bot, await office.set_rooms(bot.id, _rooms(new.rooms), by.name, trace_id=by.trace_id))

    async def rotate(request: Request) -> Response:
        wanted, bot, by = await given(request, NewSecret), _there(office, request), operator_of(request)
        issued = await office.rotate(bot.id, by.name, at_once=wanted.at_once, trace_id=by.trace_id)
        if issued is None:
            raise _missing()
        ends_at = _instant(issued.previous_expires_at)
        return answer({"bot": _described(issued.bot), "secret": issued.secret, "previous_expires_at": ends_at})

    return [
        Route("/bots", bots, methods=["GET"]),
        Route("/bots/{bot_id}", show, methods=["GET"]),
        Route("/bots/{bot_id}/status", change, methods=["PUT"]),
        Route("/bots/{bot_id}/rooms", set_rooms, methods=["PUT"]),
        Route("/bots/{bot_id}/secret", rotate, methods=["POST"]),
    ]


def _there(office: BotOffice, request: Request) -> Bot:
    wanted = request.path_params["bot_id"]
    found = next((bot for bot in office.bots() if bot.id == wanted), None)
    if found is None:
        raise _missing()
    return found


@contextmanager
def _conflicts() -> Iterator[None]:
    try:
        yield
    except NotAllowed as error:
        raise Problem(409, "conflict", str(error)) from error
    except NameTaken as error:
        raise Problem(409, "conflict", "Another bot has this name, or one that looks like it.") from error


def _missing() -> Problem:
    return Problem(404, "no_such_bot", "There is no such bot.")


def _rooms(names: tuple[str, ...]) -> frozenset[str]:
    wrong = [name for name in names if not is_room_name(name)]
    if wrong:
        raise Problem(422, "invalid_request", f"body.rooms: not a room's name: {wrong[0][:64]!r}")
    return frozenset(names)


def _change(old: Bot, new: Bot | None) -> Response:
    if new is None:
        raise _missing()
    return answer({"old": _described(old), "new": _described(new)})


def _described(bot: Bot) -> dict[str, Any]:
    """Describe a bot without its secrets."""
    return {
        "id": bot.id,
        "name": bot.name,
        "status": bot.status.value,
        "rooms": sorted(bot.rooms),
        "contact": bot.contact,
        "registered_at": _instant(bot.registered_at),
        "last_ping_at": _instant(bot.last_ping_at),
        "blocked_at": _instant(bot.blocked_at),
        "blocked_reason": bot.blocked_reason,
    }


def _noted(change: StatusChange) -> dict[str, Any]:
    return {"status": change.status.value, "by": change.by, "reason": change.reason, "at": _instant(change.at)}


def _instant(seconds: float | None) -> str | None:
    return None if seconds is None else format_instant(round(seconds * MICROSECONDS))
