"""The three cookies: who you are (signed), what you call yourself, and the token that a foreign page cannot read."""

import secrets
import uuid
from dataclasses import dataclass
from hashlib import sha256
from typing import Literal
from urllib.parse import quote, unquote

from itsdangerous import BadSignature, Signer
from starlette.requests import Request
from starlette.responses import Response

from sakimori_chat.domain.identity import is_anonymous_id
from sakimori_chat.domain.text import clean_name

ANON_ID = "anon_id"
ANON_NAME = "anon_name"
CSRF_TOKEN = "csrf_token"  # noqa: S105  # the name of a cookie
MIN_TOKEN_CHARACTERS = 16

_LIFETIME_SECONDS = 180 * 24 * 3600
_MAX_COOKIE_CHARACTERS = 256


@dataclass(frozen=True, slots=True)
class Identity:
    """The anonymous id of a visitor, and whether it was made up just now (none was shown, or one of no worth)."""

    anon_id: str
    is_new: bool


class Cookies:
    """Read and set the cookies; all have the same attributes, by environment (S0-44, S0-57)."""

    def __init__(self, secret_key: str, *, secure: bool, same_site: Literal["lax", "strict", "none"]) -> None:
        self._signer = Signer(secret_key, salt="sakimori.chat.anon_id", key_derivation="hmac", digest_method=sha256)
        self._secure = secure
        self._same_site = same_site

    def known_id(self, request: Request) -> str | None:
        """Read the anonymous id; None when there is none, or one that this key did not sign."""
        value = request.cookies.get(ANON_ID, "")
        if not value or len(value) > _MAX_COOKIE_CHARACTERS:
            return None
        try:
            anon_id = self._signer.unsign(value.encode("utf-8", "replace")).decode("ascii")
        except (BadSignature, UnicodeDecodeError):
            return None
        return anon_id if is_anonymous_id(anon_id) else None

    def identity(self, request: Request) -> Identity:
        """Read the identity or make a new one."""
        known = self.known_id(request)
        return Identity(known, is_new=False) if known else Identity(str(uuid.uuid4()), is_new=True)

    def name(self, request: Request) -> str:
        """Read the display name, cleaned; empty when there is none."""
        return clean_name(unquote(request.cookies.get(ANON_NAME, "")[:_MAX_COOKIE_CHARACTERS]))

    def token(self, request: Request) -> str:
        """Read the CSRF token; empty when there is none that is long enough."""
        value = request.cookies.get(CSRF_TOKEN, "")
        return value if MIN_TOKEN_CHARACTERS <= len(value) <= _MAX_COOKIE_CHARACTERS else ""

    def set_identity(self, response: Response, identity: Identity) -> None:
        """Hand a new identity to the browser; a known one stays as it is."""
        if identity.is_new:
            self._set(response, ANON_ID, self._signer.sign(identity.anon_id).decode(), httponly=True)

    def set_name(self, response: Response, name: str) -> None:
        """Remember the display name; an empty one is forgotten."""
        self._set(response, ANON_NAME, quote(name, safe=""), httponly=True, max_age=_LIFETIME_SECONDS if name else 0)

    def set_token(self, response: Response, token: str) -> None:
        """Hand out a CSRF token; the page's script must be able to read it."""
        self._set(response, CSRF_TOKEN, token, httponly=False)

    def _set(
        self, response: Response, key: str, value: str, *, httponly: bool, max_age: int = _LIFETIME_SECONDS
    ) -> None:
        response.set_cookie(
            key,
            value,
            max_age=max_age,
            path="/",
            secure=self._secure,
            httponly=httponly,
            samesite=self._same_site,
        )


def new_token() -> str:
    """Make a CSRF token."""
    return secrets.token_urlsafe(32)


def is_forged(request: Request, cookie_token: str, given_token: str) -> bool:
    """Tell whether a request may come from somebody else's page (S0-11, S0-12).

    The token of the cookie must come again in a header or field, which only our own page can arrange; a browser that
    says itself that another site sent the request is believed.
    """
    if request.headers.get("sec-fetch-site", "same-origin") in {"cross-site", "same-site"}:
        return True
    return not cookie_token or not secrets.compare_digest(cookie_token.encode(), given_token.encode())
