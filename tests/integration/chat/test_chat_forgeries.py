"""Requests that pretend: other pages' posts, cookies of other keys; each refused with a code and an event."""

from pathlib import Path

import httpx
import pytest
from starlette.responses import Response

from integration.chat.conftest import ADDRESS, EDGE_TOKEN, OpenChat, Visitor, chat_running
from sakimori_chat.api.cookies import Cookies, Identity
from sakimori_common.context import Postgres, Valkey
from servers.eventually import eventually

ANON_ID = "0b0f3c5e-7a55-4b1e-9d0a-5a4f3f1c2d3e"
OTHER_KEY = "another key of the server, as long"
OLD_KEY = "the key that the server had before"


def _signed_with(key: str, issued_at: int = 1_750_000_000) -> str:
    """A cookie as a server with that key gives it out."""
    given = Response()
    Cookies(key, secure=False, same_site="lax").set_identity(given, Identity(ANON_ID, is_new=True, issued_at=issued_at))
    return given.headers["set-cookie"].partition("=")[2].partition(";")[0]


async def _visitor_with(chat: OpenChat, cookie: str) -> Visitor:
    visitor = await chat.visitor()
    token = visitor.http.cookies.get("csrf_token") or ""
    visitor.http.cookies.clear()
    visitor.http.cookies.set("csrf_token", token, domain="127.0.0.1")
    visitor.http.cookies.set("anon_id", cookie, domain="127.0.0.1")
    return visitor


@pytest.mark.parametrize("cookie", [_signed_with(OTHER_KEY), f"{ANON_ID}.c2lnbmF0dXJl", "x", "x" * 3000])
async def test_a_post_with_a_cookie_of_another_key_is_refused_and_the_next_one_is_taken(
    chat: OpenChat, cookie: str
) -> None:
    visitor = await _visitor_with(chat, cookie)
    refused = await visitor.post("hello")
    assert (refused.status_code, refused.json()["code"]) == (403, "identity_unknown")
    (event,) = await eventually(lambda: chat.of("security.cookie_forged"))
    assert event.fields["trace.id"] == refused.headers["x-request-id"]
    assert "user.id" not in event.fields
    assert visitor.anon_id != ANON_ID
    assert (await visitor.post("hello again")).status_code == 200
    assert await visitor.texts() == ["hello again"]


async def test_a_page_opened_with_a_cookie_of_another_key_gives_a_new_one_and_is_reported(chat: OpenChat) -> None:
    visitor = await _visitor_with(chat, _signed_with(OTHER_KEY))
    opened = await visitor.open()
    assert opened.status_code == 200
    assert visitor.anon_id != ANON_ID
    await eventually(lambda: chat.of("security.cookie_forged"))
    await visitor.open()
    assert (await visitor.post("hello")).status_code == 200
    assert len(chat.of("security.cookie_forged")) == 1


async def test_people_go_on_when_the_key_was_changed(valkey: Valkey, postgres: Postgres, tmp_path: Path) -> None:
    previous, spool = f"the one from long ago, {OLD_KEY}", tmp_path / "spool"
    async with chat_running(valkey, postgres, spool, secret_key=OTHER_KEY, previous_secret_keys=previous) as chat:
        visitor = await _visitor_with(chat, _signed_with(OLD_KEY))
        assert (await visitor.post("still me")).status_code == 200
        assert visitor.anon_id == ANON_ID
        assert visitor.http.cookies.get("anon_id") == _signed_with(OTHER_KEY)
        (event,) = await eventually(lambda: chat.of("chat.message_posted"))
        assert event.fields["user.id"] == ANON_ID
        assert int(str(event.fields["client.cookie_age_seconds"])) > 86_400
        assert chat.of("security.cookie_forged") == []


async def test_the_first_post_of_somebody_new_says_how_new_the_cookie_is(chat: OpenChat) -> None:
    visitor = await chat.visitor()
    await visitor.post("hello")
    (event,) = await eventually(lambda: chat.of("chat.message_posted"))
    assert 0 <= int(str(event.fields["client.cookie_age_seconds"])) <= 10


@pytest.mark.parametrize(
    ("headers", "reason"),
    [
        ({"origin": "https://evil.example"}, "origin_foreign"),
        ({"origin": "http://127.0.0.1:1"}, "origin_foreign"),
        ({"origin": "null"}, "origin_null"),
        ({"origin": "null", "sec-fetch-site": "cross-site"}, "cross_site"),
        ({"sec-fetch-site": "same-site"}, "cross_site"),
        ({"sec-fetch-site": "cross-site"}, "cross_site"),
        ({"x-forwarded-host": "evil.example", "origin": "https://chat.example"}, "origin_foreign"),
        ({"x-csrf-token": ""}, "token_missing"),
        ({"x-csrf-token": "a token that somebody guessed"}, "token_wrong"),
    ],
)
async def test_a_post_from_another_page_is_refused_whatever_it_knows(
    chat: OpenChat, headers: dict[str, str], reason: str
) -> None:
    visitor = await chat.visitor()
    given = {"x-csrf-token": visitor.http.cookies.get("csrf_token") or "", "x-requested-with": "fetch", **headers}
    refused = await visitor.http.post("/chat/post", data={"text": "from elsewhere"}, headers=given)
    assert (refused.status_code, refused.json()["code"]) == (403, "csrf_failed")
    assert "set-cookie" not in refused.headers
    (event,) = await eventually(lambda: chat.of("security.csrf_failed"))
    assert event.fields["chat.reason"] == reason
    assert await visitor.texts() == []


@pytest.mark.parametrize(
    "headers",
    [
        {},
        {"sec-fetch-site": "same-origin"},
        {"origin": "null", "sec-fetch-site": "same-origin"},
        {"x-forwarded-host": "chat.example", "origin": "https://chat.example"},
        {"origin": "https://friend.example", "sec-fetch-site": "cross-site"},
    ],
)
async def test_our_own_page_and_those_that_were_named_may_post(
    valkey: Valkey, postgres: Postgres, tmp_path: Path, headers: dict[str, str]
) -> None:
    async with chat_running(valkey, postgres, tmp_path / "spool", origins="https://friend.example") as chat:
        visitor = await chat.visitor()
        given = {"x-csrf-token": visitor.http.cookies.get("csrf_token") or "", "x-requested-with": "fetch", **headers}
        response = await visitor.http.post("/chat/post", data={"text": "hello"}, headers=given)
        assert response.status_code == 200


async def test_only_the_gateway_says_what_the_chat_is_called(chat: OpenChat) -> None:
    async with httpx.AsyncClient(base_url=chat.url) as stranger:
        await stranger.get("/chat")
        headers = {
            "x-csrf-token": stranger.cookies.get("csrf_token") or "",
            "x-forwarded-host": "evil.example",
            "origin": "https://evil.example",
            "x-sakimori-edge": EDGE_TOKEN + "x",
            "x-forwarded-for": ADDRESS,
        }
        refused = await stranger.post("/chat/post", data={"text": "hello"}, headers=headers)
    assert refused.json()["code"] == "csrf_failed"
