"""The page in a real browser."""

from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from integration.chat.conftest import OpenChat, chat_running
from sakimori_common.context import Postgres, Valkey
from servers.chromium import Page
from servers.eventually import eventually

ATTACKS = [
    "<img src=x onerror=alert(1)>",
    "<script>alert(1)</script>",
    "</li></template><svg onload=alert(1)>",
    "javascript:alert(1)",
]


@pytest.fixture
async def brisk_chat(valkey: Valkey, postgres: Postgres, tmp_path: Path) -> AsyncIterator[OpenChat]:
    """A chat whose bans are over soon."""
    async with chat_running(
        valkey, postgres, tmp_path / "spool", ban_ladder_seconds="4", post_window_seconds=2
    ) as opened:
        yield opened


async def _post(page: Page, text: str) -> None:
    await page.type("#text", text)
    await page.press_enter()


async def _texts(page: Page) -> list[str]:
    texts: list[str] = await page.evaluate("[...document.querySelectorAll('#messages .text')].map(e => e.textContent)")
    return texts


async def _shows(page: Page, text: str) -> bool:
    return text in await _texts(page)


async def _banner_seconds(page: Page) -> int | None:
    """Read the seconds on the banner; None while it cannot be seen."""
    words = await page.evaluate("(b => b.checkVisibility() ? b.textContent : null)(document.querySelector('#banner'))")
    return None if words is None else int("".join(character for character in words if character.isdigit()))


async def test_what_others_write_is_never_run(chat: OpenChat, page: Page) -> None:
    other = await chat.visitor()
    for attack in ATTACKS:
        await other.post(attack, name="<b onclick=alert(1)>"[:20])
    await page.open(f"{chat.url}/chat")
    for attack in ATTACKS:
        await _post(page, attack)
        await eventually(lambda: page.evaluate("document.querySelector('#text').value === ''"))
    await eventually(lambda: _all_shown(page))
    assert await page.evaluate("document.querySelectorAll('#messages :is(img, script, svg, b)').length") == 0
    assert await page.evaluate("document.querySelector('#messages .name').textContent") == "<b onclick=alert(1)>"
    assert page.dialogs == []
    assert page.complaints == []


async def _all_shown(page: Page) -> bool:
    return sorted(await _texts(page)) == sorted(ATTACKS * 2)


async def test_messages_of_others_come_by_themselves(chat: OpenChat, page: Page) -> None:
    await page.open(f"{chat.url}/chat")
    assert await page.evaluate("document.querySelector('#empty').checkVisibility()")
    other = await chat.visitor()
    await other.post("hello from elsewhere")
    await eventually(lambda: _shows(page, "hello from elsewhere"), seconds=6)
    assert not await page.evaluate("document.querySelector('#empty').checkVisibility()")
    assert page.complaints == []


async def test_a_ban_is_shown_counts_down_and_goes(brisk_chat: OpenChat, page: Page) -> None:
    await page.open(f"{brisk_chat.url}/chat")
    assert await _banner_seconds(page) is None
    await page.evaluate(
        "(async () => { for (let i = 0; i < 6; i++) await fetch('/chat/post', { method: 'POST', headers: {"
        "'X-Requested-With': 'fetch', 'X-CSRF-Token': document.cookie.match(/csrf_token=([^;]+)/)[1] },"
        "body: new URLSearchParams({ text: `post ${i}` }) }) })()"
    )
    await _post(page, "one too many")
    await eventually(lambda: _banner_seconds(page))
    first = await _banner_seconds(page)
    assert first is not None
    assert 1 <= first <= 4
    assert await page.evaluate("document.querySelector('#form button').disabled")
    assert await page.evaluate("document.querySelector('#text').value") == "one too many"
    await eventually(lambda: _banner_is_below(page, first))
    await eventually(lambda: _banner_is_gone(page), seconds=8)
    await page.press_enter()
    await eventually(lambda: _shows(page, "one too many"))


async def _banner_is_below(page: Page, seconds: int) -> bool:
    left = await _banner_seconds(page)
    return left is not None and left < seconds


async def _banner_is_gone(page: Page) -> bool:
    return await _banner_seconds(page) is None


async def test_a_ban_is_shown_to_who_loads_the_page_again(chat: OpenChat, page: Page, valkey: Valkey) -> None:
    await page.open(f"{chat.url}/chat")
    cookies = (await page.send("Network.getCookies"))["cookies"]
    identity = next(cookie["value"] for cookie in cookies if cookie["name"] == "anon_id").partition(".")[0]
    await valkey.set(f"block:{identity}", "0:a", ex=30)
    await page.open(f"{chat.url}/chat?again")
    assert await _banner_seconds(page) in {29, 30}


async def test_the_newest_message_stays_in_sight_when_the_banner_comes(chat: OpenChat, page: Page) -> None:
    other = await chat.visitor()
    for number in range(5):
        await other.post(f"{number} " + "long " * 55)
    await page.send("Emulation.setDeviceMetricsOverride", width=375, height=667, deviceScaleFactor=1, mobile=True)
    await page.open(f"{chat.url}/chat")
    for _ in range(6):
        await _post(page, "short")
        await eventually(lambda: page.evaluate("!document.querySelector('#text').value || !banner.hidden"))
    await eventually(lambda: _banner_seconds(page))
    await eventually(lambda: page.evaluate(LAST_IS_IN_SIGHT))
    assert not await page.evaluate("document.documentElement.scrollWidth > innerWidth")


LAST_IS_IN_SIGHT = (
    "(() => { const list = document.querySelector('#messages');"
    "const [last, log] = [list.lastElementChild, document.querySelector('#log')].map(e => e.getBoundingClientRect());"
    "return log.height > 100 && last.bottom <= log.bottom + 1 && last.bottom > log.top })()"
)


async def test_the_page_recovers_when_its_cookies_are_gone(chat: OpenChat, page: Page) -> None:
    await page.open(f"{chat.url}/chat")
    await page.send("Network.clearBrowserCookies")
    await _post(page, "still here")
    await eventually(lambda: _shows(page, "still here"))


async def test_the_page_is_read_and_used_without_script(chat: OpenChat, page: Page) -> None:
    other = await chat.visitor()
    await other.post("hello")
    await page.send("Emulation.setScriptExecutionDisabled", value=True)
    await page.open(f"{chat.url}/chat")
    assert await _texts(page) == ["hello"]
    await _post(page, "no script here")
    await eventually(lambda: _shows(page, "no script here"))
