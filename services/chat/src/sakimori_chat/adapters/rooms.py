"""Rooms in Valkey: the last 200 messages of each as one stream, numbered by one counter."""

from collections.abc import Iterable
from typing import Any, Final

import msgspec

from sakimori_chat.adapters.scripting import answering, script
from sakimori_chat.domain.checks import Recent
from sakimori_chat.domain.messages import Draft, Page, Snapshot, page_after
from sakimori_common.context import Valkey

KEPT_MESSAGES: Final = 200
_RECENT_MILLISECONDS: Final = 600_000
"""How long a text counts as recent: whoever repeats one after ten minutes is no flood."""

_draft = msgspec.json.Decoder(Draft)


class ValkeyRooms:
    """Messages by room."""

    def __init__(self, valkey: Valkey) -> None:
        self._valkey = valkey
        self._read = script(valkey, "read")
        self._append = script(valkey, "store", "append")
        self._delete = script(valkey, "store", "delete")
        self._release = script(valkey, "store", "release")

    async def append(self, room: str, draft: Draft, signature: bytes = b"") -> int:
        """See Rooms."""
        keys = [*room_keys(room), recent_key(room)]
        message: list[Any] = [KEPT_MESSAGES, channel_of(room), msgspec.json.encode(draft)]
        async with answering(self._valkey):
            number: int = await self._append(keys, [*message, draft.author_id, signature, _RECENT_MILLISECONDS])
        return number

    async def after(self, room: str, number: int, limit: int, viewer_id: str | None) -> Page:
        """See Rooms."""
        return page_after(await self._found(room, number), number, limit, viewer_id)

    async def snapshot(self, room: str) -> Snapshot:
        """See Rooms."""
        return await self._found(room, 0)

    async def find(self, room: str, number: int) -> Draft | None:
        """See Rooms."""
        async with answering(self._valkey):
            entries: Any = await self._valkey.xrange(messages_key(room), min=f"{number}-0", max=f"{number}-0")
        return _draft.decode(entries[0][1][b"m"]) if entries else None

    async def delete(self, room: str, number: int) -> bool:
        """See Rooms."""
        async with answering(self._valkey):
            removed: int = await self._delete(room_keys(room), [KEPT_MESSAGES, channel_of(room), number])
        return removed > 0

    async def release(self, room: str, number: int) -> int | None:
        """See Rooms."""
        held = await self.find(room, number)
        if held is None or not held.is_private:
            return None
        shown = msgspec.json.encode(msgspec.structs.replace(held, is_private=False))
        async with answering(self._valkey):
            released: int = await self._release(room_keys(room), [KEPT_MESSAGES, channel_of(room), shown, number])
        return released or None

    async def recent(self, room: str) -> list[Recent]:
        """See Rooms."""
        async with answering(self._valkey):
            elements: Any = await self._valkey.lrange(recent_key(room), 0, -1)
        return recent_of(elements)

    async def check(self) -> None:
        """See Rooms."""
        async with answering(self._valkey):
            await self._valkey.ping()

    async def _found(self, room: str, number: int) -> Snapshot:
        async with answering(self._valkey):
            return snapshot_of(await self._read(room_keys(room), [number]))


def messages_key(room: str) -> str:
    """Name the stream of a room's messages."""
    return f"chat:{room}:messages"


def next_id_key(room: str) -> str:
    """Name the counter of a room."""
    return f"chat:{room}:next_id"


def deleted_key(room: str) -> str:
    """Name the list of the numbers that were lately taken away, newest first, at most 100."""
    return f"chat:{room}:deleted"


def recent_key(room: str) -> str:
    """Name the list of the room's newest signatures, newest first, at most 64; `recent_of` reads its elements."""
    return f"chat:{room}:recent"


def channel_of(room: str) -> str:
    """Name the channel on which replicas tell each other what happens in a room."""
    return f"chat:room:{room}"


def recent_of(elements: Iterable[bytes]) -> list[Recent]:
    """Read the elements of a room's list of signatures, as append.lua writes them; the newest last."""
    parts = [element.split(b":", 2) for element in elements]
    return [Recent(author.decode(), int(ms) / 1000, signature) for ms, author, signature in reversed(parts)]


def room_keys(room: str) -> list[str]:
    """Name the keys that store.lua and read.lua take first."""
    return [messages_key(room), next_id_key(room), deleted_key(room)]


def snapshot_of(answer: Any) -> Snapshot:
    """Read what read.lua answers."""
    highest, entries, deleted, _ = answer
    numbered = [(int(number.partition(b"-")[0]), _draft.decode(fields[1])) for number, fields in entries]
    return Snapshot(numbered, [int(gone) for gone in deleted], highest)
