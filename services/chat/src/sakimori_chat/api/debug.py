"""The debug API: see how one stands and undo what the limits did, while developing on one's own machine (S0-41..43).

It is there with DEBUG_MODE=1 only, for loopback only, and wants DEBUG_ADMIN_TOKEN. What changes something is a POST: a
GET would let any page in the developer's browser lift a ban by a link.
"""

import hmac
from dataclasses import dataclass, field
from ipaddress import ip_address
from typing import Final

from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route
from starlette.types import Receive, Scope, Send

from sakimori_chat.api.inner import answer, application, given
from sakimori_chat.api.visit import Chat
from sakimori_chat.domain.debugging import Block, Target, is_fingerprint, lift
from sakimori_chat.domain.enforcement import Measure
from sakimori_chat.domain.moderation import Operator, OperatorAction, done_by
from sakimori_chat.ports import Mutes, Risks
from sakimori_common.contracts import FieldValue
from sakimori_common.instants import now
from sakimori_common.web import Problem, client_address, is_from_edge, problem_response

TOKEN_HEADER: Final = "x-admin-token"  # noqa: S105  # the name of a header


@dataclass(frozen=True, slots=True)
class Debugging:
    """What the debug API works with besides the chat; an empty token lets nobody in."""

    token: str = field(repr=False)
    risks: Risks
    mutes: Mutes


class DebugApi:
    """The door: a stranger finds nothing here, whoever has not the token is refused, and both are reported."""

    def __init__(self, chat: Chat, debugging: Debugging) -> None:
        self._chat = chat
        self._token = debugging.token
        desk = _Desk(chat, debugging)
        self._app = application(
            [
                Route("/whoami", desk.whoami, methods=["GET"]),
                Route("/unblock-me", desk.unblock_me, methods=["POST"]),
                Route("/block", desk.block, methods=["POST"]),
                Route("/unblock", desk.unblock, methods=["POST"]),
                Route("/reset-risk", desk.reset_risk, methods=["POST"]),
            ]
        )

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Serve one request."""
        refusal = self._refusal(Request(scope)) if scope["type"] == "http" else None
        await (refusal or self._app)(scope, receive, send)

    def _refusal(self, request: Request) -> Response | None:
        if not _is_local(request, self._chat.edge_token):
            self._report(request, "not from this machine")
            return problem_response(404, "not_found", "Not Found")
        given_token = request.headers.get(TOKEN_HEADER, "")
        if not self._token or not hmac.compare_digest(given_token.encode(), self._token.encode()):
            self._report(request, "no token" if not given_token else "wrong token")
            return problem_response(403, "debug_refused", "This needs X-Admin-Token, as DEBUG_ADMIN_TOKEN has it.")
        return None

    def _report(self, request: Request, reason: str) -> None:
        who = _developer(request, self._chat)
        self._chat.reporter.report(done_by(who, OperatorAction.DEBUG_REFUSED, {}, reason=reason, is_refused=True))


class _Desk:
    """The routes, for whoever is let in."""

    def __init__(self, chat: Chat, debugging: Debugging) -> None:
        self._chat = chat
        self._risks = debugging.risks
        self._mutes = debugging.mutes

    async def whoami(self, request: Request) -> Response:
        """Tell how this client and its cookie stand."""
        identity, client = self._chat.cookies.identity(request), self._chat.client_of(request)
        anon_id = None if identity.is_new else identity.anon_id
        mute = await self._mutes.find(anon_id) if anon_id else None
        stands = {
            "anon_id": anon_id,
            "address": client.address,
            "fingerprint": client.fingerprint,
            "ip_hash": client.ip_hash,
            "ua_hash": client.ua_hash,
            "risk": await self._risks.risk(client.fingerprint),
            "ban_seconds": await self._chat.gate.ban_seconds(anon_id) if anon_id else 0,
            "mute_seconds": mute.seconds if mute else 0,
        }
        self._report(request, OperatorAction.DEBUG_WHOAMI, {})
        return answer(stands)

    async def unblock_me(self, request: Request) -> Response:
        """Lift what blocks this cookie, fingerprint and network."""
        identity, client, at = self._chat.cookies.identity(request), self._chat.client_of(request), now()
        lifted = [lift("fp", client.fingerprint, at), lift("ip", client.network, at)]
        if not identity.is_new:
            lifted.append(lift("user", identity.anon_id, at))
        await self._chat.gate.enforce(lifted)
        self._report(request, OperatorAction.DEBUG_UNBLOCK_ME, {"client.fingerprint": client.fingerprint})
        return answer({"lifted": [[measure.kind, measure.entity] for measure in lifted]})

    async def block(self, request: Request) -> Response:
        """Block one of identity, fingerprint, address: JSON with `seconds` (30)."""
        wanted = await given(request, Block)
        kind, entity = _entity(wanted)
        await self._chat.gate.enforce([Measure(kind, entity, now(), wanted.seconds * 1000, is_automatic=False)])
        details: dict[str, FieldValue] = {**_told(kind, entity), "chat.block_seconds": wanted.seconds}
        self._report(request, OperatorAction.DEBUG_BLOCK, details)
        return answer({"blocked": [kind, entity], "seconds": wanted.seconds})

    async def unblock(self, request: Request) -> Response:
        """Lift what blocks one of identity, fingerprint, address."""
        kind, entity = _entity(await given(request, Target))
        await self._chat.gate.enforce([lift(kind, entity, now())])
        self._report(request, OperatorAction.DEBUG_UNBLOCK, _told(kind, entity))
        return answer({"lifted": [[kind, entity]]})

    async def reset_risk(self, request: Request) -> Response:
        """Forget a fingerprint's risk; without one, this client's."""
        fingerprint = (await given(request, Target)).fingerprint or self._chat.client_of(request).fingerprint
        if not is_fingerprint(fingerprint):
            raise Problem(422, "invalid_request", "body.fingerprint: not one")
        was_there = await self._risks.reset(fingerprint)
        self._report(request, OperatorAction.DEBUG_RESET_RISK, {"client.fingerprint": fingerprint})
        return answer({"fingerprint": fingerprint, "reset": was_there})

    def _report(self, request: Request, action: OperatorAction, details: dict[str, FieldValue]) -> None:
        self._chat.reporter.report(done_by(_developer(request, self._chat), action, details))


def _is_local(request: Request, edge_token: str) -> bool:
    """Tell whether a request comes from this machine; one that a proxy passed on is its client's, not the proxy's."""
    peer = request.client.host if request.client else ""
    is_passed_on = "x-forwarded-for" in request.headers or "forwarded" in request.headers
    if is_passed_on and not is_from_edge(request, edge_token):
        return False
    return _is_loopback(peer) and _is_loopback(client_address(request, edge_token))


def _is_loopback(address: str) -> bool:
    try:
        return ip_address(address).is_loopback
    except ValueError:
        return False


def _developer(request: Request, chat: Chat) -> Operator:
    return Operator("", request.state.trace_id, request.scope["path"], client_address(request, chat.edge_token))


def _entity(target: Target) -> tuple[str, str]:
    try:
        return target.entity()
    except ValueError as error:
        raise Problem(422, "invalid_request", f"body: {error}") from None


def _told(kind: str, entity: str) -> dict[str, FieldValue]:
    """Name an entity in an event, where no address may be."""
    match kind:
        case "user":
            return {"user.target.id": entity}
        case "fp":
            return {"client.fingerprint": entity}
        case _:
            return {}
