"""What a person does and sees in the page, for tests in a real browser."""

from typing import Any

from sakimori_chat.adapters.room_registry import PostgresRoomRegistry
from sakimori_common.context import Postgres
from servers.chromium import Page
from servers.eventually import eventually


async def post(page: Page, text: str) -> None:
    """Write into the message field and press Enter."""
    await page.type("#text", text)
    await page.press_enter()


async def posted(page: Page, text: str) -> None:
    """Post and wait until the message is shown."""
    await post(page, text)
    await eventually(lambda: shows(page, text))


async def texts(page: Page) -> list[str]:
    """Read all messages on the screen, in order."""
    found: list[str] = await page.evaluate("[...document.querySelectorAll('#messages .text')].map(e => e.textContent)")
    return found


async def shows(page: Page, text: str) -> bool:
    """Tell whether a message is on the screen."""
    return text in await texts(page)


async def words(page: Page, selector: str) -> str | None:
    """Read an element; None while it cannot be seen."""
    found: str | None = await page.evaluate(
        f"(e => e?.checkVisibility() ? e.textContent.trim() : null)(document.querySelector({selector!r}))"
    )
    return found


async def banner_seconds(page: Page) -> int | None:
    """Read the seconds on the banner; None while it cannot be seen."""
    shown = await words(page, "#banner")
    return None if shown is None else int("".join(character for character in shown if character.isdigit()))


async def identity(page: Page) -> str:
    """Read the anonymous id out of the page's cookie."""
    cookies = (await page.send("Network.getCookies"))["cookies"]
    value: str = next(cookie["value"] for cookie in cookies if cookie["name"] == "anon_id")
    return value.partition(".")[0]


async def phone(page: Page, width: int = 360, height: int = 640) -> None:
    """Make the page as small as on a phone."""
    await page.send("Emulation.setDeviceMetricsOverride", width=width, height=height, deviceScaleFactor=1, mobile=True)


async def room(postgres: Postgres, name: str, **policy: Any) -> None:
    """Make a room as an operator does; the chat knows it within a second."""
    await PostgresRoomRegistry(postgres).create(name, policy, "operator")


async def change_room(postgres: Postgres, name: str, **policy: Any) -> None:
    """Change a room as an operator does."""
    await PostgresRoomRegistry(postgres).change(name, policy, None, "operator")


async def opened_room(page: Page, url: str, name: str) -> None:
    """Open a room as soon as the chat knows it."""
    await eventually(lambda: _is_open(page, f"{url}/chat?room={name}"))
    page.complaints.clear()


async def _is_open(page: Page, address: str) -> bool:
    await page.open(address)
    return bool(await page.evaluate("!!document.querySelector('#form')"))
