from http.cookies import SimpleCookie

import pytest
from starlette.requests import Request
from starlette.responses import Response

from sakimori_chat.api.cookies import Cookies, is_forged
from sakimori_chat.api.phrases import PHRASES, preferred_language

KEY = "a key of the server, long enough"
TOKEN = "a-token-of-enough-characters"


def _request(cookies: dict[str, str] | None = None, **headers: str) -> Request:
    raw = [(name.replace("_", "-").encode(), value.encode()) for name, value in headers.items()]
    if cookies:
        raw.append((b"cookie", "; ".join(f"{name}={value}" for name, value in cookies.items()).encode()))
    return Request({"type": "http", "method": "GET", "path": "/chat", "headers": raw})


def _cookies(*, secure: bool = False) -> Cookies:
    return Cookies(KEY, secure=secure, same_site="lax")


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
    ("cookie", "given", "forged"),
    [(TOKEN, TOKEN, False), (TOKEN, "", True), (TOKEN, TOKEN + "x", True), ("", "", True), (TOKEN, "防人", True)],
)
def test_cookie_and_header_must_agree(cookie: str, given: str, forged: bool) -> None:
    assert is_forged(_request(), cookie, given) is forged


@pytest.mark.parametrize(
    ("site", "forged"), [("same-origin", False), ("none", False), ("same-site", True), ("cross-site", True)]
)
def test_a_browser_that_names_another_site_is_believed(site: str, forged: bool) -> None:
    assert is_forged(_request(sec_fetch_site=site), TOKEN, TOKEN) is forged


@pytest.mark.parametrize(
    ("header", "language"),
    [
        ("", "en"),
        ("ja", "ja"),
        ("ja-JP,ja;q=0.9,en;q=0.8", "ja"),
        ("en-GB,en;q=0.9,ja;q=0.8", "en"),
        ("fr, ja;q=0.5, en;q=0.4", "ja"),
        ("ja;q=0, de", "en"),
        ("ja;q=abc;;,", "en"),
    ],
)
def test_the_language_is_the_readers_first_that_the_page_has(header: str, language: str) -> None:
    assert preferred_language(header) == language


def test_both_languages_have_all_phrases() -> None:
    assert set(PHRASES["en"]) == set(PHRASES["ja"])
