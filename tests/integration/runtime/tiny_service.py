"""A service as small as one can be, for tests of what all services share. Not a test."""

import asyncio
import sys
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from typing import ClassVar

from pydantic_settings import SettingsConfigDict

from sakimori_common.bus import Halt, Message, Queue, Subscription
from sakimori_common.context import ServiceContext
from sakimori_common.runtime import run_service
from sakimori_common.settings import ServiceSettings


class TinySettings(ServiceSettings):
    """Settings of the tiny service."""

    model_config = SettingsConfigDict(**{**ServiceSettings.model_config, "env_prefix": "TINY_"})
    service: ClassVar[str] = "tiny"

    handler_seconds: float = 0.0
    """How long each message takes."""


@asynccontextmanager
async def running(settings: TinySettings, context: ServiceContext) -> AsyncIterator[None]:
    """Store what /ready says while this starts, and the id of every message; halt on the message `halt`."""

    async def handle(messages: Sequence[Message]) -> None:
        for each in messages:
            if each.id == "halt":
                raise Halt("told to")
            await context.valkey.rpush("began", each.id)
            await asyncio.sleep(settings.handler_seconds)
            await context.valkey.rpush("handled", each.id)

    await context.valkey.set("said", (await context.health.report()).get("start", "ok"))
    async with context.consuming(Subscription(Queue.NOTIFY, handle)):
        yield


if __name__ == "__main__":
    sys.exit(run_service(TinySettings, running))
