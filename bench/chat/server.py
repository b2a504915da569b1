"""The chat as it runs, in a process of its own; what it publishes is taken and forgotten.

python -m bench.chat.server      settings from the environment; says `ready`; ends when its standard input does
"""

import asyncio
import sys
from collections.abc import Sequence

from sakimori_chat.settings import ChatSettings
from sakimori_chat.wiring import running
from sakimori_common.bus import Message, Queue, Subscription, open_bus
from sakimori_common.context import ServiceContext
from sakimori_common.log import configure_logging
from sakimori_common.postgres import open_postgres
from sakimori_common.runtime import calm_garbage_collector, new_runner
from sakimori_common.settings import exit_on_bad_settings
from sakimori_common.valkey import open_valkey


async def serve() -> int:
    """Serve until standard input ends."""
    settings = exit_on_bad_settings(ChatSettings)
    configure_logging("CRITICAL")
    bus = await open_bus("memory://", service="chat")

    async def forget(messages: Sequence[Message]) -> None:
        pass

    for queue in (Queue.STORE, Queue.DETECT):
        await bus.consume(Subscription(queue, forget))
    postgres = await open_postgres(settings.database_url.get_secret_value())
    valkey = open_valkey(settings.valkey_url.get_secret_value())
    async with running(settings, ServiceContext.of("chat", bus, postgres, valkey)):
        print("ready", flush=True)
        calm_garbage_collector()
        await asyncio.to_thread(sys.stdin.read)
    await bus.close()
    await valkey.aclose()
    postgres.terminate()
    return 0


if __name__ == "__main__":
    sys.exit(new_runner(serve()))
