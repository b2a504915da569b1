"""Whatever is put into texts, names and titles, by whatever way it comes: a real browser makes nothing of it."""

from collections.abc import AsyncIterator
from urllib.parse import quote, urlsplit

import pytest

from integration.chat.browsing import change_room, opened_room, post, room, shows, texts, words
from integration.chat.conftest import OpenChat
from sakimori_chat.adapters.rooms import ValkeyRooms
from sakimori_chat.domain.messages import Draft, Kind
from sakimori_common.context import Postgres, Valkey
from servers.chromium import Page
from servers.eventually import eventually
from servers.line import Line, line_to

ATTACKS = [
    "<img src=x onerror=alert(1)>",
    "<script>alert(1)</script>",
    "</li></ol></template><svg onload=alert(1)>",
    '"><iframe srcdoc="<script>alert(1)</script>">',
    "javascript:alert(1)",
    'https://x.example/" onmouseover="alert(1)',
    "https://x.example/<img src=x onerror=alert(1)>",
    "{{ 7*7 }} ${alert(1)} <%= 7*7 %>",
    "</script><script>alert(1)</script>",
    "<style>*{display:none}</style><link rel=stylesheet href=//evil.example>",
    "&lt;b&gt; &#60;b&#62; \\u003cb\\u003e",
]
AUTHOR = "0b0f3c5e-7a55-4b1e-9d0a-5a4f3f1c2d3e"
FOREIGN_ELEMENTS = "document.querySelectorAll('#messages :is(img, script, svg, iframe, style, link, b)').length"
OWN_SCRIPTS = "[...document.scripts].every(script => script.id === 'state' || script.src.includes('/chat/static/'))"


@pytest.fixture
async def line(chat: OpenChat) -> AsyncIterator[Line]:
    """A line to the chat."""
    async with line_to(urlsplit(chat.url).port or 0) as opened:
        yield opened


async def _said(valkey: Valkey, kind: Kind) -> None:
    """Say every attack, by a name that is one as well; past everything that cleans and checks."""
    rooms = ValkeyRooms(valkey)
    for attack in ATTACKS:
        author = AUTHOR if kind is Kind.PERSON else attack
        await rooms.append("lobby", Draft(author, attack, attack, "2026-01-16T02:00:00Z", kind))


async def _is_harmless(page: Page, count: int) -> None:
    await eventually(lambda: _has(page, count))
    assert await texts(page) == ATTACKS * (count // len(ATTACKS))
    names = await page.evaluate("[...document.querySelectorAll('#messages .name')].map(e => e.textContent)")
    assert names == ATTACKS * (count // len(ATTACKS))
    assert await page.evaluate(FOREIGN_ELEMENTS) == 0
    assert await page.evaluate(OWN_SCRIPTS)
    assert await page.evaluate("document.querySelectorAll('#messages [onmouseover], #messages [onerror]').length") == 0
    hrefs = await page.evaluate("[...document.querySelectorAll('#messages a')].map(e => e.href)")
    assert hrefs
    assert all(href.startswith("https://x.example/") for href in hrefs)
    assert page.dialogs == []
    assert page.complaints == []


@pytest.mark.parametrize("kind", [Kind.PERSON, Kind.BOT])
async def test_in_the_page_as_it_is_loaded(chat: OpenChat, page: Page, valkey: Valkey, kind: Kind) -> None:
    await _said(valkey, kind)
    await page.open(f"{chat.url}/chat")
    await _is_harmless(page, len(ATTACKS))


@pytest.mark.parametrize("kind", [Kind.PERSON, Kind.BOT])
async def test_as_it_comes_by_websocket(chat: OpenChat, page: Page, valkey: Valkey, kind: Kind) -> None:
    await page.open(f"{chat.url}/chat")
    await _said(valkey, kind)
    await _is_harmless(page, len(ATTACKS))


@pytest.mark.parametrize("kind", [Kind.PERSON, Kind.BOT])
async def test_as_it_comes_by_polling(chat: OpenChat, line: Line, page: Page, valkey: Valkey, kind: Kind) -> None:
    line.takes_websockets = False
    await page.open(f"{line.address}/chat")
    await eventually(lambda: page.complaints)
    page.complaints.clear()  # that the WebSocket was refused, which it was meant to be
    await _said(valkey, kind)
    await eventually(lambda: _has(page, len(ATTACKS)))
    page.complaints.clear()
    await _is_harmless(page, len(ATTACKS))


async def _has(page: Page, count: int) -> bool:
    return len(await texts(page)) == count


@pytest.mark.parametrize("scripts", [True, False], ids=["by the script", "by the plain form"])
async def test_as_it_is_posted(chat: OpenChat, page: Page, scripts: bool) -> None:
    await page.send("Emulation.setScriptExecutionDisabled", value=not scripts)
    await page.open(f"{chat.url}/chat")
    await page.type("#name", "<b onclick=alert()>")
    await post(page, ATTACKS[0])
    await eventually(lambda: shows(page, ATTACKS[0]))
    assert await page.evaluate(FOREIGN_ELEMENTS) == 0
    assert await page.evaluate("document.querySelector('#name').value") in {"<b onclick=alert()>", ""}
    assert page.dialogs == []


async def test_what_was_typed_into_a_form_that_is_refused_comes_back_as_text(chat: OpenChat, page: Page) -> None:
    await page.send("Emulation.setScriptExecutionDisabled", value=True)
    await page.open(f"{chat.url}/chat")
    attack = '"><img src=x onerror=alert(1)>' * 20
    await post(page, attack)
    await eventually(lambda: words(page, "#notice"))
    assert await page.evaluate("document.querySelector('#text').value") == attack
    assert await page.evaluate("document.querySelectorAll('main img').length") == 0


@pytest.mark.parametrize("title", ["</script><img src=x onerror=alert(1)>", '"><svg onload=alert(1)>', "<!--<script>"])
async def test_in_the_title_of_a_room(chat: OpenChat, page: Page, postgres: Postgres, title: str) -> None:
    await room(postgres, "odd", title=title)
    await opened_room(page, chat.url, "odd")
    assert await page.evaluate("document.querySelector('#title').textContent") == title
    assert await page.evaluate("document.querySelector('.rooms [aria-current]').textContent.trim()") == title
    await change_room(postgres, "odd", title=f"{title}!")
    await eventually(lambda: _is_titled(page, f"{title}!"))
    assert await page.evaluate("document.querySelectorAll('main :is(img, svg)').length") == 0
    assert await page.evaluate("document.querySelectorAll('#form').length") == 1
    assert page.dialogs == []
    assert page.complaints == []


async def _is_titled(page: Page, title: str) -> bool:
    shown = await page.evaluate("[document.querySelector('#title').textContent, document.title]")
    return bool(shown[0] == title and shown[1].startswith(title))


@pytest.mark.parametrize("query", ["room", "lang", "after"])
async def test_in_the_address(chat: OpenChat, page: Page, query: str) -> None:
    await page.open(f"{chat.url}/chat?{query}={quote('</title><img src=x onerror=alert(1)>')}")
    assert await page.evaluate("document.querySelectorAll('img').length") == 0
    assert page.dialogs == []
