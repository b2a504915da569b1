"""What one person gets to see of a room, in one round trip: everybody who has no WebSocket asks every other second."""

import msgspec

from sakimori_chat.adapters.gate import block_key
from sakimori_chat.adapters.rooms import room_keys, snapshot_of
from sakimori_chat.adapters.scripting import answering, script
from sakimori_chat.domain.messages import Snapshot, page_after, page_of
from sakimori_chat.ports import Seen
from sakimori_common.context import Valkey


class ValkeyReader:
    """See Reader."""

    def __init__(self, valkey: Valkey) -> None:
        self._valkey = valkey
        self._read = script(valkey, "read")

    async def after(self, room: str, number: int, limit: int, viewer_id: str | None) -> Seen:
        """See Reader."""
        found, ban_seconds = await self._found(room, number, viewer_id)
        return Seen(page_after(found, number, limit, viewer_id), ban_seconds)

    async def latest(self, room: str, limit: int, viewer_id: str | None) -> Seen:
        """See Reader."""
        found, ban_seconds = await self._found(room, 0, viewer_id)
        page = page_of(found.entries, 0, len(found.entries), viewer_id)
        return Seen(msgspec.structs.replace(page, messages=page.messages[-limit:]), ban_seconds)

    async def _found(self, room: str, number: int, viewer_id: str | None) -> tuple[Snapshot, float]:
        ban = [block_key("user", viewer_id)] if viewer_id else []
        async with answering(self._valkey):
            answer = await self._read([*room_keys(room), *ban], [number])
        return snapshot_of(answer), answer[3] / 1000
