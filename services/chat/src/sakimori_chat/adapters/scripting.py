"""What all that speaks to Valkey has in common: a bound on waiting, one error, scripts from files."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from importlib.resources import files
from typing import Final

from redis.commands.core import AsyncScript
from redis.exceptions import RedisError

from sakimori_chat.ports import StoreUnavailable
from sakimori_common.context import Valkey
from sakimori_common.valkey import timeout_of

_SHARE: Final = 0.8
"""Of the time that the client itself waits for one answer: the longest wait, connecting included (S0-37)."""


@asynccontextmanager
async def answering(valkey: Valkey) -> AsyncIterator[None]:
    """Bound what stands inside in time and turn any failure of Valkey into StoreUnavailable."""
    try:
        async with asyncio.timeout(_SHARE * timeout_of(valkey)):
            yield
    except (RedisError, OSError, TimeoutError) as error:
        raise StoreUnavailable(type(error).__name__) from error


def script(valkey: Valkey, *names: str, package: str = "sakimori_chat.adapters") -> AsyncScript:
    """Load a script of the folder `scripts` in the package; of several files, one after the other."""
    folder = files(package).joinpath("scripts")
    return valkey.register_script("".join(folder.joinpath(f"{name}.lua").read_text("utf-8") for name in names))
