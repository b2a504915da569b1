"""Why a message was not taken, in the reader's words."""

import json
import re
from pathlib import Path

import pytest

from integration.chat.browsing import (
    banner_seconds,
    change_room,
    identity,
    opened_room,
    post,
    posted,
    room,
    shows,
    words,
)
from integration.chat.conftest import OpenChat, chat_running
from sakimori_chat.api.phrases import PHRASES, refusal_phrase
from sakimori_common.context import Postgres, Valkey
from servers.chromium import Page
from servers.eventually import eventually

CODES = sorted(key.removeprefix("refused_") for key in PHRASES["en"] if key.startswith("refused_"))
REFUSE_WITH = """
  window.fetch = async () => new Response(JSON.stringify({ code: %s, block_sec: %d }), { status: 403 });
  window.WebSocket = class extends EventTarget { close() {} };
"""


async def _says(page: Page, expected: str) -> bool:
    return await words(page, "#notice") == expected


@pytest.mark.parametrize("language", ["en", "ja", "ko"])
async def test_every_refusal_has_words_in_every_language(chat: OpenChat, page: Page, language: str) -> None:
    for code in CODES:
        if code in {"csrf_failed", "identity_unknown"}:
            continue  # the page tries again by itself, with new cookies
        seconds = 90 if code == "slow" else 0
        script = await page.send(
            "Page.addScriptToEvaluateOnNewDocument", source=REFUSE_WITH % (json.dumps(code), seconds)
        )
        await page.open(f"{chat.url}/chat?lang={language}&{code}")
        await post(page, "hello")
        expected = refusal_phrase(code, language, limit=300, seconds=seconds)
        await eventually(lambda words=expected: _says(page, words))  # type: ignore[misc]  # bound at once
        assert await page.evaluate("document.querySelector('#text').value") == "hello"
        await page.send("Page.removeScriptToEvaluateOnNewDocument", identifier=script["identifier"])


async def test_too_long_is_counted_and_told(chat: OpenChat, page: Page) -> None:
    await page.open(f"{chat.url}/chat")
    await post(page, "語" * 301)
    await eventually(lambda: _says(page, "Too long: at most 300 characters."))
    assert await page.evaluate("document.querySelector('#count').className") == "over"
    await page.evaluate("document.querySelector('#text').value = ''")
    await post(page, "🙂" * 300)
    await eventually(lambda: shows(page, "🙂" * 300))
    assert await words(page, "#notice") is None


async def test_far_too_long_is_told_too_and_costs_no_connection(chat: OpenChat, page: Page) -> None:
    await page.open(f"{chat.url}/chat")
    await post(page, "語" * 5_000)
    await eventually(lambda: _says(page, "Too long: at most 300 characters."))
    await post(page, "語" * 5_000)  # what was typed before is still there
    await eventually(lambda: _says(page, "That is far too long."))
    await page.evaluate("document.querySelector('#text').value = ''")
    await posted(page, "short")


async def test_what_cannot_be_seen_is_empty(chat: OpenChat, page: Page) -> None:
    await page.open(f"{chat.url}/chat")
    await post(page, "\u200b\u2060")
    await eventually(lambda: _says(page, "Write something that can be seen."))


async def test_a_locked_room_is_shown_and_opens_again(chat: OpenChat, page: Page, postgres: Postgres) -> None:
    await room(postgres, "news", title="News", is_locked=True)
    await opened_room(page, chat.url, "news")
    assert await page.evaluate("document.querySelector('#text').matches(':disabled')")
    assert await page.evaluate("document.querySelector('#form button').matches(':disabled')")
    assert await words(page, "#locked") == "This room is locked: you can read here, but nobody can post."
    assert await page.evaluate("document.querySelector('.rooms [aria-current] .lock').getAttribute('aria-label')")
    await change_room(postgres, "news", is_locked=False)
    await eventually(lambda: page.evaluate("!document.querySelector('#text').matches(':disabled')"))
    assert await words(page, "#locked") is None
    await posted(page, "the first here")
    await change_room(postgres, "news", is_locked=True)
    await eventually(lambda: page.evaluate("document.querySelector('#text').matches(':disabled')"))


async def test_slow_mode_counts_down_at_the_button(chat: OpenChat, page: Page, postgres: Postgres) -> None:
    await room(postgres, "calm", slow_seconds=3)
    await opened_room(page, chat.url, "calm")
    assert await words(page, "#slow") == "Slow mode: one message every 3 s."
    await posted(page, "first")
    assert await page.evaluate("document.querySelector('#form button').disabled")
    assert (await words(page, "#wait") or "").endswith(" s")
    assert await words(page, "#banner") is None
    await eventually(lambda: page.evaluate("!document.querySelector('#form button').disabled"), seconds=6)
    assert await words(page, "#wait") is None
    await posted(page, "second")


async def test_slow_mode_counts_down_for_who_loaded_the_page_again(
    chat: OpenChat, page: Page, postgres: Postgres
) -> None:
    await room(postgres, "calm", slow_seconds=4)
    await opened_room(page, chat.url, "calm")
    await posted(page, "first")
    await page.open(f"{chat.url}/chat?room=calm&again")
    await post(page, "second")
    await eventually(lambda: _begins(page, "Slow mode: you can post again in"))
    assert await words(page, "#banner") is None
    await eventually(lambda: page.evaluate("!document.querySelector('#form button').disabled"), seconds=8)
    assert await words(page, "#notice") is None


async def _begins(page: Page, beginning: str) -> bool:
    return (await words(page, "#notice") or "").startswith(beginning)


async def test_a_risk_that_is_too_high_is_told_with_the_time_it_takes(
    chat: OpenChat, page: Page, valkey: Valkey
) -> None:
    await page.open(f"{chat.url}/chat")
    await posted(page, "hello")
    await eventually(lambda: chat.of("chat.message_posted"))
    fingerprint = chat.of("chat.message_posted")[0].fields["client.fingerprint"]
    await valkey.set(f"risk:fp:{fingerprint}", "9", ex=3600)
    await post(page, "hello again")
    await eventually(lambda: _says(page, "Posting from here is blocked because of earlier behaviour."))
    shown = await words(page, "#banner") or ""
    assert re.fullmatch(r"Posting is paused for (1:00:00|59:\d\d)\.", shown)


async def test_without_the_store_the_page_says_that_it_comes_back(chat: OpenChat, page: Page, valkey: Valkey) -> None:
    await page.open(f"{chat.url}/chat")
    await valkey.config_set("maxmemory", "1")
    try:
        await post(page, "hello")
        await eventually(lambda: _says(page, "The chat cannot be reached right now. It comes back by itself."))
    finally:
        await valkey.config_set("maxmemory", "0")
    await page.press_enter()
    await eventually(lambda: shows(page, "hello"))


async def test_a_room_that_is_closed_stays_readable(chat: OpenChat, page: Page, postgres: Postgres) -> None:
    await room(postgres, "brief")
    await opened_room(page, chat.url, "brief")
    await posted(page, "last words")
    await postgres.execute("UPDATE chat.rooms SET is_open = false WHERE name = 'brief'")
    await eventually(lambda: _is_closed(page))
    assert await shows(page, "last words")
    assert await page.evaluate("document.querySelector('#text').matches(':disabled')")


async def _is_closed(page: Page) -> bool:
    return await words(page, "#locked") == "This room has been closed."


async def test_a_cookie_of_another_key_is_replaced_and_the_message_sent(chat: OpenChat, page: Page) -> None:
    await page.open(f"{chat.url}/chat")
    mine = await identity(page)
    await page.send(
        "Network.setCookie", name="anon_id", value=f"{mine}.1700000000.c2lnbmF0dXJl", url=chat.url, httpOnly=True
    )
    await page.type("#name", "Mika")  # a new name goes by HTTP, where the cookie is looked at
    await post(page, "it is me, I think")
    await eventually(lambda: shows(page, "it is me, I think"))
    assert await identity(page) != mine
    await eventually(lambda: page.evaluate(f"!document.querySelector('#me').textContent.includes('{mine[:8]}')"))


async def test_a_refused_ban_is_shown_without_script(
    valkey: Valkey, postgres: Postgres, tmp_path: Path, page: Page
) -> None:
    async with chat_running(valkey, postgres, tmp_path / "spool", post_limit=1) as chat:
        await page.send("Emulation.setScriptExecutionDisabled", value=True)
        await page.open(f"{chat.url}/chat?lang=ko")
        await post(page, "하나")
        await eventually(lambda: shows(page, "하나"))
        await post(page, "둘")
        await eventually(lambda: banner_seconds(page))
        assert await words(page, "#notice") == "짧은 시간에 너무 많은 메시지를 보냈습니다."
        assert await page.evaluate("document.querySelector('#text').value") == "둘"
