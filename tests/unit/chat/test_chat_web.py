from collections.abc import Callable, Sequence
from hashlib import sha256
from http.cookies import SimpleCookie

import pytest
from itsdangerous import Signer
from starlette.requests import Request
from starlette.responses import Response

from sakimori_chat.api.cookies import Cookies, foreign_by_token
from sakimori_chat.domain.origins import Foreign

KEY = "a key of the server, long enough"
OTHER_KEY = "another key of the server, as long"
TOKEN = "a-token-of-enough-characters"


def _request(cookies: dict[str, str] | None = None, **headers: str) -> Request:
    raw = [(name.replace("_", "-").encode(), value.encode()) for name, value in headers.items()]
    if cookies:
        raw.append((b"cookie", "; ".join(f"{name}={value}" for name, value in cookies.items()).encode()))
    return Request({"type": "http", "method": "GET", "path": "/chat", "headers": raw})


def _cookies(
    *, secure: bool = False, key: str = KEY, previous_keys: Sequence[str] = (), at: float = 1_800_000_000
) -> Cookies:
    return Cookies(key, secure=secure, same_site="lax", previous_keys=previous_keys, clock=lambda: at)


def _given_by(cookies: Cookies) -> str:
    """The value of the identity's cookie that a newcomer gets."""
    response = Response()
    cookies.set_identity(response, cookies.identity(_request()))
    return _set_by(response)["anon_id"].value


def _of_the_old_form(anon_id: str) -> str:
    signer = Signer(KEY, salt="sakimori.chat.anon_id", key_derivation="hmac", digest_method=sha256)
    return signer.sign(anon_id).decode()


def _set_by(response: Response) -> SimpleCookie:
    jar = SimpleCookie()
    for header in response.headers.getlist("set-cookie"):
        jar.load(header)
    return jar


def test_a_new_visitor_gets_a_signed_identity_that_comes_back() -> None:
    cookies, response = _cookies(), Response()
    identity = cookies.identity(_request())
    cookies.set_identity(response, identity)
    morsel = _set_by(response)["anon_id"]
    assert identity.is_new
    assert (morsel["httponly"], morsel["samesite"], morsel["path"]) == (True, "lax", "/")
    assert cookies.known_id(_request({"anon_id": morsel.value})) == identity.anon_id


def test_a_known_visitor_is_not_given_the_cookie_again() -> None:
    cookies, first, second = _cookies(), Response(), Response()
    cookies.set_identity(first, cookies.identity(_request()))
    cookies.set_identity(second, cookies.identity(_request({"anon_id": _set_by(first)["anon_id"].value})))
    assert "set-cookie" not in second.headers


@pytest.mark.parametrize(
    "value",
    ["", "0b0f3c5e-7a55-4b1e-9d0a-5a4f3f1c2d3e", "0b0f3c5e-7a55-4b1e-9d0a-5a4f3f1c2d3e.c2lnbmF0dXJl", "x" * 5000],
)
def test_a_cookie_that_this_key_did_not_sign_is_no_identity(value: str) -> None:
    assert _cookies().known_id(_request({"anon_id": value})) is None


def test_an_identity_signed_with_another_key_is_none() -> None:
    theirs, response = Cookies("another key of the server", secure=False, same_site="lax"), Response()
    theirs.set_identity(response, theirs.identity(_request()))
    assert _cookies().known_id(_request({"anon_id": _set_by(response)["anon_id"].value})) is None


def test_an_identity_knows_its_age() -> None:
    value = _given_by(_cookies(at=1_800_000_000.9))
    identity = _cookies().identity(_request({"anon_id": value}))
    assert identity.age_seconds(1_800_000_060.0) == 60
    assert identity.age_seconds(1_799_999_000.0) == 0  # another replica's clock


def test_a_cookie_of_the_old_form_is_good_has_no_age_and_is_given_again_with_one() -> None:
    anon_id = "0b0f3c5e-7a55-4b1e-9d0a-5a4f3f1c2d3e"
    cookies, response = _cookies(), Response()
    identity = cookies.identity(_request({"anon_id": _of_the_old_form(anon_id)}))
    assert (identity.anon_id, identity.is_new, identity.age_seconds(1_800_000_060)) == (anon_id, False, None)
    cookies.set_identity(response, identity)
    again = cookies.identity(_request({"anon_id": _set_by(response)["anon_id"].value}))
    assert (again.anon_id, again.is_stale, again.issued_at) == (anon_id, False, 1_800_000_000)


def test_an_identity_of_a_previous_key_goes_on_with_its_age_under_the_new_key() -> None:
    value = _given_by(_cookies(at=1_700_000_000))
    rotated, response = _cookies(key=OTHER_KEY, previous_keys=[KEY]), Response()
    identity = rotated.identity(_request({"anon_id": value}))
    assert (identity.is_new, identity.is_stale, identity.issued_at) == (False, True, 1_700_000_000)
    rotated.set_identity(response, identity)
    renewed = _set_by(response)["anon_id"].value
    again = _cookies(key=OTHER_KEY).identity(_request({"anon_id": renewed}))
    assert (again.anon_id, again.is_stale, again.issued_at) == (identity.anon_id, False, 1_700_000_000)


@pytest.mark.parametrize(
    "change", [lambda value: value[:-1], lambda value: "x" + value, lambda value: value + "=" * 300]
)
def test_a_cookie_that_was_changed_is_forged_and_a_missing_one_is_not(change: Callable[[str], str]) -> None:
    forged = _cookies().identity(_request({"anon_id": change(_given_by(_cookies()))}))
    assert (forged.is_new, forged.is_forged) == (True, True)
    newcomer = _cookies().identity(_request())
    assert (newcomer.is_new, newcomer.is_forged) == (True, False)


def test_a_later_birthday_breaks_the_signature() -> None:
    anon_id, _, rest = _given_by(_cookies()).partition(".")
    issued_at, _, signature = rest.partition(".")
    older = f"{anon_id}.{int(issued_at) - 86_400}.{signature}"
    assert _cookies().identity(_request({"anon_id": older})).is_forged


@pytest.mark.parametrize("secure", [True, False])
def test_every_cookie_is_secure_or_none_is(secure: bool) -> None:
    cookies, response = _cookies(secure=secure), Response()
    cookies.set_identity(response, cookies.identity(_request()))
    cookies.set_name(response, "防人")
    cookies.set_token(response, TOKEN)
    headers = response.headers.getlist("set-cookie")
    assert len(headers) == 3
    assert all(("Secure" in header) is secure for header in headers)


def test_a_name_survives_the_cookie() -> None:
    cookies, response = _cookies(), Response()
    cookies.set_name(response, '防人; "quoted" <b>')
    assert cookies.name(_request({"anon_name": _set_by(response)["anon_name"].value})) == '防人; "quoted" <b>'


def test_a_short_token_counts_as_none() -> None:
    assert _cookies().token(_request({"csrf_token": "short"})) == ""
    assert _cookies().token(_request({"csrf_token": TOKEN})) == TOKEN


@pytest.mark.parametrize(
    ("cookie", "given", "reason"),
    [
        (TOKEN, TOKEN, None),
        (TOKEN, "", Foreign.TOKEN_MISSING),
        ("", TOKEN, Foreign.TOKEN_MISSING),
        ("", "", Foreign.TOKEN_MISSING),
        (TOKEN, TOKEN + "x", Foreign.TOKEN_WRONG),
        (TOKEN, "防人", Foreign.TOKEN_WRONG),
    ],
)
def test_cookie_and_header_must_agree(cookie: str, given: str, reason: Foreign | None) -> None:
    assert foreign_by_token(cookie, given) is reason
