"""Pages of other sites that have their visitors' browsers act as if they were bots."""

import pytest
from websockets.asyncio.client import connect
from websockets.exceptions import InvalidStatus

from integration.chat.bots import approved_bot
from integration.chat.conftest import EDGE_TOKEN, OpenChat
from servers.eventually import eventually


@pytest.mark.parametrize("mark", [{"origin": "https://evil.example"}, {"sec-fetch-site": "cross-site"}])
async def test_a_page_that_has_browsers_ask_makes_no_failed_bots_of_them(chat: OpenChat, mark: dict[str, str]) -> None:
    bot = await approved_bot(chat)
    for method, path in (("POST", "/bots/messages"), ("GET", "/bots/me")):
        assert (await bot.http.request(method, path, headers=mark)).json()["code"] == "signature_missing"
    assert (await bot.me(secret="sbk_a-guess")).json()["code"] == "signature_wrong"
    await eventually(lambda: chat.of("bot.hmac_failed"))
    assert chat.of("bot.unauthorized") == []


async def test_a_bot_in_a_browser_is_served_as_any_other(chat: OpenChat) -> None:
    bot = await approved_bot(chat)
    proof = bot.proof("GET", "/bots/me")
    assert (await bot.http.get("/bots/me", headers={**proof, "sec-fetch-site": "same-origin"})).status_code == 200


@pytest.mark.parametrize(
    "origin", ["https://evil.example", "null", "http://chat.example.evil.example", "http://chat.internal:8001"]
)
async def test_a_foreign_page_opens_no_session_in_the_name_of_its_visitors_address(chat: OpenChat, origin: str) -> None:
    url = chat.url.replace("http", "ws", 1) + "/bots/ws"
    headers = {"x-sakimori-edge": EDGE_TOKEN, "x-forwarded-for": "203.0.113.9", "x-forwarded-host": "chat.example"}
    with pytest.raises(InvalidStatus) as refused:
        async with connect(url, additional_headers={**headers, "origin": origin}):
            pass
    assert refused.value.response.status_code == 403
    assert b"origin_refused" in refused.value.response.body
    async with connect(url, additional_headers={**headers, "origin": "https://chat.example"}) as own:
        await own.send("no handshake")
    await eventually(lambda: chat.of("bot.handshake_refused"))
    assert len(chat.of("bot.handshake_refused")) == 1


@pytest.mark.parametrize("method", ["poll", "socket"])
async def test_the_name_that_the_gateway_calls_us_by_is_no_origin_of_ours(chat: OpenChat, method: str) -> None:
    visitor = await chat.visitor()
    headers = {"x-forwarded-host": "chat.example", "origin": chat.url}
    if method == "poll":
        token = {"x-csrf-token": visitor.http.cookies["csrf_token"]}
        answer = await visitor.http.post("/chat/post", data={"text": "hello"}, headers={**headers, **token})
        assert (answer.status_code, answer.json()["code"]) == (403, "csrf_failed")
        return
    shown = {"x-sakimori-edge": EDGE_TOKEN, "x-forwarded-for": "203.0.113.9", "x-forwarded-host": "chat.example"}
    cookies = "; ".join(f"{name}={value}" for name, value in visitor.http.cookies.items())
    with pytest.raises(InvalidStatus) as refused:
        async with connect(
            chat.url.replace("http", "ws", 1) + "/chat/ws",
            additional_headers={**shown, "origin": chat.url, "cookie": cookies},
        ):
            pass
    assert refused.value.response.status_code == 403
