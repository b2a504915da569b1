"""Messages come by WebSocket, by polling while that fails, and nothing is lost or doubled on the way."""

from collections.abc import AsyncIterator
from pathlib import Path
from urllib.parse import urlsplit

import pytest

from integration.chat.browsing import banner_seconds, identity, post, posted, shows, texts, words
from integration.chat.conftest import OpenChat, chat_running
from sakimori_chat.adapters.rooms import ValkeyRooms
from sakimori_chat.domain.messages import Draft
from sakimori_common.context import Postgres, Valkey
from servers.chromium import Browser, Page
from servers.eventually import eventually
from servers.line import Line, line_to

AUTHOR = "0b0f3c5e-7a55-4b1e-9d0a-5a4f3f1c2d3e"
COUNT_SOCKETS = """
  window.sockets = [];
  window.WebSocket = class extends WebSocket { constructor(...given) { super(...given); window.sockets.push(this); } };
  const fetched = window.fetch;
  window.polls = 0;
  window.fetch = (...given) => {
    if (String(given[0]).startsWith('/chat/poll')) window.polls += 1;
    return fetched(...given);
  };
"""
IS_LIVE = "window.sockets.some(socket => socket.readyState === WebSocket.OPEN)"


def _port(chat: OpenChat) -> int:
    return urlsplit(chat.url).port or 0


async def _watched(page: Page) -> None:
    await page.send("Page.addScriptToEvaluateOnNewDocument", source=COUNT_SOCKETS)


async def _live(page: Page, address: str) -> None:
    await _watched(page)
    await page.open(address)
    await eventually(lambda: page.evaluate(IS_LIVE))


@pytest.fixture
async def line(chat: OpenChat) -> AsyncIterator[Line]:
    """A line to the chat."""
    async with line_to(_port(chat)) as opened:
        yield opened


async def test_two_browsers_talk_to_each_other_without_polling(chat: OpenChat, page: Page, browser: Browser) -> None:
    async with browser.visitor() as other:
        await _live(page, f"{chat.url}/chat")
        await _live(other, f"{chat.url}/chat")
        await posted(page, "hello, is somebody there?")
        await eventually(lambda: shows(other, "hello, is somebody there?"))
        await posted(other, "yes, over here")
        await eventually(lambda: shows(page, "yes, over here"))
        assert await texts(page) == await texts(other) == ["hello, is somebody there?", "yes, over here"]
        assert await page.evaluate("document.querySelectorAll('#messages .mine').length") == 1
        assert await page.evaluate("window.polls") == await other.evaluate("window.polls") == 0
        assert page.complaints == other.complaints == []


async def test_where_websockets_are_refused_the_page_polls(chat: OpenChat, line: Line, page: Page) -> None:
    line.takes_websockets = False
    await _watched(page)
    await page.open(f"{line.address}/chat")
    other = await chat.visitor()
    await other.post("by polling")
    await eventually(lambda: shows(page, "by polling"))
    await posted(page, "by a form")
    assert line.refused_websockets >= 1
    assert not await page.evaluate(IS_LIVE)

    line.takes_websockets = True
    await eventually(lambda: page.evaluate(IS_LIVE), seconds=30)
    await other.post("by WebSocket again")
    await eventually(lambda: shows(page, "by WebSocket again"))
    assert await texts(page) == ["by polling", "by a form", "by WebSocket again"]


async def test_a_cut_line_loses_and_doubles_nothing(chat: OpenChat, line: Line, page: Page) -> None:
    await _live(page, f"{line.address}/chat")
    writers = [await chat.visitor(f"203.0.113.{number}") for number in range(20, 24)]
    for turn in range(12):
        await writers[turn % 4].post(f"{turn}: {'abcdefghijkl'[turn] * 3}")
        if turn in {3, 7, 9}:
            line.cut()
    expected = [f"{turn}: {'abcdefghijkl'[turn] * 3}" for turn in range(12)]
    await eventually(lambda: _are_shown(page, expected), seconds=20)


async def _are_shown(page: Page, expected: list[str]) -> bool:
    return await texts(page) == expected


async def test_a_connection_that_died_without_a_word_is_replaced(chat: OpenChat, line: Line, page: Page) -> None:
    await _live(page, f"{line.address}/chat")
    line.mute()
    other = await chat.visitor()
    await other.post("unheard")
    await page.evaluate("dispatchEvent(new Event('online'))")  # as when a laptop wakes up in another network
    await eventually(lambda: shows(page, "unheard"))
    await eventually(lambda: page.evaluate("window.sockets.length === 2 && window.sockets[1].readyState === 1"))
    await other.post("heard by the new one")
    await eventually(lambda: shows(page, "heard by the new one"))
    assert await texts(page) == ["unheard", "heard by the new one"]


async def test_much_that_was_said_meanwhile_is_fetched_whole(
    chat: OpenChat, line: Line, page: Page, valkey: Valkey
) -> None:
    await _live(page, f"{line.address}/chat")
    line.is_up = False
    line.cut()
    rooms = ValkeyRooms(valkey)
    for number in range(150):
        await rooms.append("lobby", Draft(AUTHOR, "", f"number {number}", "2026-01-16T02:00:00Z"))
    line.is_up = True
    await page.evaluate("dispatchEvent(new Event('online'))")
    await eventually(lambda: _are_shown(page, [f"number {number}" for number in range(150)]))
    await eventually(lambda: page.evaluate(IS_LIVE), seconds=20)
    for number in range(150, 260):
        await rooms.append("lobby", Draft(AUTHOR, "", f"number {number}", "2026-01-16T02:00:00Z"))
    await eventually(lambda: _are_shown(page, [f"number {number}" for number in range(60, 260)]))


async def test_while_nothing_answers_the_page_says_so_and_comes_back(chat: OpenChat, line: Line, page: Page) -> None:
    await _live(page, f"{line.address}/chat")
    line.is_up = False
    line.cut()
    await eventually(lambda: words(page, "#notice"), seconds=15)
    assert await words(page, "#notice") == "The connection is lost; trying again."
    await post(page, "said in the dark")
    await eventually(lambda: _says(page, "The connection broke while sending."))
    assert await page.evaluate("document.querySelector('#text').value") == "said in the dark"
    other = await chat.visitor()
    await other.post("meanwhile elsewhere")

    line.is_up = True
    await page.evaluate("dispatchEvent(new Event('online'))")
    await eventually(lambda: shows(page, "meanwhile elsewhere"))
    await eventually(lambda: page.evaluate(IS_LIVE), seconds=20)
    await page.press_enter()
    await eventually(lambda: shows(page, "said in the dark"))
    assert await texts(page) == ["meanwhile elsewhere", "said in the dark"]


async def _says(page: Page, beginning: str) -> bool:
    return (await words(page, "#notice") or "").startswith(beginning)


async def test_a_server_that_restarts_is_found_again(
    valkey: Valkey, postgres: Postgres, tmp_path: Path, page: Page
) -> None:
    async with chat_running(valkey, postgres, tmp_path / "spool") as first, line_to(_port(first)) as line:
        await _live(page, f"{line.address}/chat")
        await posted(page, "before the restart")
        async with chat_running(valkey, postgres, tmp_path / "other") as second:
            line.target_port = _port(second)
            line.cut()
            other = await second.visitor()
            await other.post("while it came up")
            await eventually(lambda: shows(page, "while it came up"))
            await eventually(lambda: page.evaluate(IS_LIVE), seconds=20)
            await posted(page, "after the restart")
            assert await texts(page) == ["before the restart", "while it came up", "after the restart"]


async def test_a_message_that_was_taken_before_the_line_broke_is_not_sent_twice(
    chat: OpenChat, line: Line, page: Page
) -> None:
    await _live(page, f"{line.address}/chat")
    # The answer to the post never arrives; the message itself comes with the next connection.
    await page.evaluate(
        "WebSocket.prototype.send = (send => function (frame) { send.call(this, frame);"
        "  this.close(); WebSocket.prototype.send = send; })(WebSocket.prototype.send)"
    )
    await post(page, "sent, but never answered")
    await eventually(lambda: shows(page, "sent, but never answered"), seconds=20)
    await eventually(lambda: page.evaluate("document.querySelector('#text').value === ''"))
    assert await words(page, "#notice") is None
    assert await texts(page) == ["sent, but never answered"]


async def test_a_deleted_message_vanishes_at_once(chat: OpenChat, page: Page, valkey: Valkey) -> None:
    other = await chat.visitor()
    for text in ("stays", "goes", "stays too"):
        await other.post(text)
    await _live(page, f"{chat.url}/chat")
    await ValkeyRooms(valkey).delete("lobby", 2)
    await eventually(lambda: _are_shown(page, ["stays", "stays too"]))
    assert await page.evaluate("window.polls") == 0


async def test_what_was_deleted_while_the_line_was_cut_vanishes_too(
    chat: OpenChat, line: Line, page: Page, valkey: Valkey
) -> None:
    other = await chat.visitor()
    for text in ("stays", "goes", "stays too"):
        await other.post(text)
    await _live(page, f"{line.address}/chat")
    line.takes_websockets = False
    line.cut()
    await ValkeyRooms(valkey).delete("lobby", 2)
    await eventually(lambda: _are_shown(page, ["stays", "stays too"]), seconds=20)


async def test_a_ban_comes_over_the_websocket_and_is_lifted_by_it(chat: OpenChat, page: Page) -> None:
    await _live(page, f"{chat.url}/chat")
    mine = await identity(page)
    await chat.decide("user.id", mine, 30)
    await eventually(lambda: banner_seconds(page))
    assert await banner_seconds(page) in {29, 30}
    assert await page.evaluate("document.querySelector('#form button').disabled")
    assert await page.evaluate("window.polls") == 0
    await chat.decide("user.id", mine, -1)
    await eventually(lambda: _banner_is_gone(page))
    assert not await page.evaluate("document.querySelector('#form button').disabled")


async def test_a_ban_of_seconds_counts_down_and_goes(chat: OpenChat, page: Page) -> None:
    await _live(page, f"{chat.url}/chat")
    await chat.decide("user.id", await identity(page), 3)
    await eventually(lambda: banner_seconds(page))
    await eventually(lambda: _banner_is_gone(page), seconds=8)


async def _banner_is_gone(page: Page) -> bool:
    return await words(page, "#banner") is None


async def test_a_muted_author_notices_nothing(chat: OpenChat, page: Page, browser: Browser, valkey: Valkey) -> None:
    async with browser.visitor() as other:
        await _live(page, f"{chat.url}/chat")
        await _live(other, f"{chat.url}/chat")
        await valkey.set(f"mute:{await identity(page)}", "1", ex=60)
        await posted(page, "nobody hears me")
        await posted(other, "everybody hears me")
        await eventually(lambda: shows(page, "everybody hears me"))
        assert await texts(page) == ["nobody hears me", "everybody hears me"]
        assert await texts(other) == ["everybody hears me"]
        await page.open(f"{chat.url}/chat?again")
        assert await texts(page) == ["nobody hears me", "everybody hears me"]


async def test_the_policy_lets_the_pages_own_websocket_through_and_no_other(chat: OpenChat, page: Page) -> None:
    await _live(page, f"{chat.url}/chat")
    assert page.complaints == []
    await page.evaluate("new WebSocket('ws://localhost:9/elsewhere')")
    await eventually(lambda: page.complaints)
    assert "Content Security Policy" in page.complaints[0]
    assert "connect-src" in page.complaints[0]


async def test_no_script_can_make_markup_of_text(chat: OpenChat, page: Page) -> None:
    await page.open(f"{chat.url}/chat")
    refused = await page.evaluate(
        "(() => { try { document.body.innerHTML = '<b>x</b>' } catch (e) { return e.name } })()"
    )
    assert refused == "TypeError"
