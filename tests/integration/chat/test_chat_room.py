import httpx
import pytest

from integration.chat.conftest import OpenChat, hidden_token
from sakimori.embedded import ValkeyServer
from sakimori_common.context import Valkey


async def test_the_page_opens_without_login_and_has_a_form_and_the_last_messages(chat: OpenChat) -> None:
    visitor = await chat.visitor()
    await visitor.post("good morning")
    response = await visitor.open()
    assert response.status_code == 200
    assert response.headers["content-type"].startswith("text/html")
    assert '<form id="form" action="/chat/post" method="post"' in response.text
    assert "good morning" in response.text


@pytest.mark.parametrize("path", ["/", "/chat/"])
async def test_other_addresses_lead_to_the_page(chat: OpenChat, path: str) -> None:
    visitor = await chat.visitor(opens=False)
    response = await visitor.http.get(path)
    assert (response.status_code, response.headers["location"]) == (307, "/chat")


@pytest.mark.parametrize("host", ["[", "a b", "", "evil.example:99999"])
async def test_a_senseless_host_is_no_error_of_ours(chat: OpenChat, host: str, valkey_server: ValkeyServer) -> None:
    visitor = await chat.visitor()
    headers = {"host": host, "x-requested-with": "fetch"}
    headers["x-csrf-token"] = visitor.http.cookies.get("csrf_token") or ""
    headers["cookie"] = "; ".join(f"{name}={value}" for name, value in visitor.http.cookies.items())
    assert (await visitor.http.get("/chat", headers=headers)).status_code < 500
    assert (await visitor.http.get("/chat//", headers=headers)).status_code < 500
    assert (await visitor.http.post("/chat/post", data={"text": "hello"}, headers=headers)).status_code < 500
    valkey_server.kill()
    assert (await visitor.http.get("/chat", headers=headers)).status_code in {400, 503}


async def test_the_headers_can_be_asked_for_alone(chat: OpenChat) -> None:
    visitor = await chat.visitor(opens=False)
    response = await visitor.http.head("/chat")
    assert (response.status_code, response.text) == (200, "")
    assert "anon_id" in response.headers["set-cookie"]


async def test_the_page_speaks_the_readers_language(chat: OpenChat) -> None:
    japanese = await chat.visitor(language="ja-JP,ja;q=0.9,en;q=0.8")
    page = (await japanese.open()).text
    assert '<html lang="ja">' in page
    assert "オープンチャット" in page


async def test_an_identity_is_kept_and_shown_as_eight_hex_digits(chat: OpenChat) -> None:
    visitor = await chat.visitor()
    identity = visitor.anon_id
    again = await visitor.open()
    assert "anon_id" not in again.headers.get("set-cookie", "")
    assert f"anon-{identity[:8]}" in again.text


async def test_a_tampered_cookie_is_a_new_identity(chat: OpenChat) -> None:
    visitor = await chat.visitor()
    identity, _, signature = (visitor.http.cookies.get("anon_id") or "").partition(".")
    forged = f"{identity[:-1]}{'0' if identity[-1] != '0' else '1'}.{signature}"
    visitor.http.cookies.clear()
    visitor.http.cookies.set("anon_id", forged, domain="127.0.0.1")
    await visitor.open()
    assert visitor.anon_id not in {identity, forged.partition(".")[0]}


async def test_a_post_is_answered_and_read_by_others(chat: OpenChat) -> None:
    writer, reader = await chat.visitor(), await chat.visitor("203.0.113.8")
    response = await writer.post("hello")
    assert (response.status_code, response.json()) == (200, {"ok": True})
    (message,) = (await reader.http.get("/chat/poll")).json()["messages"]
    assert (message["id"], message["text"], message["author"]) == (1, "hello", f"anon-{writer.anon_id[:8]}")
    assert writer.anon_id not in str(message)


async def test_a_plain_form_posts_without_script(chat: OpenChat) -> None:
    visitor = await chat.visitor()
    token = hidden_token((await visitor.open()).text)
    response = await visitor.http.post("/chat/post", data={"text": "no script", "csrf_token": token, "name": "防人"})
    assert (response.status_code, response.headers["location"]) == (303, "/chat")
    page = (await visitor.open()).text
    assert "no script" in page
    assert 'value="防人"' in page


async def test_a_poll_returns_exactly_what_is_newer_oldest_first(chat: OpenChat) -> None:
    visitor = await chat.visitor()
    for text in ("one", "two", "three"):
        await visitor.post(text)
    page = (await visitor.http.get("/chat/poll?after=1")).json()
    assert [message["text"] for message in page["messages"]] == ["two", "three"]
    assert (page["next"], page["has_more"], page["reset"], page["block_sec"]) == (3, False, False, 0)
    assert (await visitor.http.get("/chat/poll?after=3")).json()["messages"] == []


async def test_two_hundred_messages_are_kept_and_read_a_hundred_at_a_time(chat: OpenChat, valkey: Valkey) -> None:
    visitor = await chat.visitor()
    for number in range(1, 251):
        assert (await visitor.post(f"message {number}")).status_code == 200
        await valkey.delete(*[key async for key in valkey.scan_iter("rate:*")])
    first = (await visitor.http.get("/chat/poll")).json()
    second = (await visitor.http.get(f"/chat/poll?after={first['next']}")).json()
    assert [message["id"] for message in first["messages"]] == list(range(51, 151))
    assert [message["id"] for message in second["messages"]] == list(range(151, 251))
    assert (first["has_more"], second["has_more"]) == (True, False)
    page = (await visitor.open()).text
    assert page.count("data-id=") == 100
    assert "message 150<" not in page
    assert "message 151<" in page


async def test_a_reader_from_before_the_room_was_emptied_starts_again(chat: OpenChat, valkey: Valkey) -> None:
    visitor = await chat.visitor()
    await valkey.flushall()
    await visitor.post("first of the new room")
    page = (await visitor.http.get("/chat/poll?after=250")).json()
    assert page["reset"]
    assert [message["text"] for message in page["messages"]] == ["first of the new room"]


async def test_a_lost_counter_does_not_stop_the_room(chat: OpenChat, valkey: Valkey) -> None:
    visitor = await chat.visitor()
    await visitor.post("one")
    await valkey.delete("chat:lobby:next_id")
    await visitor.post("two")
    await visitor.post("three")
    page = (await visitor.http.get("/chat/poll?after=1")).json()
    assert [(message["id"], message["text"]) for message in page["messages"]] == [(2, "two"), (3, "three")]


@pytest.mark.parametrize("after", ["-1", "abc", "1e3", str(2**60)])
async def test_a_senseless_number_is_a_bad_request(chat: OpenChat, after: str) -> None:
    visitor = await chat.visitor()
    response = await visitor.http.get("/chat/poll", params={"after": after})
    assert response.status_code == 400
    assert response.headers["content-type"] == "application/problem+json"


async def test_markup_is_text(chat: OpenChat) -> None:
    visitor = await chat.visitor()
    attacks = ["<img src=x onerror=alert(1)>", "<script>alert(1)</script>", '"><svg onload=alert(1)>', "{{7*7}}"]
    for attack in attacks:
        await visitor.post(attack, name="<b onclick=alert(1)>")
    page = (await visitor.open()).text
    assert "<img" not in page
    assert "<b onclick" not in page
    assert page.count("<script") == 2  # the state of the page, which is data, and its module
    assert "&lt;img src=x onerror=alert(1)&gt;" in page
    assert "{{7*7}}" in page
    assert await visitor.texts() == attacks


async def test_three_hundred_characters_are_taken_and_one_more_is_refused(chat: OpenChat) -> None:
    visitor = await chat.visitor()
    assert (await visitor.post("防" * 300)).status_code == 200
    response = await visitor.post("防" * 301)
    assert (response.status_code, response.json()["code"]) == (400, "too_long")
    assert await visitor.texts() == ["防" * 300]


@pytest.mark.parametrize("text", ["", "   ", "\u200b", "\x00"])
async def test_an_empty_post_is_refused(chat: OpenChat, text: str) -> None:
    visitor = await chat.visitor()
    response = await visitor.post(text)
    assert (response.status_code, response.json()["code"]) == (400, "empty")


async def test_a_body_beyond_all_measure_is_refused(chat: OpenChat) -> None:
    visitor = await chat.visitor()
    response = await visitor.post("x" * 100_000)
    assert (response.status_code, response.json()["code"]) == (413, "body_too_large")


@pytest.mark.parametrize(
    ("content", "content_type"),
    [
        (b"text=%ff%fe&csrf_token=x", "application/x-www-form-urlencoded"),
        (b"\xff\xfe\x00", "multipart/form-data; boundary=x"),
        (b"--x\r\nbroken", "multipart/form-data; boundary=x"),
        (b"--x\r\nbroken", "multipart/form-data"),
        (b'{"text": "json"}', "application/json"),
        (b"", "text/plain"),
    ],
)
async def test_a_body_that_is_no_form_is_refused_without_an_error_of_ours(
    chat: OpenChat, content: bytes, content_type: str
) -> None:
    visitor = await chat.visitor()
    response = await visitor.http.post("/chat/post", content=content, headers={"content-type": content_type})
    assert response.status_code in {400, 403}
    assert response.headers["content-type"] == "application/problem+json"


async def test_every_response_has_the_security_headers(chat: OpenChat) -> None:
    visitor = await chat.visitor()
    for path in ("/chat", "/chat/poll", "/chat/static/chat.js", "/nowhere", "/health/redis"):
        headers = (await visitor.http.get(path)).headers
        policy = headers["content-security-policy"]
        assert "unsafe" not in policy
        for directive in ("default-src 'self'", "object-src 'none'", "frame-ancestors 'none'", "base-uri 'none'"):
            assert directive in policy
        assert headers["x-content-type-options"] == "nosniff"
        assert headers["referrer-policy"] == "same-origin"
        assert headers["x-frame-options"] == "DENY"
        assert headers["permissions-policy"] == "geolocation=(), microphone=(), camera=()"


async def test_the_trace_id_is_the_gateways_and_nobody_elses(chat: OpenChat) -> None:
    visitor = await chat.visitor()
    ours = await visitor.http.get("/chat/poll", headers={"x-request-id": "trace-from-the-gateway"})
    assert ours.headers["x-request-id"] == "trace-from-the-gateway"
    async with httpx.AsyncClient(base_url=chat.url) as stranger:
        theirs = await stranger.get("/chat", headers={"x-request-id": "trace-from-a-stranger"})
        wrong = await visitor.http.get("/chat", headers={"x-request-id": "new\tline"})
    assert theirs.headers["x-request-id"] != "trace-from-a-stranger"
    assert len(wrong.headers["x-request-id"]) == 36


async def test_assets_are_served_and_nothing_beside_them(chat: OpenChat) -> None:
    visitor = await chat.visitor()
    assert (await visitor.http.get("/chat/static/chat.css")).status_code == 200
    for path in ("/chat/static/", "/chat/static/../app.py", "/chat/static/%2e%2e/app.py", "/docs", "/openapi.json"):
        response = await visitor.http.get(path)
        assert response.status_code == 404, path
        assert response.headers["content-type"] == "application/problem+json"
