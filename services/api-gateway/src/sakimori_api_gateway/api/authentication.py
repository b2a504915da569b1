"""Who asks, and whether the role allows it."""

from collections.abc import Awaitable, Callable
from typing import Annotated

from fastapi import Depends
from fastapi.security import HTTPAuthorizationCredentials, HTTPBearer
from starlette.requests import Request

from sakimori_api_gateway.api.gateway import Gateway, gateway_of
from sakimori_api_gateway.api.sessions import Operator
from sakimori_api_gateway.domain.records import AuditEntry
from sakimori_api_gateway.domain.roles import Role
from sakimori_api_gateway.domain.tokens import TokenError
from sakimori_common.instants import format_instant
from sakimori_common.web import Problem

_BEARER = HTTPBearer(auto_error=False, bearerFormat="JWT", description="The token that POST /api/v1/login gives.")


def _gateway(request: Request) -> Gateway:
    return gateway_of(request)


TheGateway = Annotated[Gateway, Depends(_gateway)]
"""The object graph, for a request handler."""


def needs(role: Role) -> Callable[..., Awaitable[Operator]]:
    """Make the dependency that lets only operators of a role (or above) through: 401 or 403 otherwise."""

    async def operator(
        request: Request,
        gateway: TheGateway,
        credentials: Annotated[HTTPAuthorizationCredentials | None, Depends(_BEARER)],
    ) -> Operator:
        if credentials is None:
            raise _unauthorized("This needs a token: POST /api/v1/login.")
        try:
            asking = await gateway.sessions.operator(credentials.credentials, request.state.address)
        except TokenError as error:
            gateway.streams.log_security("token_refused", request.state.address, reason=str(error))
            raise _unauthorized(str(error)) from None
        request.state.user = asking.name
        if not asking.role.may(role):
            reason = f"needs the role {role.value}"
            gateway.streams.log_security("role_refused", asking.address, user=asking.name, reason=reason)
            raise Problem(403, "role_insufficient", f"This needs the role {role.value}.")
        return asking

    return operator


Viewer = Annotated[Operator, Depends(needs(Role.VIEWER))]
Analyst = Annotated[Operator, Depends(needs(Role.ANALYST))]
Admin = Annotated[Operator, Depends(needs(Role.ADMIN))]


def entry_of(
    gateway: Gateway, asking: Operator, action: str, target: str, new: dict[str, object] | None = None
) -> AuditEntry:
    """Begin the audit entry of what an operator asks for."""
    return AuditEntry(
        actor=asking.name,
        action=action,
        target=target,
        new=new,
        address=asking.address or None,
        at=format_instant(gateway.clock()),
    )


def _unauthorized(detail: str) -> Problem:
    return Problem(401, "unauthorized", detail, {"www-authenticate": "Bearer"})
