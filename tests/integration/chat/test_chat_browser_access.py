"""Everybody can use the page: by keyboard, by ear, on a small phone, in the dark, without motion."""

import json
from functools import partial
from typing import Any

import pytest

from integration.chat.browsing import banner_seconds, identity, opened_room, phone, post, posted, room, texts, words
from integration.chat.conftest import OpenChat
from sakimori_chat.adapters.rooms import ValkeyRooms
from sakimori_chat.domain.messages import Draft, Kind
from sakimori_common.context import Postgres, Valkey
from servers.chromium import Page
from servers.eventually import eventually

PEOPLE = [
    # author, name, text, kind
    ("8b1f2c3d-1111-4111-8111-111111111111", "Mika", "Read https://docs.example/guide first", Kind.PERSON),
    ("3a1f2c3d-1111-4111-8111-111111111112", "", "おはようございます。" * 12, Kind.PERSON),
    ("c41f2c3d-1111-4111-8111-111111111113", "이준", "안녕하세요 👩‍👩‍👧‍👦👍🏽🇯🇵", Kind.PERSON),
    ("weather-of-the-whole-of-the-world-bot", "Weather of all", "Tokyo: 14 °C", Kind.BOT),
    ("e91f2c3d-1111-4111-8111-111111111114", "מרים", "שלום לכולם (עם סוגריים) 123", Kind.PERSON),
    ("f21f2c3d-1111-4111-8111-111111111115", "W" * 20, "W" * 300, Kind.PERSON),
    ("071f2c3d-1111-4111-8111-111111111116", "̈" * 20, "https://docs.example/" + "a" * 270, Kind.PERSON),
    ("d51f2c3d-1111-4111-8111-111111111117", "﷽" * 20, "﷽" * 60, Kind.PERSON),
]
TOO_WIDE = """
  [...document.querySelectorAll('body *')].filter(e => e.checkVisibility() && !e.closest('.rooms')
    && !e.matches('.skip, .unseen, .about, .about *, .who label'))
    .filter(e => { const box = e.getBoundingClientRect(); return box.right > innerWidth + 1 || box.left < -1; })
    .map(e => `${e.tagName}.${e.className}#${e.id}`)
"""
TOO_SMALL = """
  [...document.querySelectorAll('a, button, input:not([type=hidden])')]
    .filter(e => e.checkVisibility() && !e.matches('.text a, .skip'))
    .map(e => [`${e.tagName}#${e.id} ${e.textContent.trim()}`, e.getBoundingClientRect()])
    .filter(([, box]) => box.width < 44 || box.height < 44).map(([name, box]) => [name, box.width, box.height])
"""
# Contrast by WCAG 2.2 of every text on the screen against the nearest ground that is painted.
CONTRASTS = """
(() => {
  const rgba = (colour) => { const [r, g, b, a = 1] = colour.match(/[\\d.]+/g).map(Number); return [r, g, b, a]; };
  const linear = (c) => c <= 0.04045 ? c / 12.92 : ((c + 0.055) / 1.055) ** 2.4;
  const light = ([r, g, b]) => 0.2126 * linear(r / 255) + 0.7152 * linear(g / 255) + 0.0722 * linear(b / 255);
  const ground = (e) => {
    const colour = e ? rgba(getComputedStyle(e).backgroundColor) : [255, 255, 255, 1];
    return colour[3] === 1 ? colour : ground(e.parentElement);
  };
  const faint = [];
  const walker = document.createTreeWalker(document.body, NodeFilter.SHOW_TEXT);
  let seen = 0;
  while (walker.nextNode()) {
    const e = walker.currentNode.parentElement;
    if (!walker.currentNode.data.trim() || !e.checkVisibility() || e.closest('script, noscript, .unseen')) continue;
    const [one, other] = [light(rgba(getComputedStyle(e).color)), light(ground(e))].sort((a, b) => b - a);
    const contrast = (one + 0.05) / (other + 0.05);
    seen += 1;
    if (contrast < 4.5) faint.push([walker.currentNode.data.trim(), contrast]);
  }
  return { seen, faint };
})()
"""


async def _said(valkey: Valkey, where: str = "lobby") -> None:
    for author, name, text, kind in PEOPLE:
        await ValkeyRooms(valkey).append(where, Draft(author, name, text, "2026-01-16T02:00:00Z", kind))


async def _rooms(postgres: Postgres) -> None:
    await room(postgres, "w" * 32, title="W" * 60)
    await room(postgres, "quiet", title="お知らせ", is_locked=True)
    await room(postgres, "slow", slow_seconds=3600)


async def _is_laid_out_well(page: Page) -> None:
    assert not await page.evaluate("document.documentElement.scrollWidth > innerWidth")
    assert await page.evaluate(TOO_WIDE) == []
    assert await page.evaluate(TOO_SMALL) == []
    form = await page.evaluate("document.querySelector('#form').getBoundingClientRect().bottom <= innerHeight")
    assert form, "the form is not in sight"
    assert await page.evaluate("document.querySelector('#log').clientHeight") >= 90


@pytest.mark.parametrize("size", [(360, 640), (320, 568), (640, 360)])
async def test_nothing_is_too_wide_or_too_small_on_a_phone(
    chat: OpenChat, page: Page, valkey: Valkey, postgres: Postgres, size: tuple[int, int]
) -> None:
    await _said(valkey)
    await _rooms(postgres)
    await phone(page, *size)
    await opened_room(page, chat.url, "quiet")
    for language in ("en", "ja", "ko"):
        for where in ("quiet", "slow", "lobby"):
            await page.open(f"{chat.url}/chat?room={where}&lang={language}")
            await _is_laid_out_well(page)
        assert len(await texts(page)) == len(PEOPLE)
        await post(page, "x" * 301)
        await eventually(lambda: words(page, "#notice"))
        await _is_laid_out_well(page)


async def test_the_room_one_is_in_is_in_sight(chat: OpenChat, page: Page, postgres: Postgres) -> None:
    await _rooms(postgres)
    await phone(page)
    await opened_room(page, chat.url, "slow")
    box = await page.evaluate(
        "(b => [b.left, b.right])(document.querySelector('.rooms [aria-current]').getBoundingClientRect())"
    )
    assert 0 <= box[0] < box[1] <= 360


@pytest.mark.parametrize("scheme", ["light", "dark"])
async def test_every_text_stands_out(
    chat: OpenChat, page: Page, valkey: Valkey, postgres: Postgres, scheme: str
) -> None:
    await _said(valkey)
    await _said(valkey, "slow")
    await _rooms(postgres)
    await page.send("Emulation.setEmulatedMedia", features=[{"name": "prefers-color-scheme", "value": scheme}])
    await opened_room(page, chat.url, "slow")
    await posted(page, "mine")
    await post(page, "x" * 301)
    await chat.decide("user.id", await identity(page), 3600)
    await eventually(lambda: words(page, "#banner"))
    await _all_stand_out(page, at_least=40)
    await opened_room(page, chat.url, "quiet")
    await _all_stand_out(page, at_least=15)
    await page.open(f"{chat.url}/chat?room=nowhere")
    await _all_stand_out(page, at_least=5)


async def _all_stand_out(page: Page, at_least: int) -> None:
    found = await page.evaluate(CONTRASTS)
    assert found["faint"] == []
    assert found["seen"] >= at_least


async def test_by_keyboard_alone(chat: OpenChat, page: Page, valkey: Valkey, postgres: Postgres) -> None:
    await _said(valkey)
    await room(postgres, "help", title="Help")
    await opened_room(page, chat.url, "help")
    await page.open(f"{chat.url}/chat")
    visited = []
    for _ in range(14):
        await page.press("Tab")
        where, has_outline = await page.evaluate(FOCUS)
        assert has_outline, f"{where} does not show that it has the focus"
        visited.append(where)
        if where == "Send":
            break
    assert visited[0] == "Skip to the message field"
    assert visited[2:5] == ["English", "日本語", "한국어"]
    assert visited[5:8] == ["Lobby", "Help", "log"]
    assert visited[-3:] == ["name", "text", "Send"]
    await page.press("Enter")  # nothing to send: the browser points to the field
    await page.type("#text", "typed by hand")
    await page.press("Tab")
    await page.press("Enter")
    await eventually(lambda: _last_is(page, "typed by hand"))


FOCUS = """
(() => {
  const e = document.activeElement, style = getComputedStyle(e);
  return [e.id || e.innerText.trim(), style.outlineStyle !== 'none' && parseFloat(style.outlineWidth) >= 2];
})()
"""


async def _last_is(page: Page, text: str) -> bool:
    return (await texts(page))[-1:] == [text]


async def test_the_first_link_leads_past_everything(chat: OpenChat, page: Page) -> None:
    await page.open(f"{chat.url}/chat")
    await page.press("Tab")
    await eventually(lambda: page.evaluate("document.activeElement.getBoundingClientRect().top >= 0"))
    await page.press("Enter")
    await eventually(lambda: page.evaluate("document.activeElement.id === 'text'"))


async def test_everything_has_a_role_and_a_name(chat: OpenChat, page: Page, postgres: Postgres) -> None:
    await room(postgres, "quiet", title="Quiet", is_locked=True)
    await opened_room(page, chat.url, "quiet")
    await page.open(f"{chat.url}/chat")
    tree = (await page.send("Accessibility.getFullAXTree"))["nodes"]
    found = [(_of(node, "role"), _of(node, "name")) for node in tree if not node["ignored"]]
    roles = [role for role, _ in found]
    assert (roles.count("banner"), roles.count("main"), roles.count("heading")) == (1, 1, 1)
    for named in [
        ("navigation", "Language"),
        ("navigation", "Rooms"),
        ("log", "Messages"),
        ("form", "Message"),
        ("textbox", "Name (optional)"),
        ("textbox", "Message 0/300"),
        ("button", "Send"),
        ("link", "Quiet locked"),
    ]:
        assert named in found or (named[0], named[1].removesuffix(" 0/300")) in found, named
    assert [pair for pair in found if pair[0] in {"link", "button", "textbox", "navigation"} and not pair[1]] == []


def _of(node: dict[str, Any], key: str) -> str:
    return str(node.get(key, {}).get("value", "")).strip()


async def test_who_listens_hears_messages_and_a_ban_but_not_its_seconds(chat: OpenChat, page: Page) -> None:
    await page.open(f"{chat.url}/chat")
    await page.evaluate(LISTEN)
    other = await chat.visitor()
    await other.post("good morning")
    await eventually(lambda: page.evaluate("window.heard.some(words => words.includes('good morning'))"))
    await page.evaluate("window.heard.length = 0")
    await chat.decide("user.id", await identity(page), 4)
    await eventually(lambda: banner_seconds(page))
    first = await banner_seconds(page)
    assert first is not None
    await eventually(lambda: page.evaluate("document.querySelector('#banner').hidden"), seconds=8)
    heard = await page.evaluate("window.heard")
    assert heard == [f"Posting is paused for {first} s.", "You can post again."]


# What a screen reader says by itself: text that is new in a live region (WAI-ARIA 1.2, 6.6.4), none of it hidden.
LISTEN = """
(() => {
  const live = '[role=log], [role=alert], [role=status], [aria-live=polite], [aria-live=assertive]';
  window.heard = [];
  new MutationObserver(changes => changes.forEach(({ target, addedNodes }) => {
    const where = target.nodeType === 1 ? target : target.parentElement;
    const region = where?.closest(live + ', [role=timer], [aria-live=off], [aria-hidden=true]');
    if (!region?.matches(live)) return;
    const said = [...addedNodes].map(node => node.textContent).join(' ').trim();
    if (said) window.heard.push(said);
  })).observe(document.body, { subtree: true, childList: true, characterData: true });
})()
"""


@pytest.mark.parametrize(("motion", "moves"), [("reduce", 0), ("no-preference", 1)])
async def test_nothing_moves_for_who_does_not_want_it(chat: OpenChat, page: Page, motion: str, moves: int) -> None:
    await page.send("Emulation.setEmulatedMedia", features=[{"name": "prefers-reduced-motion", "value": motion}])
    await page.open(f"{chat.url}/chat")
    await posted(page, "hello")
    names = await page.evaluate(
        "[...document.querySelectorAll('*')].map(e => getComputedStyle(e).animationName).filter(n => n !== 'none')"
    )
    assert len(names) == moves


async def test_the_language_is_switched_and_remembered(chat: OpenChat, page: Page) -> None:
    await page.send("Network.setExtraHTTPHeaders", headers={"accept-language": "en"})
    await page.open(f"{chat.url}/chat")
    assert await words(page, "#form button") == "Send"
    await page.evaluate("document.querySelector('.languages [lang=ko]').click()")
    await eventually(lambda: page.evaluate("document.documentElement.lang === 'ko'"))
    await page.open(f"{chat.url}/chat")
    assert await page.evaluate(
        "[document.documentElement.lang, document.querySelector('.languages [aria-current]').lang]"
    ) == [
        "ko",
        "ko",
    ]
    assert await words(page, "#form button") == "보내기"


async def test_without_script_the_newest_message_is_in_sight(chat: OpenChat, page: Page, valkey: Valkey) -> None:
    for _ in range(5):
        await _said(valkey)
    await phone(page)
    await page.send("Emulation.setScriptExecutionDisabled", value=True)
    await page.open(f"{chat.url}/chat")
    assert await page.evaluate(
        "(([last, log]) => last.bottom <= log.bottom + 1 && last.bottom > log.top)"
        "(['#messages li:last-child', '#log'].map(e => document.querySelector(e).getBoundingClientRect()))"
    )


async def test_who_reads_further_up_is_not_carried_away(chat: OpenChat, page: Page, valkey: Valkey) -> None:
    for _ in range(5):
        await _said(valkey)
    await phone(page)
    await page.open(f"{chat.url}/chat")
    await page.evaluate("document.querySelector('#messages li').scrollIntoView()")
    top = "document.querySelector('#messages li').getBoundingClientRect().top"
    before = await page.evaluate(top)
    assert before > 0
    other = await chat.visitor()
    await other.post("further down")
    await eventually(lambda: words(page, "#newer"))
    assert abs(await page.evaluate(top) - before) <= 1
    await page.evaluate("document.querySelector('#newer').click()")
    await eventually(lambda: _last_is_in_sight(page))
    assert await words(page, "#newer") is None


async def test_who_reads_the_newest_follows_what_comes(chat: OpenChat, page: Page, valkey: Valkey) -> None:
    for _ in range(5):
        await _said(valkey)
    await phone(page)
    await page.open(f"{chat.url}/chat")
    await page.evaluate("document.querySelector('#messages li').scrollIntoView()")
    await page.evaluate("document.querySelector('#messages').lastElementChild.scrollIntoView({ block: 'end' })")
    other = await chat.visitor()
    for text in ("first", "second", "third"):
        await other.post(text)
        await eventually(partial(_last_is, page, text))
        assert await _last_is_in_sight(page)
        assert await words(page, "#newer") is None


async def _last_is_in_sight(page: Page) -> bool:
    return bool(
        await page.evaluate(
            "document.querySelector('#messages').lastElementChild.getBoundingClientRect().bottom"
            " <= document.querySelector('#log').getBoundingClientRect().bottom + 1"
        )
    )


async def test_bots_are_told_apart_whatever_people_call_themselves(chat: OpenChat, page: Page, valkey: Valkey) -> None:
    rooms = ValkeyRooms(valkey)
    await page.open(f"{chat.url}/chat")
    me = (await identity(page))[:8]
    await rooms.append("lobby", Draft(f"anon-{me}", "Weather", "I am a bot", "2026-01-16T02:00:00Z", Kind.BOT))
    await rooms.append("lobby", Draft(PEOPLE[0][0], "Weather Bot", "I am not", "2026-01-16T02:00:00Z"))
    await eventually(lambda: _last_is(page, "I am not"))
    for _ in range(2):  # as it came by itself, and as it is loaded
        shown = await page.evaluate(
            "[...document.querySelectorAll('#messages li')].map(e => [e.querySelector('.badge').checkVisibility(),"
            " e.classList.contains('from-bot'), e.classList.contains('mine')])"
        )
        assert shown == [[True, True, False], [False, False, False]], json.dumps(shown)
        await page.open(f"{chat.url}/chat?again")
