"""What goes out to one bot: answers at once, then what is new in its rooms, never more than it takes."""

import asyncio
from collections import deque
from collections.abc import Awaitable, Callable, Iterable
from contextlib import ExitStack
from functools import partial
from typing import Final

from sakimori_chat.bots.domain.frames import frame
from sakimori_chat.bots.sessions.ports import RoomNews
from sakimori_chat.domain.messages import Page
from sakimori_chat.ports import StoreUnavailable

MAX_ANSWERS: Final = 64
"""Answers that may wait: those to 30 jobs, and pings and refusals beside them."""
FRAME_MESSAGES: Final = 50
"""Messages in a frame: 600 KB where each has all that a room ever takes."""
RETRY_SECONDS: Final = 1.0
_BEYOND: Final = 2**53
"""A number that no room has reached."""


class Overflow(Exception):
    """More answers wait than a bot that reads them can leave."""


class Delivery:
    """The outgoing side of a session. A room costs a number, however far the bot is behind."""

    def __init__(
        self, news: RoomNews, send: Callable[[bytes], Awaitable[None]], *, retry_seconds: float = RETRY_SECONDS
    ) -> None:
        self._retry_seconds = retry_seconds
        self._news = news
        self._send = send
        self._answers: deque[bytes] = deque()
        self._numbers: dict[str, int] = {}
        self._deleted: dict[str, frozenset[int]] = {}
        self._fresh: set[str] = set()
        self._watched: dict[str, ExitStack] = {}
        self._wake = asyncio.Event()
        self._is_held = False

    @property
    def numbers(self) -> dict[str, int]:
        """Say up to which number of each room the bot has been told."""
        return dict(self._numbers)

    @property
    def waiting(self) -> int:
        """Count the answers that wait."""
        return len(self._answers)

    def answer(self, answer: bytes) -> None:
        """Send a frame next. Raises Overflow."""
        if len(self._answers) >= MAX_ANSWERS:
            raise Overflow
        self._answers.append(answer)
        self._wake.set()

    async def follow(self, rooms: Iterable[str]) -> None:
        """Follow these rooms from now on, and no others. Raises StoreUnavailable."""
        wanted = set(rooms)
        for room in set(self._watched) - wanted:
            self._watched.pop(room).close()
            del self._numbers[room]
            self._fresh.discard(room)
        for room in wanted - set(self._watched):
            now = await self._news.since(room, _BEYOND)
            watching = ExitStack()
            watching.enter_context(self._news.watch(room, partial(self._heard, room)))
            self._numbers[room], self._watched[room], self._deleted[room] = now.next, watching, frozenset(now.deleted)
            self._heard(room)  # what came between the two

    def hold(self, *, is_held: bool) -> None:
        """Keep news back, or go on with them; answers go out all the same."""
        if self._is_held and not is_held:
            self._wake.set()
        self._is_held = is_held

    def close(self) -> None:
        """Follow nothing any more."""
        for watching in self._watched.values():
            watching.close()
        self._watched.clear()

    async def finish(self) -> None:
        """Send the answers that still wait; `run` must have ended."""
        await self._send_answers()

    async def run(self) -> None:
        """Send what there is to send, for ever."""
        while True:
            await self._wake.wait()
            self._wake.clear()
            await self._send_answers()
            for room in [] if self._is_held else list(self._fresh):
                await self._send_news(room)
                await self._send_answers()

    async def _send_answers(self) -> None:
        while self._answers:
            await self._send(self._answers.popleft())

    async def _send_news(self, room: str) -> None:
        self._fresh.discard(room)
        if (number := self._numbers.get(room)) is None:
            return
        try:
            page = await self._news.since(room, number)
        except StoreUnavailable:
            asyncio.get_running_loop().call_later(self._retry_seconds, self._heard, room)
            return
        if room not in self._numbers:
            return
        self._numbers[room] = page.next
        deleted = frozenset(page.deleted)
        gone, self._deleted[room] = deleted - self._deleted[room], deleted
        await self._send_page(room, page, sorted(gone))

    async def _send_page(self, room: str, page: Page, gone: list[int]) -> None:
        """Send a page in frames that no reader finds too long; each says from where on to read after it."""
        parts = [page.messages[at : at + FRAME_MESSAGES] for at in range(0, len(page.messages), FRAME_MESSAGES)]
        reset = page.reset or None
        for part in parts[:-1]:
            await self._send(frame("messages", room=room, messages=part, next=part[-1].id, reset=reset))
            reset = None
        if parts or gone or reset:
            last = parts[-1] if parts else []
            await self._send(
                frame("messages", room=room, messages=last, next=page.next, deleted=gone or None, reset=reset)
            )

    def _heard(self, room: str) -> None:
        if room in self._numbers:
            self._fresh.add(room)
            self._wake.set()
