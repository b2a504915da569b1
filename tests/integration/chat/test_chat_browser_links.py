"""What of a text becomes a link, and how its host is shown."""

import json

import pytest

from integration.chat.browsing import shows
from integration.chat.conftest import OpenChat
from servers.chromium import Page
from servers.eventually import eventually

LINKS = [
    # typed, shown, where it leads
    ("http://docs.example/a?b=1#c", "http://docs.example/a?b=1#c", "http://docs.example/a?b=1#c"),
    ("HTTPS://Docs.Example/Path", "https://docs.example/Path", "https://docs.example/Path"),
    ("https://docs.example:8443/", "https://docs.example:8443/", "https://docs.example:8443/"),
    ("https://docs.example:443/", "https://docs.example/", "https://docs.example/"),
    # Cyrillic letters that look Latin, a Latin one with a dot below, full-width ones
    ("https://аррӏе.example/", "https://xn--80ak6aa92e.example/", "https://xn--80ak6aa92e.example/"),
    ("https://pаypal.example/", "https://xn--pypal-4ve.example/", "https://xn--pypal-4ve.example/"),
    ("https://exạmple.example/", "https://xn--exmple-xc8b.example/", "https://xn--exmple-xc8b.example/"),
    ("https://ｂａｎｋ．example/", "https://bank.example/", "https://bank.example/"),
    # Japanese and Korean hosts stay as they are, unless a letter passes for a sign
    ("https://日本語.example/道", "https://日本語.example/道", "https://xn--wgv71a119e.example/%E9%81%93"),
    ("https://한국어.example/", "https://한국어.example/", "https://xn--3e0bk47br7k.example/"),
    ("https://bank.exampleノlogin.evil.example/", None, None),
    # a host that another notation hides
    ("http://0x7f000001/", "http://127.0.0.1/", "http://127.0.0.1/"),
    ("http://[2001:db8::1]/x", "http://[2001:db8::1]/x", "http://[2001:db8::1]/x"),
]
NO_LINKS = [
    "javascript:alert(1)",
    "data:text/html,<script>alert(1)</script>",
    "ftp://files.example/",
    "file:///etc/passwd",
    "//docs.example/",
    "www.docs.example",
    "https://",
    "https:///docs.example",
    "https://bank.example@evil.example/",
    "https://user:secret@evil.example/",
    "https://docs.example:99999/",
    "https://docs.example:/",
]
IN_SENTENCES = [
    ("See https://docs.example/a.", ["See ", "https://docs.example/a", "."]),
    ("(https://docs.example/a)", ["(", "https://docs.example/a", ")"]),
    ("https://docs.example/a_(b)!", ["https://docs.example/a_(b)", "!"]),
    ("「https://docs.example/a」。", ["「", "https://docs.example/a", "」。"]),
    ("a https://x.example b http://y.example", ["a ", "https://x.example", " b ", "http://y.example"]),
    ("no link at all", ["no link at all"]),
    ("", []),
]


async def _pieces(page: Page, text: str) -> list[dict[str, str]]:
    modules = "document.querySelector('script[type=module]').src.replace('chat.js', 'links.js')"
    found: list[dict[str, str]] = await page.evaluate(
        f"import({modules}).then(links => links.pieces({json.dumps(text)}))"
    )
    return found


async def test_links_are_shown_as_they_are(chat: OpenChat, page: Page) -> None:
    await page.open(f"{chat.url}/chat")
    for typed, shown, href in LINKS:
        (piece,) = await _pieces(page, typed)
        if shown is None:  # which punycode it is does not matter: it cannot be read as bank.example
            assert piece["text"].startswith("https://bank.xn--")
        else:
            assert (piece["text"], piece["href"]) == (shown, href)


async def test_nothing_else_becomes_a_link(chat: OpenChat, page: Page) -> None:
    await page.open(f"{chat.url}/chat")
    for text in NO_LINKS:
        found = await _pieces(page, text)
        assert found == [{"text": text}]


async def test_a_sentence_keeps_what_belongs_to_it(chat: OpenChat, page: Page) -> None:
    await page.open(f"{chat.url}/chat")
    for text, expected in IN_SENTENCES:
        assert [piece["text"] for piece in await _pieces(page, text)] == expected


@pytest.mark.parametrize("text", ["https://" + "(" * 1990, "http://a.example/" + ")" * 1980, "https://" * 250])
async def test_a_text_made_to_be_slow_is_not(chat: OpenChat, page: Page, text: str) -> None:
    await page.open(f"{chat.url}/chat")
    assert "".join(piece["text"] for piece in await _pieces(page, text)) == text


async def test_a_link_tells_the_other_side_nothing_and_gives_it_nothing(chat: OpenChat, page: Page) -> None:
    other = await chat.visitor()
    await other.post("look at https://docs.example/guide today")
    await page.open(f"{chat.url}/chat")
    await other.post("and then at https://docs.example/more")
    await eventually(lambda: shows(page, "and then at https://docs.example/more"))
    links = await page.evaluate("[...document.querySelectorAll('#messages a')].map(a => [a.href, a.rel, a.target])")
    rel = "noopener noreferrer nofollow ugc"
    assert links == [
        ["https://docs.example/guide", rel, "_blank"],
        ["https://docs.example/more", rel, "_blank"],
    ]
