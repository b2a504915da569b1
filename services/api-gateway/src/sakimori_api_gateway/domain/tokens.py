"""Operators' tokens: JSON Web Tokens (RFC 7519) signed with HS256."""

from dataclasses import dataclass

import jwt

from sakimori_api_gateway.domain.roles import Role
from sakimori_common.instants import MICROSECONDS

ISSUER = "sakimori"
_CLAIMS = ["iss", "sub", "role", "iat", "exp"]


class TokenError(Exception):
    """A token is not ours, was altered, or has expired; the message is fit for the client."""


@dataclass(frozen=True, slots=True)
class Token:
    """What a token says. Instants are microseconds since the epoch."""

    user: str
    role: Role
    issued_at: int
    expires_at: int


def sign(token: Token, secret: str) -> str:
    """Write a token down. Instants are kept to the second, `issued_at` with its fraction."""
    claims = {
        "iss": ISSUER,
        "sub": token.user,
        "role": token.role.value,
        "iat": token.issued_at / MICROSECONDS,
        "exp": token.expires_at // MICROSECONDS,
    }
    return jwt.encode(claims, secret, algorithm="HS256")


def read(text: str, secret: str, now: int) -> Token:
    """Read a token back and check it against the clock that is passed in. Raises TokenError."""
    try:
        # The library would look at the machine's clock; times are checked below, against ours.
        claims = jwt.decode(
            text,
            secret,
            algorithms=["HS256"],
            issuer=ISSUER,
            options={"require": _CLAIMS, "verify_exp": False, "verify_iat": False, "verify_nbf": False},
        )
        token = Token(
            user=str(claims["sub"]),
            role=Role(claims["role"]),
            issued_at=round(float(claims["iat"]) * MICROSECONDS),
            expires_at=int(claims["exp"]) * MICROSECONDS,
        )
    except (jwt.InvalidTokenError, ValueError, TypeError, OverflowError):
        raise TokenError("the token is not valid") from None
    if token.expires_at <= now:
        raise TokenError("the token has expired")
    return token
