"""Wait for something to become true, with a deadline, instead of sleeping."""

import asyncio
import inspect
import time
from collections.abc import Awaitable, Callable
from typing import Any, TypeVar, overload

T = TypeVar("T")


@overload
async def eventually(check: Callable[[], Awaitable[T]], seconds: float = 10.0) -> T: ...


@overload
async def eventually(check: Callable[[], T], seconds: float = 10.0) -> T: ...


async def eventually(check: Callable[[], Any], seconds: float = 10.0) -> Any:
    """Call `check` (plain or async) until it returns something true, and return that.

    A check that raises AssertionError has not passed yet. Fails with its last answer after the deadline.
    """
    deadline = time.monotonic() + seconds
    pause = 0.002
    while True:
        try:
            answer = check()
            result = await answer if inspect.isawaitable(answer) else answer
            if result:
                return result
            last: object = result
        except AssertionError as error:
            last = error
        if time.monotonic() > deadline:
            raise AssertionError(f"not within {seconds:g} s; last answer: {last!r}")
        await asyncio.sleep(pause)
        pause = min(pause * 2, 0.1)
