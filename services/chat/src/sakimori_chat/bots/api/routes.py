"""The bots' HTTP API, under /bots. deploy/bots/README.md is what a stranger reads to write a bot."""

from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass, replace
from typing import Annotated, Final, TypeVar

import msgspec
from fastapi import APIRouter
from starlette.requests import Request
from starlette.responses import Response

from sakimori_chat.bots.api.rendering import answered, refused
from sakimori_chat.bots.domain.device import Bot
from sakimori_chat.bots.domain.occurrences import BotOrigin
from sakimori_chat.bots.domain.refusals import (
    BODY_TOO_LARGE,
    MISSING,
    NO_BOT,
    BotRefusal,
    malformed,
    not_registered,
    not_understood,
)
from sakimori_chat.bots.domain.registration import RegistrationError, RegistrationRequest, applicant_of
from sakimori_chat.bots.domain.signature import Claim, MalformedClaim, claim_of
from sakimori_chat.bots.intake import MAX_PAGE, Admitted, BotDoor
from sakimori_chat.bots.office import BotOffice, Issued
from sakimori_chat.domain.identity import canonical_address
from sakimori_chat.ports import RoomDirectory
from sakimori_common.instants import MICROSECONDS, format_instant
from sakimori_common.web import Problem, client_address

MAX_TEXT_CHARACTERS: Final = 65_000
"""A text beyond that is not even decoded; a room's own limit is far below."""
_HEADERS: Final = ("x-sakimori-bot", "x-sakimori-timestamp", "x-sakimori-nonce", "x-sakimori-signature")
_MARKS_OF_A_PAGE: Final = ("origin", "sec-fetch-site")
"""Browsers send one or both (Fetch, "Origin"; Fetch Metadata), wherever the chat is reached by HTTPS."""
_MAX_NUMBER: Final = 2**53

T = TypeVar("T")
Answer = Mapping[str, object] | BotRefusal
Serve = Callable[[Admitted, BotOrigin, bytes], Awaitable[Answer]]


class _Message(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    room: Annotated[str, msgspec.Meta(max_length=32)]
    text: Annotated[str, msgspec.Meta(max_length=MAX_TEXT_CHARACTERS)]


class _Query(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    room: Annotated[str, msgspec.Meta(max_length=32)]
    after: Annotated[int, msgspec.Meta(ge=0, le=_MAX_NUMBER)] = 0
    limit: Annotated[int, msgspec.Meta(ge=1, le=MAX_PAGE)] = MAX_PAGE


_messages: Final = msgspec.json.Decoder(_Message)
_registrations: Final = msgspec.json.Decoder(RegistrationRequest)


@dataclass(frozen=True, slots=True)
class Bots:
    """All that the bots' routes work with."""

    door: BotDoor
    office: BotOffice
    directory: RoomDirectory
    edge_token: str

    def origin_of(self, request: Request) -> BotOrigin:
        """Describe where a request comes from."""
        address = canonical_address(client_address(request, self.edge_token))
        return BotOrigin(request.state.trace_id, address, request.scope["path"][:200])


def bot_routes(bots: Bots) -> APIRouter:
    """Make the routes of bots."""
    router = APIRouter(prefix="/bots")

    @router.post("/register")
    async def register(request: Request) -> Response:
        """Ask to be let in: JSON `name`, `rooms`, optionally `contact`. Answers with the secret, this once."""
        origin = bots.origin_of(request)
        answer = await _registered(bots, request, origin)
        return refused(answer) if isinstance(answer, BotRefusal) else answered(answer, (), 201)

    @router.post("/secret")
    async def secret(request: Request) -> Response:
        """Get a new secret; the one that signs this request stays good for a while."""
        return await _signed(bots, request, lambda admitted, origin, _: _renewed(bots, admitted, origin), 201)

    @router.get("/me")
    async def me(request: Request) -> Response:
        """Ask how one stands; the one thing that a bot may do that still waits for an operator."""
        return await _signed(bots, request, _described, lets_pending=True)

    @router.post("/messages")
    async def post(request: Request) -> Response:
        """Say something: JSON `room`, `text`."""
        return await _signed(bots, request, lambda *given: _posted(bots, *given), 201)

    @router.get("/messages")
    async def read(request: Request) -> Response:
        """Read a room: query `room`, `after` (a number), `limit` (at most 100); oldest first."""
        return await _signed(bots, request, lambda admitted, origin, _: _read(bots, request, admitted, origin))

    return router


async def _signed(
    bots: Bots, request: Request, serve: Serve, status: int = 200, *, lets_pending: bool = False
) -> Response:
    """Serve a request whose signature is good. The body is read (64 KiB at most) but not looked at before."""
    origin = bots.origin_of(request)
    claim = await _claim_of(request)
    if isinstance(claim, BotRefusal):
        return refused(bots.door.refuse(claim, origin, request.headers.get(_HEADERS[0], "")))
    admitted = await bots.door.authenticate(claim, origin, lets_pending=lets_pending)
    if isinstance(admitted, BotRefusal):
        return refused(admitted)
    answer = await serve(admitted, origin, claim.body)
    if isinstance(answer, BotRefusal):
        return refused(replace(answer, quotas=admitted.quotas))
    return answered(answer, admitted.quotas, status)


async def _claim_of(request: Request) -> Claim | BotRefusal:
    body = await _body_of(request)
    given = [request.headers.getlist(name) for name in _HEADERS]
    if body is None:
        return BODY_TOO_LARGE
    if not any(given) and any(mark in request.headers for mark in _MARKS_OF_A_PAGE):
        return NO_BOT
    if any(len(values) != 1 for values in given):
        twice = [name for name, values in zip(_HEADERS, given, strict=True) if len(values) > 1]
        return malformed(f"{twice[0]} came more than once") if twice else MISSING
    ((bot_id,), (timestamp,), (nonce,), (signature,)) = given
    try:
        return claim_of(
            bot_id=bot_id,
            timestamp=timestamp,
            nonce=nonce,
            signature=signature,
            method=request.method,
            target=_target_of(request),
            body=body,
        )
    except MalformedClaim as error:
        return malformed(str(error))


def _target_of(request: Request) -> bytes:
    """Path and query as they were sent; what decodes paths or sorts parameters would change what was signed."""
    path: bytes = request.scope["raw_path"]
    query: bytes = request.scope["query_string"]
    return path + b"?" + query if query else path


async def _body_of(request: Request) -> bytes | None:
    """Read the body; None where it is larger than the edge of this service lets through."""
    try:
        return await request.body()
    except Problem:
        return None


async def _posted(bots: Bots, admitted: Admitted, origin: BotOrigin, body: bytes) -> Answer:
    message = _decoded(_messages, body)
    if isinstance(message, str):
        return bots.door.refuse(not_understood(message), origin, admitted.bot.id, admitted.bot.name)
    receipt = await bots.door.receive(admitted, message.room, message.text, origin)
    return receipt if isinstance(receipt, BotRefusal) else {"id": receipt.number}


async def _read(bots: Bots, request: Request, admitted: Admitted, origin: BotOrigin) -> Answer:
    try:
        query = msgspec.convert(dict(request.query_params), _Query, strict=False)
    except msgspec.ValidationError as error:
        return bots.door.refuse(not_understood(f"Query: {error}."), origin, admitted.bot.id, admitted.bot.name)
    page = await bots.door.read(admitted, query.room, query.after, query.limit, origin)
    return page if isinstance(page, BotRefusal) else msgspec.to_builtins(page)


async def _described(admitted: Admitted, _: BotOrigin, __: bytes) -> Answer:
    secret = admitted.secret
    expires_at = secret.expires_at if secret else None
    return {**_shown(admitted.bot), "secret_expires_at": _instant(expires_at)}


async def _renewed(bots: Bots, admitted: Admitted, origin: BotOrigin) -> Answer:
    if admitted.secret is None:
        return MISSING
    issued = await bots.office.renew(admitted.bot, admitted.secret, origin)
    return issued if isinstance(issued, BotRefusal) else _issued(issued)


async def _registered(bots: Bots, request: Request, origin: BotOrigin) -> Answer:
    """Take a registration. JSON by name, so that no page of another site can send one by a form."""
    body = await _body_of(request)
    if body is None:
        return bots.office.refuse(BODY_TOO_LARGE, origin)
    if request.headers.get("content-type", "").partition(";")[0].strip().lower() != "application/json":
        return bots.office.refuse(not_registered("Send application/json.", "json_required", 415), origin)
    wanted = _decoded(_registrations, body)
    if isinstance(wanted, str):
        return bots.office.refuse(not_registered(wanted), origin)
    try:
        applicant = applicant_of(wanted)
    except RegistrationError as error:
        return bots.office.refuse(not_registered(str(error)), origin)
    unknown = sorted(room for room in applicant.rooms if bots.directory.find(room) is None)
    if unknown:
        return bots.office.refuse(not_registered(f"There is no room {unknown[0]}.", "no_such_room", 404), origin)
    issued = await bots.office.register(applicant, origin)
    return issued if isinstance(issued, BotRefusal) else _issued(issued)


def _issued(issued: Issued) -> Mapping[str, object]:
    shown = {"bot": _shown(issued.bot), "secret": issued.secret}
    if issued.previous_expires_at is None:
        return shown
    return {**shown, "previous_expires_at": _instant(issued.previous_expires_at)}


def _shown(bot: Bot) -> Mapping[str, object]:
    return {"id": bot.id, "name": bot.name, "status": bot.status.value, "rooms": sorted(bot.rooms)}


def _instant(seconds: float | None) -> str | None:
    return None if seconds is None else format_instant(int(seconds * MICROSECONDS))


def _decoded(decoder: "msgspec.json.Decoder[T]", body: bytes) -> T | str:
    """Decode a body; words for its author where it is not what it should be."""
    try:
        return decoder.decode(body)
    except msgspec.ValidationError as error:
        return f"{error}."
    except (msgspec.DecodeError, UnicodeError, RecursionError):
        return "The body is no JSON object in UTF-8."
