"""The page in a real browser that came by the gateway: what it is sent, what it does, what operators do to it."""

from typing import Any

from gateway.pair import Pair
from integration.chat.browsing import banner_seconds, posted, shows, texts, words
from servers.chromium import Browser, Page
from servers.eventually import eventually

COUNT_POLLS = """
  window.polls = 0;
  const fetched = window.fetch;
  window.fetch = (...given) => {
    window.polls += String(given[0]).startsWith('/chat/poll');
    return fetched(...given);
  };
  window.sockets = [];
  window.WebSocket = class extends WebSocket { constructor(...given) { super(...given); window.sockets.push(this); } };
"""
POLICY = (
    "default-src 'self'; object-src 'none'; frame-ancestors 'none'; base-uri 'none'; form-action 'self';"
    " require-trusted-types-for 'script'; trusted-types 'none'"
)


async def _live(page: Page, pair: Pair) -> None:
    await page.send("Page.addScriptToEvaluateOnNewDocument", source=COUNT_POLLS)
    await page.open(f"{pair.stage.url}/chat")
    await eventually(lambda: page.evaluate("window.sockets.some(socket => socket.readyState === WebSocket.OPEN)"))


async def test_two_browsers_talk_to_each_other_by_websocket(pair: Pair, page: Page, browser: Browser) -> None:
    async with browser.visitor() as other:
        await _live(page, pair)
        await _live(other, pair)
        await posted(page, "hello, is somebody there?")
        await eventually(lambda: shows(other, "hello, is somebody there?"))
        await posted(other, "yes, over here")
        await eventually(lambda: shows(page, "yes, over here"))
        assert await texts(page) == await texts(other) == ["hello, is somebody there?", "yes, over here"]
        assert await page.evaluate("document.querySelectorAll('#messages .mine').length") == 1
        assert await page.evaluate("window.polls") == await other.evaluate("window.polls") == 0
        assert page.complaints == other.complaints == []


async def test_the_browser_keeps_the_cookies_as_they_are_meant(pair: Pair, page: Page) -> None:
    await page.open(f"{pair.stage.url}/chat")
    cookies: dict[str, dict[str, Any]] = {
        cookie["name"]: cookie for cookie in (await page.send("Network.getCookies"))["cookies"]
    }
    assert {name: (cookie["httpOnly"], cookie["sameSite"], cookie["path"]) for name, cookie in cookies.items()} == {
        "anon_id": (True, "Lax", "/"),
        "csrf_token": (False, "Lax", "/"),
    }
    assert await page.evaluate("document.cookie.split('; ').map(each => each.split('=')[0])") == ["csrf_token"]
    await posted(page, "it is me")
    await page.open(f"{pair.stage.url}/chat?again")
    assert await page.evaluate("document.querySelectorAll('#messages .mine').length") == 1


async def test_the_pages_own_policy_arrives_once_and_keeps_foreign_script_out(pair: Pair, page: Page) -> None:
    await page.open(f"{pair.stage.url}/chat")
    headers = await page.evaluate("fetch('/chat').then(answer => Object.fromEntries(answer.headers))")
    assert headers["content-security-policy"] == POLICY  # two of them would be joined by a comma
    assert headers["x-content-type-options"] == "nosniff"
    assert headers["x-frame-options"] == "DENY"
    assert page.complaints == []
    await page.evaluate(
        "(script => { script.append('window.isRun = true'); document.head.append(script); })"
        "(document.createElement('script'))"
    )
    await eventually(lambda: page.complaints)
    assert "The action has been blocked" in page.complaints[0]
    assert await page.evaluate("window.isRun") is None


async def test_an_operators_ban_and_deletion_show_on_the_open_page(pair: Pair, page: Page) -> None:
    await _live(page, pair)
    await posted(page, "buy now")
    assert await banner_seconds(page) is None
    ban = {"room": "lobby", "message": 1, "seconds": 600, "reason": "spam"}
    await pair.ask("analyst", "POST", "/chat/bans", ban, 201)
    assert (await eventually(lambda: banner_seconds(page)) or 0) > 500
    assert await page.evaluate("document.querySelector('#form button').disabled")
    await pair.ask("analyst", "DELETE", "/chat/rooms/lobby/messages/1", None, 200)
    await eventually(lambda: _is_empty(page))
    assert page.complaints == []


async def _is_empty(page: Page) -> bool:
    return await texts(page) == []


async def test_the_form_works_without_script(pair: Pair, page: Page) -> None:
    await page.send("Emulation.setScriptExecutionDisabled", value=True)
    await page.open(f"{pair.stage.url}/chat")
    await page.type("#text", "without script")
    await page.press_enter()
    await eventually(lambda: shows(page, "without script"))
    assert await words(page, "#form button") == "Send"
    assert page.complaints == []
