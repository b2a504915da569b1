"""Reads the blocks and throttles in Valkey, as the scripts of the gate set and list them."""

from typing import Any

from sakimori_chat.adapters.gate import BANS_KEY
from sakimori_chat.adapters.scripting import answering
from sakimori_chat.domain.bans import ENTITY_TYPES, Ban
from sakimori_common.context import Valkey
from sakimori_common.instants import format_instant


class ValkeyBans:
    """Who may not post."""

    def __init__(self, valkey: Valkey) -> None:
        self._valkey = valkey

    async def all(self, limit: int) -> list[Ban]:
        """See Bans."""
        async with answering(self._valkey):
            listed: Any = await self._valkey.zrevrange(BANS_KEY, 0, limit - 1)
            keys = [key.decode() for key in listed]
            async with self._valkey.pipeline(transaction=False) as pipeline:
                for key in keys:
                    pipeline.get(key)
                    pipeline.pttl(key)
                    pipeline.get(f"step:{key.partition(':')[2]}")
                answers: Any = await pipeline.execute()
        found = zip(keys, answers[::3], answers[1::3], answers[2::3], strict=True)
        return [_ban(*each) for each in found if each[1] is not None and each[2] > 0]


def _ban(key: str, value: bytes, milliseconds: int, ladder: bytes | None) -> Ban:
    action, _, whom = key.partition(":")
    kind, _, entity = whom.partition(":")
    if kind not in ("fp", "ip"):
        kind, entity = "user", whom
    decided_at, _, set_by = value.decode().partition(":")
    at = int(decided_at) if decided_at.isdecimal() else 0
    return Ban(
        entity_type=ENTITY_TYPES[kind],
        entity=entity,
        action=action,
        seconds=-(-milliseconds // 1000),
        by="operator" if set_by == "o" else "detector" if at else "chat",
        step=int((ladder or b"0").partition(b":")[0]),
        decided_at=format_instant(at // 1000 * 1000) if at else "",
    )
