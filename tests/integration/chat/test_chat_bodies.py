"""Forms that no browser sends, each refused with a code and an event."""

import pytest

from integration.chat.conftest import OpenChat
from servers.eventually import eventually

URLENCODED = "application/x-www-form-urlencoded"
MULTIPART = "multipart/form-data; boundary=x"


@pytest.mark.parametrize(
    ("content_type", "body"),
    [
        (URLENCODED, b"text=hello%ff%fe"),
        (URLENCODED, b"text=hello\xff"),
        (URLENCODED, b"text=%ed%a0%80"),  # half of a surrogate pair
        (URLENCODED, b"name=%c0%af&text=hello"),  # a slash, written too long
        (MULTIPART, b'--x\r\nContent-Disposition: form-data; name="text"\r\n\r\nhello\xff\r\n--x--\r\n'),
    ],
)
async def test_what_is_not_utf8_is_refused_and_told(chat: OpenChat, content_type: str, body: bytes) -> None:
    visitor = await chat.visitor()
    headers = {"x-csrf-token": visitor.http.cookies["csrf_token"], "content-type": content_type}
    response = await visitor.http.post("/chat/post", content=body, headers=headers)
    assert (response.status_code, response.json()["code"]) == (400, "bad_request")
    (event,) = await eventually(lambda: chat.of("security.frame_refused"))
    assert event.fields["chat.reason"] == "invalid_utf8"
    assert await visitor.texts() == []


async def test_whose_page_it_is_comes_before_how_it_is_written(chat: OpenChat) -> None:
    visitor = await chat.visitor()
    response = await visitor.http.post("/chat/post", content=b"text=%ff", headers={"content-type": URLENCODED})
    assert (response.status_code, response.json()["code"]) == (403, "csrf_failed")


@pytest.mark.parametrize("text", ["100%ff", "5% off", "草", "\U0001f46d"])
async def test_a_percent_sign_is_a_percent_sign(chat: OpenChat, text: str) -> None:
    visitor = await chat.visitor()
    assert (await visitor.post(text)).status_code == 200
    headers = {"x-csrf-token": visitor.http.cookies["csrf_token"], "content-type": MULTIPART}
    part = f'--x\r\nContent-Disposition: form-data; name="text"\r\n\r\n{text}!\r\n--x--\r\n'
    response = await visitor.http.post("/chat/post", content=part.encode(), headers=headers)
    assert response.status_code in {200, 303}
    assert await visitor.texts() == [text, f"{text}!"]


async def test_a_body_beyond_all_measure_is_told_as_well(chat: OpenChat) -> None:
    visitor = await chat.visitor()
    response = await visitor.post("x" * 100_000)
    assert (response.status_code, response.json()["code"]) == (413, "body_too_large")
    (event,) = await eventually(lambda: chat.of("security.message_too_long"))
    assert event.fields["chat.reason"] == "body_too_large"
