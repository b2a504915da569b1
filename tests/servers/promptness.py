"""How long something takes that is promised within so many seconds."""

import time
from collections.abc import Awaitable, Callable


async def quickest(once: Callable[[], Awaitable[object]], tries: int = 3) -> float:
    """Do something some times; the seconds of the fastest.

    A promise that is broken is broken each time; one time alone would also count what else the machine did just then.
    """
    took = []
    for _ in range(tries):
        started = time.monotonic()
        await once()
        took.append(time.monotonic() - started)
    return min(took)
