"""One watcher of a topic: a bounded inbox and a task, the same for both buses."""

import asyncio
from collections.abc import Awaitable, Callable

from sakimori_common.bus.port import Message
from sakimori_common.bus.topology import Topic
from sakimori_common.contracts.wire import SCHEMA_VERSION
from sakimori_common.log import logger

BACKLOG = 100
"""Messages that wait for a slow watcher; the oldest go first."""


class Watcher:
    """Hand copies to a handler, one by one. What it raises is logged, never passed on: watching holds up nothing."""

    def __init__(
        self, topic: Topic, handler: Callable[[Message], Awaitable[None]], on_drain: Callable[[], None]
    ) -> None:
        self._handler = handler
        self._on_drain = on_drain
        self._inbox: asyncio.Queue[Message] = asyncio.Queue()
        self._log = logger("bus").bind(topic=str(topic))
        self._failed: asyncio.Future[BaseException] = asyncio.get_running_loop().create_future()
        self._task = asyncio.create_task(self._run(), name=f"watch-{topic}")

    def offer(self, message: Message) -> None:
        """Take a copy in; the oldest that waits makes room."""
        if message.headers.get("schema") != SCHEMA_VERSION:
            return
        if self._inbox.qsize() >= BACKLOG:
            self._inbox.get_nowait()
            self._log.warning("watcher_fell_behind")
        self._inbox.put_nowait(message)

    async def _run(self) -> None:
        while True:
            message = await self._inbox.get()
            try:
                await self._handler(message)
            except Exception as error:  # noqa: BLE001  # a live view must go on
                self._log.error("watcher_failed", kind=type(error).__name__)

    async def failure(self) -> BaseException:
        """Never returns: a watcher does not stop by itself."""
        return await asyncio.shield(self._failed)

    async def drain(self) -> None:
        """Stop watching; what waits is dropped."""
        self._on_drain()
        self._task.cancel()
        await asyncio.gather(self._task, return_exceptions=True)
