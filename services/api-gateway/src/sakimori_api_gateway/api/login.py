"""Logging in."""

from typing import Annotated

from fastapi import APIRouter
from pydantic import BaseModel, ConfigDict, Field
from starlette.requests import Request
from starlette.responses import Response

from sakimori_api_gateway.api.answers import answer, documented
from sakimori_api_gateway.api.authentication import TheGateway
from sakimori_api_gateway.api.gateway import Gateway
from sakimori_api_gateway.domain.addresses import is_within, parse_address
from sakimori_api_gateway.domain.passwords import MAX_PASSWORD_CHARACTERS
from sakimori_api_gateway.domain.records import AccessToken, User
from sakimori_common.instants import format_instant
from sakimori_common.web import Problem

router = APIRouter(tags=["login"])

_MAX_USER_AGENT_CHARACTERS = 512


class Credentials(BaseModel):
    """A user name and a password."""

    model_config = ConfigDict(extra="forbid")
    username: Annotated[str, Field(min_length=1, max_length=64, pattern=r"^[^\x00-\x1f\x7f]+$")]
    password: Annotated[str, Field(min_length=1, max_length=MAX_PASSWORD_CHARACTERS, pattern=r"^[^\x00]+$")]


@router.post("/api/v1/login", responses=documented(AccessToken, 401, 403, 429))
async def login(credentials: Credentials, request: Request, gateway: TheGateway) -> Response:
    """Log in.

    Returns a token to be sent as `Authorization: Bearer ...`. Attempts are limited per address and per user; a refused
    one waits for the seconds in `Retry-After`. Every attempt becomes an event that the detector looks at.
    """
    address = str(request.state.address)
    attempt = _Attempt(gateway, address, credentials.username, request.headers.get("user-agent", ""))
    await _take(gateway, address, credentials.username, attempt)
    found = await gateway.users.find(credentials.username)
    user, password_hash = found if found is not None else (None, None)
    is_right = await gateway.passwords.verify(credentials.password, password_hash)
    if user is None or not is_right or user.disabled_at is not None:
        attempt.note("failure", "disabled" if is_right else "credentials")
        raise Problem(401, "login_failed", "The user name or the password is wrong.", {"www-authenticate": "Bearer"})
    await gateway.login_limit.forgive(user.name)
    attempt.note("success", "")
    return answer(_token(gateway, user))


class _Attempt:
    """One attempt, to be noted with how it ended."""

    def __init__(self, gateway: Gateway, address: str, user: str, user_agent: str) -> None:
        self._gateway = gateway
        self._address = address
        self._user = user
        self._user_agent = user_agent[:_MAX_USER_AGENT_CHARACTERS]

    def note(self, outcome: str, reason: str) -> None:
        """Count the attempt and make it an event."""
        self._gateway.metrics.logins_total.labels("limited" if reason == "limited" else outcome).inc()
        self._gateway.streams.log_security(
            "console_login",
            self._address,
            level="info" if outcome == "success" else "warning",
            user=self._user,
            outcome=outcome,
            reason=reason,
        )
        self._gateway.login_events.note(
            time=self._gateway.clock(),
            outcome=outcome,
            address=self._address,
            user=self._user,
            user_agent=self._user_agent,
            reason=reason,
        )


async def _take(gateway: Gateway, address: str, user: str, attempt: _Attempt) -> None:
    """Count the attempt against the limits. Raises Problem 429.

    From networks that are never blocked only the address counts, so nobody elsewhere can lock operators out by failing
    on their names.
    """
    known = parse_address(address)
    is_trusted = known is not None and is_within(known, gateway.settings.never_block)
    seconds = await gateway.login_limit.take(address, None if is_trusted else user)
    if seconds:
        attempt.note("failure", "limited")
        detail = f"Too many attempts: try again in {seconds} s."
        raise Problem(429, "too_many_logins", detail, {"retry-after": str(seconds)}, retry_after_seconds=seconds)


def _token(gateway: Gateway, user: User) -> AccessToken:
    text, expires_at = gateway.sessions.issue(user)
    return AccessToken(access_token=text, expires_at=format_instant(expires_at), role=user.role)
