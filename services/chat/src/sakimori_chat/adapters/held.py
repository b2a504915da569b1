"""The queue of held messages in Valkey: bounded, and forgotten when nothing was held for a week."""

from typing import Any, Final

import msgspec

from sakimori_chat.adapters.scripting import answering, script
from sakimori_chat.domain.held import Held
from sakimori_common.context import Valkey
from sakimori_common.instants import parse_instant

ORDER_KEY: Final = "chat:held"
ENTRIES_KEY: Final = "chat:held:entries"
KEPT: Final = 1000
"""Some 2 MB at most; an operator who is further behind does not read the rest either."""
KEPT_MILLISECONDS: Final = 7 * 86_400_000

_held = msgspec.json.Decoder(Held)


class ValkeyHeld:
    """Held messages of all rooms in one queue."""

    def __init__(self, valkey: Valkey) -> None:
        self._valkey = valkey
        self._hold = script(valkey, "hold")

    async def hold(self, held: Held) -> None:
        """See HeldMessages."""
        at = parse_instant(held.held_at) // 1000
        entry: list[str | int | bytes] = [_name(held.room, held.number), at, msgspec.json.encode(held)]
        async with answering(self._valkey):
            await self._hold([ORDER_KEY, ENTRIES_KEY], [*entry, KEPT, KEPT_MILLISECONDS])

    async def waiting(self, limit: int) -> list[Held]:
        """See HeldMessages."""
        async with answering(self._valkey):
            names: Any = await self._valkey.zrevrange(ORDER_KEY, 0, limit - 1)
            entries: Any = await self._valkey.hmget(ENTRIES_KEY, names) if names else []
        return [_held.decode(entry) for entry in entries if entry is not None]

    async def settle(self, room: str, number: int) -> bool:
        """See HeldMessages."""
        async with answering(self._valkey), self._valkey.pipeline(transaction=True) as pipeline:
            pipeline.zrem(ORDER_KEY, _name(room, number))
            pipeline.hdel(ENTRIES_KEY, _name(room, number))
            removed, _ = await pipeline.execute()
        return bool(removed)


def _name(room: str, number: int) -> str:
    return f"{room}:{number}"
