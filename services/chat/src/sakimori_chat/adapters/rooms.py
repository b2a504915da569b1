"""Rooms in Valkey: the last 200 messages of each as one stream, numbered by one counter."""

from collections.abc import Iterable
from typing import Any

import msgspec

from sakimori_chat.adapters.scripting import answering, script
from sakimori_chat.domain.messages import Draft, Message, Page, is_seen_by
from sakimori_common.context import Valkey

KEPT_MESSAGES = 200


class ValkeyRooms:
    """Messages by room."""

    def __init__(self, valkey: Valkey) -> None:
        self._valkey = valkey
        self._append = script(valkey, "append")

    async def append(self, room: str, draft: Draft, signature: bytes = b"") -> int:
        """See Rooms."""
        async with answering():
            number: int = await self._append(
                [messages_key(room), next_id_key(room)], [KEPT_MESSAGES, msgspec.json.encode(draft)]
            )
        return number

    async def latest(self, room: str, limit: int, viewer_id: str | None) -> list[Message]:
        """See Rooms."""
        async with answering():
            entries: Any = await self._valkey.xrevrange(messages_key(room), count=limit)
        return _messages(reversed(entries), viewer_id)

    async def after(self, room: str, number: int, limit: int, viewer_id: str | None) -> Page:
        """See Rooms."""
        key = messages_key(room)
        async with answering():
            newest: Any = await self._valkey.xrevrange(key, count=1)
            reset = number > (_number(newest[0]) if newest else 0)
            start = 0 if reset else number
            entries: Any = await self._valkey.xrange(key, min=f"({start}-0", count=limit + 1)
        shown = entries[:limit]
        last = _number(shown[-1]) if shown else start
        return Page(_messages(shown, viewer_id), last, has_more=len(entries) > limit, reset=reset)

    async def find(self, room: str, number: int) -> Draft | None:
        """See Rooms."""
        async with answering():
            entries: Any = await self._valkey.xrange(messages_key(room), min=f"{number}-0", max=f"{number}-0")
        return _draft(entries[0]) if entries else None

    async def delete(self, room: str, number: int) -> bool:
        """See Rooms."""
        async with answering():
            removed: int = await self._valkey.xdel(messages_key(room), f"{number}-0")
        return removed > 0

    async def release(self, room: str, number: int) -> int | None:
        """See Rooms."""
        draft = await self.find(room, number)
        if draft is None or not await self.delete(room, number):
            return None
        return await self.append(room, msgspec.structs.replace(draft, is_private=False))

    async def check(self) -> None:
        """See Rooms."""
        async with answering():
            await self._valkey.ping()


def messages_key(room: str) -> str:
    """Name the stream of a room's messages."""
    return f"chat:{room}:messages"


def next_id_key(room: str) -> str:
    """Name the counter of a room."""
    return f"chat:{room}:next_id"


def _number(entry: Any) -> int:
    return int(entry[0].partition(b"-")[0])


def _draft(entry: Any) -> Draft:
    return msgspec.json.decode(entry[1][b"m"], type=Draft)


def _messages(entries: Iterable[Any], viewer_id: str | None) -> list[Message]:
    drafts = ((_number(entry), _draft(entry)) for entry in entries)
    return [Message.of(number, draft) for number, draft in drafts if is_seen_by(draft, viewer_id)]
