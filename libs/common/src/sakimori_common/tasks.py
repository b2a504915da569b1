"""Starting tasks that last, and ending them."""

import asyncio
from collections.abc import Callable, Coroutine
from typing import Any

Background = Callable[[Coroutine[Any, Any, None], str], "asyncio.Task[None]"]
"""Start a task, under a name, that lasts as long as the service: `ServiceContext.background`."""

_PATIENCE_SECONDS = 1.0


async def end_tasks(*tasks: "asyncio.Task[Any]") -> None:
    """Cancel tasks and wait until they have ended, however they end.

    Once is not enough: until Python 3.12 a cancellation that comes just as `wait_for` is done is lost, and drivers
    (asyncpg, redis-py) wait that way.
    """
    waiting = {task for task in tasks if not task.done()}
    while waiting:
        for task in waiting:
            task.cancel()
        _, waiting = await asyncio.wait(waiting, timeout=_PATIENCE_SECONDS)
