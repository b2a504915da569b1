"""Wait for something to become true, with a deadline, instead of sleeping."""

import asyncio
import inspect
import time
from collections.abc import Awaitable, Callable
from typing import TypeVar

T = TypeVar("T")


async def eventually(check: Callable[[], T | Awaitable[T]], seconds: float = 10.0) -> T:
    """Call `check` (plain or async) until it returns something true, and return that.

    A check that raises AssertionError has not passed yet. Fails with its last answer after the deadline.
    """
    deadline = time.monotonic() + seconds
    pause = 0.002
    while True:
        try:
            answer = check()
            result: T = await answer if inspect.isawaitable(answer) else answer
            if result:
                return result
            last: object = result
        except AssertionError as error:
            last = error
        if time.monotonic() > deadline:
            raise AssertionError(f"not within {seconds:g} s; last answer: {last!r}")
        await asyncio.sleep(pause)
        pause = min(pause * 2, 0.1)
