"""Operators' tokens and roles."""

import base64
import json

import jwt
import pytest

from sakimori_api_gateway.domain.roles import Role
from sakimori_api_gateway.domain.tokens import Token, TokenError, read, sign

SECRET = "a secret of the tests that has 32+ characters"
NOW = 1_768_528_800_000_000
TOKEN = Token("hanako", Role.ANALYST, NOW, NOW + 900_000_000)


def test_a_token_says_what_was_signed() -> None:
    assert read(sign(TOKEN, SECRET), SECRET, NOW) == TOKEN


def test_a_token_is_good_until_it_expires_and_not_a_microsecond_longer() -> None:
    text = sign(TOKEN, SECRET)
    assert read(text, SECRET, TOKEN.expires_at - 1).user == "hanako"
    with pytest.raises(TokenError, match="expired"):
        read(text, SECRET, TOKEN.expires_at)


def test_a_token_of_another_key_is_refused() -> None:
    with pytest.raises(TokenError, match="not valid"):
        read(sign(TOKEN, "another secret, which is long enough, too"), SECRET, NOW)


def test_an_altered_role_breaks_the_signature() -> None:
    head, body, signature = sign(TOKEN, SECRET).split(".")
    claims = json.loads(base64.urlsafe_b64decode(body + "=="))
    claims["role"] = "admin"
    forged = base64.urlsafe_b64encode(json.dumps(claims).encode()).rstrip(b"=").decode()
    with pytest.raises(TokenError):
        read(f"{head}.{forged}.{signature}", SECRET, NOW)


def test_an_unsigned_token_is_refused() -> None:
    claims = {"iss": "sakimori", "sub": "hanako", "role": "admin", "iat": 0, "exp": 9_999_999_999}
    with pytest.raises(TokenError):
        read(jwt.encode(claims, "", algorithm="none"), SECRET, NOW)


@pytest.mark.parametrize("left_out", ["iss", "sub", "role", "iat", "exp"])
def test_a_token_without_one_of_its_claims_is_refused(left_out: str) -> None:
    claims: dict[str, object] = {"iss": "sakimori", "sub": "hanako", "role": "admin", "iat": 0, "exp": 9_999_999_999}
    del claims[left_out]
    with pytest.raises(TokenError):
        read(jwt.encode(claims, SECRET, algorithm="HS256"), SECRET, NOW)


@pytest.mark.parametrize("text", ["", "x", "a.b.c", "é" * 50, "." * 10_000])
def test_what_is_no_token_is_refused(text: str) -> None:
    with pytest.raises(TokenError):
        read(text, SECRET, NOW)


def test_roles_include_one_another() -> None:
    table = {(role, needed): role.may(needed) for role in Role for needed in Role}
    assert table == {
        (Role.VIEWER, Role.VIEWER): True,
        (Role.VIEWER, Role.ANALYST): False,
        (Role.VIEWER, Role.ADMIN): False,
        (Role.ANALYST, Role.VIEWER): True,
        (Role.ANALYST, Role.ANALYST): True,
        (Role.ANALYST, Role.ADMIN): False,
        (Role.ADMIN, Role.VIEWER): True,
        (Role.ADMIN, Role.ANALYST): True,
        (Role.ADMIN, Role.ADMIN): True,
    }
