"""The page as it is served: languages, rooms, assets, and what a browser without script is told."""

import re

import pytest

from integration.chat.browsing import room
from integration.chat.conftest import OpenChat, Visitor, hidden_token
from sakimori.embedded import ValkeyServer
from sakimori_chat.api.assets import FOLDER
from sakimori_common.context import Postgres, Valkey
from servers.eventually import eventually

BROWSER = {"accept": "text/html,application/xhtml+xml,*/*;q=0.8", "sec-fetch-site": "same-origin"}


async def _submitted(visitor: Visitor, text: str, where: str = "lobby") -> tuple[int, str]:
    """Post as a browser without script does; the status and the page it gets."""
    token = hidden_token((await visitor.http.get("/chat")).text)
    fields = {"text": text, "csrf_token": token, "room": where, "name": ""}
    response = await visitor.http.post("/chat/post", data=fields, headers=BROWSER)
    assert response.status_code == 303 or response.headers["content-type"].startswith("text/html")
    return response.status_code, response.text


def _notice(html: str) -> str:
    found = re.search(r'<p id="notice"[^>]*>([^<]*)</p>', html)
    assert found is not None
    return found[1]


@pytest.mark.parametrize(
    ("accept", "cookie", "query", "language"),
    [
        ("ja", "", "", "ja"),
        ("ko-KR", "", "", "ko"),
        ("ja", "ko", "", "ko"),
        ("ja", "ko", "?lang=en", "en"),
        ("ja", "klingon", "?lang=klingon", "ja"),
        ("", '"><script>', "?lang=%22%3E%3Cscript%3E", "en"),
    ],
)
async def test_the_language_is_the_address_s_then_the_cookie_s_then_the_browser_s(
    chat: OpenChat, accept: str, cookie: str, query: str, language: str
) -> None:
    visitor = await chat.visitor(language=accept, opens=False)
    response = await visitor.http.get(f"/chat{query}", headers={"cookie": f"chat_lang={cookie}"} if cookie else {})
    assert response.headers["content-language"] == language
    assert f'<html lang="{language}">' in response.text
    assert ("chat_lang" in response.headers.get("set-cookie", "")) is (query == "?lang=en")


async def test_the_chosen_language_is_remembered(chat: OpenChat) -> None:
    visitor = await chat.visitor(language="en")
    assert 'lang="ko"' in (await visitor.http.get("/chat?lang=ko")).text
    assert '<html lang="ko">' in (await visitor.open()).text
    assert '<html lang="ko">' in (await visitor.http.get("/chat?room=nowhere", headers=BROWSER)).text


async def test_every_room_can_be_reached_from_every_other(chat: OpenChat, postgres: Postgres) -> None:
    await room(postgres, "help", title="Help & questions")
    await room(postgres, "quiet", is_locked=True)
    visitor = await chat.visitor()
    await eventually(lambda: _links(visitor, "/chat?room=help", {"lobby", "help", "quiet"}))
    html = (await visitor.http.get("/chat?room=help")).text
    assert '<a href="/chat?room=help" aria-current="page"><bdi>Help &amp; questions</bdi></a>' in html
    assert '<input type="hidden" name="room" value="help">' in html
    assert html.count('aria-label="locked"') == 1
    assert 'href="/chat?room=help&amp;lang=ja"' in html


async def _links(visitor: Visitor, path: str, rooms: set[str]) -> bool:
    html = (await visitor.http.get(path)).text
    return set(re.findall(r'<li><a href="/chat\?room=([a-z-]+)"', html)) == rooms


async def test_a_form_posts_into_its_room_and_leads_back_there(chat: OpenChat, postgres: Postgres) -> None:
    await room(postgres, "help")
    visitor = await chat.visitor()
    await eventually(lambda: _links(visitor, "/chat?room=help", {"lobby", "help"}))
    token = hidden_token((await visitor.http.get("/chat?room=help")).text)
    fields = {"text": "in here", "csrf_token": token, "room": "help"}
    response = await visitor.http.post("/chat/post", data=fields, headers=BROWSER)
    assert (response.status_code, response.headers["location"]) == (303, "/chat?room=help")
    assert "in here" in (await visitor.http.get("/chat?room=help")).text
    assert "in here" not in (await visitor.open()).text


async def test_where_there_is_one_room_there_is_nothing_to_choose(chat: OpenChat) -> None:
    assert 'class="rooms"' not in (await (await chat.visitor()).open()).text


async def test_a_poll_tells_the_room_and_who_asks_in_the_readers_language(chat: OpenChat) -> None:
    visitor = await chat.visitor(language="ja")
    state = (await visitor.http.get("/chat/poll")).json()
    assert state["me"] == f"anon-{visitor.anon_id[:8]}"
    assert state["room"] == {
        "room": "lobby",
        "title": "ロビー",
        "is_locked": False,
        "slow_seconds": 0,
        "max_characters": 300,
    }
    stranger = await chat.visitor(opens=False)
    assert (await stranger.http.get("/chat/poll")).json()["me"] == ""


@pytest.mark.parametrize(
    ("text", "status", "words"),
    [
        ("", 400, "Write something that can be seen."),
        ("x" * 301, 400, "Too long: at most 300 characters."),
    ],
)
async def test_without_script_a_refusal_is_a_page_with_what_was_typed(
    chat: OpenChat, text: str, status: int, words: str
) -> None:
    visitor = await chat.visitor()
    answered, html = await _submitted(visitor, text)
    assert (answered, _notice(html)) == (status, words)
    assert f'name="text" value="{text}"' in html
    assert hidden_token(html) == visitor.http.cookies.get("csrf_token")


async def test_without_script_a_locked_room_says_so(chat: OpenChat, postgres: Postgres) -> None:
    await room(postgres, "quiet", is_locked=True)
    visitor = await chat.visitor()
    await eventually(lambda: _links(visitor, "/chat?room=quiet", {"lobby", "quiet"}))
    html = (await visitor.http.get("/chat?room=quiet")).text
    assert '<fieldset id="fields" disabled>' in html
    assert "This room is locked: you can read here, but nobody can post." in html
    answered, html = await _submitted(visitor, "hello", "quiet")
    assert (answered, _notice(html)) == (403, "This room is locked.")


async def test_without_script_slow_mode_says_how_long(chat: OpenChat, postgres: Postgres) -> None:
    await room(postgres, "calm", slow_seconds=90)
    visitor = await chat.visitor()
    await eventually(lambda: _links(visitor, "/chat?room=calm", {"lobby", "calm"}))
    assert "Slow mode: one message every 1:30." in (await visitor.http.get("/chat?room=calm")).text
    assert (await _submitted(visitor, "one", "calm"))[0] == 303
    answered, html = await _submitted(visitor, "two", "calm")
    assert answered == 429
    assert re.fullmatch(r"Slow mode: you can post again in 1:(30|29)\.", _notice(html))
    assert '<p id="banner" role="timer" hidden>' in html


async def test_without_script_a_ban_says_how_long(chat: OpenChat) -> None:
    visitor = await chat.visitor()
    statuses = [(await _submitted(visitor, f"{number}"))[0] for number in range(6)]
    assert statuses == [303] * 5 + [429]
    answered, html = await _submitted(visitor, "again")
    assert (answered, _notice(html)) == (429, "You are banned for a while.")
    assert re.search(r'<p id="banner" role="timer">Posting is paused for (30|29) s\.</p>', html)


async def test_a_form_from_elsewhere_gets_a_page_without_its_text_and_no_identity(chat: OpenChat) -> None:
    visitor = await chat.visitor(opens=False)
    headers = {**BROWSER, "sec-fetch-site": "cross-site"}
    response = await visitor.http.post("/chat/post", data={"text": "say this", "csrf_token": "x" * 20}, headers=headers)
    assert response.status_code == 403
    assert "The page is too old." in response.text
    assert "say this" not in response.text
    assert "set-cookie" not in response.headers


@pytest.mark.parametrize(
    ("accept", "kind"), [("text/html", "text/html; charset=utf-8"), ("*/*", "application/problem+json")]
)
async def test_a_room_that_is_not_there_is_told_to_people_and_to_programs(
    chat: OpenChat, accept: str, kind: str
) -> None:
    visitor = await chat.visitor(language="ja")
    response = await visitor.http.get("/chat?room=nowhere", headers={"accept": accept})
    assert (response.status_code, response.headers["content-type"]) == (404, kind)
    assert ("そのルームはありません。" in response.text) is (accept == "text/html")


async def test_without_the_store_people_get_a_page_that_says_so(chat: OpenChat, valkey_server: ValkeyServer) -> None:
    visitor = await chat.visitor(language="ko")
    valkey_server.kill()
    response = await visitor.http.get("/chat", headers=BROWSER)
    assert (response.status_code, response.headers["retry-after"]) == (503, "1")
    assert "지금은 채팅에 연결할 수 없습니다. 자동으로 복구됩니다." in response.text


async def test_who_loads_the_answer_of_a_form_again_comes_to_the_page(chat: OpenChat) -> None:
    response = await (await chat.visitor()).http.get("/chat/post")
    assert (response.status_code, response.headers["location"]) == (307, "/chat")


async def test_the_page_and_all_its_scripts_have_one_version(chat: OpenChat) -> None:
    visitor = await chat.visitor()
    html = (await visitor.open()).text
    (version,) = set(re.findall(r"/chat/static/([0-9a-f]{12})/", html))
    for path in FOLDER.iterdir():
        assert f'"/chat/static/{version}/{path.name}"' in html
        response = await visitor.http.get(f"/chat/static/{version}/{path.name}")
        assert response.content == path.read_bytes()
        assert response.headers["cache-control"] == "public, max-age=31536000, immutable"
        for imported in re.findall(r'from "([^"]+)"', path.read_text()):
            assert imported.startswith("./")


@pytest.mark.parametrize("path", ["/chat/static/chat.js", "/chat/static/0123456789ab/chat.js"])
async def test_another_version_is_served_but_not_kept(chat: OpenChat, path: str) -> None:
    response = await (await chat.visitor()).http.get(path)
    assert response.status_code == 200
    assert response.headers["content-type"].startswith("text/javascript")
    assert response.headers["cache-control"] == "no-cache"


@pytest.mark.parametrize(
    "path", ["0123456789ab/../app.py", "0123456789ab/%2e%2e/app.py", "0123456789ab/", "0123456789ab"]
)
async def test_a_version_is_no_way_out_of_the_folder(chat: OpenChat, path: str) -> None:
    assert (await (await chat.visitor()).http.get(f"/chat/static/{path}")).status_code == 404


async def test_the_policy_allows_nothing_inline_and_no_markup_by_script(chat: OpenChat) -> None:
    response = await (await chat.visitor()).open()
    policy = response.headers["content-security-policy"]
    assert "require-trusted-types-for 'script'; trusted-types 'none'" in policy
    assert not re.search(r"<script(?![^>]*(src=|type=\"application/json\"))|<style|\son\w+=|\sstyle=", response.text)


async def test_messages_of_bots_say_so_without_script(chat: OpenChat, valkey: Valkey) -> None:
    from sakimori_chat.adapters.rooms import ValkeyRooms
    from sakimori_chat.domain.messages import Draft, Kind

    await ValkeyRooms(valkey).append("lobby", Draft("weather", "Weather", "rain", "2026-01-16T02:00:00Z", Kind.BOT))
    html = (await (await chat.visitor()).open()).text
    assert '<li class="message from-bot" data-id="1">' in html
    assert '<span class="badge">Bot</span>' in html
