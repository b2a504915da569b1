"""The cookies: who you are (signed), what you call yourself, your language, a token that no foreign page can read."""

import secrets
import time
import uuid
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from hashlib import sha256
from typing import Literal
from urllib.parse import quote, unquote

from itsdangerous import BadSignature, Signer
from starlette.requests import HTTPConnection
from starlette.responses import Response

from sakimori_chat.domain.identity import is_anonymous_id
from sakimori_chat.domain.origins import Foreign
from sakimori_chat.domain.text import clean_name

ANON_ID = "anon_id"
ANON_NAME = "anon_name"
CSRF_TOKEN = "csrf_token"  # noqa: S105  # the name of a cookie
LANGUAGE = "chat_lang"
MIN_TOKEN_CHARACTERS = 16

_LIFETIME_SECONDS = 180 * 24 * 3600
_MAX_COOKIE_CHARACTERS = 256


@dataclass(frozen=True, slots=True)
class Identity:
    """The anonymous id of a visitor, and whether it was made up just now (none was shown, or one of no worth).

    `issued_at` (seconds since the epoch) is None in cookies of the form without it. `is_forged`: a cookie was shown
    that no key of ours signed. `is_stale`: it is good, but to be signed anew, since it has the old form or key.
    """

    anon_id: str
    is_new: bool
    issued_at: int | None = None
    is_forged: bool = False
    is_stale: bool = False

    def age_seconds(self, now: float) -> int | None:
        """Tell how long ago it was given out, in whole seconds: up to one too many. None where nobody knows."""
        return None if self.issued_at is None else max(0, int(now) - self.issued_at)


class Cookies:
    """Read and set the cookies; all have the same attributes, by environment (S0-44, S0-57).

    The identity's cookie is `<anonymous id>.<issued at>.<signature>`. `previous_keys` verify and never sign.
    """

    def __init__(
        self,
        secret_key: str,
        *,
        secure: bool,
        same_site: Literal["lax", "strict", "none"],
        previous_keys: Sequence[str] = (),
        clock: Callable[[], float] = time.time,
    ) -> None:
        self._signer, self._previous = _signer([secret_key]), _signer(list(previous_keys) or [secret_key])
        self._secure = secure
        self._same_site = same_site
        self._clock = clock

    def known_id(self, request: HTTPConnection) -> str | None:
        """Read the anonymous id; None when there is none, or one that no key of ours signed."""
        identity = self._shown(request)
        return identity.anon_id if identity else None

    def identity(self, request: HTTPConnection) -> Identity:
        """Read the identity or make a new one."""
        known = self._shown(request)
        is_forged = known is None and bool(request.cookies.get(ANON_ID))
        return known or Identity(str(uuid.uuid4()), is_new=True, issued_at=int(self._clock()), is_forged=is_forged)

    def age_seconds(self, request: HTTPConnection) -> int | None:
        """Tell how long ago the identity that is shown was given out; None where there is none or nobody knows."""
        known = self._shown(request)
        return known.age_seconds(self._clock()) if known else None

    def _shown(self, request: HTTPConnection) -> Identity | None:
        value = request.cookies.get(ANON_ID, "")
        if not value or len(value) > _MAX_COOKIE_CHARACTERS:
            return None
        raw = value.encode("utf-8", "replace")
        for signer in (self._signer, self._previous):
            try:
                anon_id, _, issued_at = signer.unsign(raw).decode("ascii").partition(".")
            except (BadSignature, UnicodeDecodeError):
                continue
            is_stale = signer is self._previous or not issued_at
            known = Identity(anon_id, False, int(issued_at) if issued_at.isdecimal() else None, is_stale=is_stale)
            return known if is_anonymous_id(anon_id) else None
        return None

    def name(self, request: HTTPConnection) -> str:
        """Read the display name, cleaned; empty when there is none."""
        return clean_name(unquote(request.cookies.get(ANON_NAME, "")[:_MAX_COOKIE_CHARACTERS]))

    def token(self, request: HTTPConnection) -> str:
        """Read the CSRF token; empty when there is none that is long enough."""
        value = request.cookies.get(CSRF_TOKEN, "")
        return value if MIN_TOKEN_CHARACTERS <= len(value) <= _MAX_COOKIE_CHARACTERS else ""

    def language(self, request: HTTPConnection) -> str:
        """Read the language that was chosen; whatever is in the cookie, so compare it with those there are."""
        return request.cookies.get(LANGUAGE, "")

    def set_identity(self, response: Response, identity: Identity) -> None:
        """Hand a new identity to the browser, and a stale one signed anew; a good one stays as it is.

        Where nobody knows since when an old one is there, it counts from now on.
        """
        if identity.is_new or identity.is_stale:
            issued_at = int(self._clock()) if identity.issued_at is None else identity.issued_at
            self._set(response, ANON_ID, self._signer.sign(f"{identity.anon_id}.{issued_at}").decode(), httponly=True)

    def set_name(self, response: Response, name: str) -> None:
        """Remember the display name; an empty one is forgotten."""
        self._set(response, ANON_NAME, quote(name, safe=""), httponly=True, max_age=_LIFETIME_SECONDS if name else 0)

    def set_token(self, response: Response, token: str) -> None:
        """Hand out a CSRF token; the page's script must be able to read it."""
        self._set(response, CSRF_TOKEN, token, httponly=False)

    def set_language(self, response: Response, language: str) -> None:
        """Remember the language that was chosen."""
        self._set(response, LANGUAGE, language, httponly=True)

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


def foreign_by_token(cookie_token: str, given_token: str) -> Foreign | None:
    """Compare the token of the cookie with that of the header or field, where only our page can put it (S0-11)."""
    if not cookie_token or not given_token:
        return Foreign.TOKEN_MISSING
    is_same = secrets.compare_digest(cookie_token.encode(), given_token.encode())
    return None if is_same else Foreign.TOKEN_WRONG


def _signer(keys: list[str]) -> Signer:
    return Signer(keys, salt="sakimori.chat.anon_id", key_derivation="hmac", digest_method=sha256)
