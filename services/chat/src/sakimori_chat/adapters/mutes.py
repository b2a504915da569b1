"""Shadow mutes and risk scores in Valkey, as operators set them."""

import time
from typing import Any, Final

import msgspec

from sakimori_chat.adapters.scripting import answering
from sakimori_chat.domain.moderation import MAX_MUTE_SECONDS, Mute
from sakimori_common.context import Valkey

INDEX_KEY: Final = "chat:mutes"
"""Who is muted, by the second it ends; what counts is the key of each mute."""
KEPT: Final = 10_000

_mute = msgspec.json.Decoder(Mute)


class ValkeyMutes:
    """Who is muted; the key lives as long as the mute."""

    def __init__(self, valkey: Valkey) -> None:
        self._valkey = valkey

    async def find(self, anon_id: str) -> Mute | None:
        """See Mutes."""
        (mute,) = await self._found([anon_id])
        return mute

    async def all(self, limit: int) -> list[Mute]:
        """See Mutes."""
        async with answering(self._valkey):
            ids: Any = await self._valkey.zrevrange(INDEX_KEY, 0, limit - 1)
        return [mute for mute in await self._found([each.decode() for each in ids]) if mute is not None]

    async def mute(self, mute: Mute) -> None:
        """See Mutes."""
        now = time.time()
        async with answering(self._valkey), self._valkey.pipeline(transaction=True) as pipeline:
            pipeline.set(mute_key(mute.user_id), msgspec.json.encode(mute), ex=mute.seconds)
            pipeline.zadd(INDEX_KEY, {mute.user_id: now + mute.seconds})
            pipeline.zremrangebyscore(INDEX_KEY, "-inf", now)
            pipeline.zremrangebyrank(INDEX_KEY, 0, -1 - KEPT)
            pipeline.expire(INDEX_KEY, MAX_MUTE_SECONDS)
            await pipeline.execute()

    async def unmute(self, anon_id: str) -> bool:
        """See Mutes."""
        async with answering(self._valkey), self._valkey.pipeline(transaction=True) as pipeline:
            pipeline.delete(mute_key(anon_id))
            pipeline.zrem(INDEX_KEY, anon_id)
            removed, _ = await pipeline.execute()
        return bool(removed)

    async def _found(self, ids: list[str]) -> list[Mute | None]:
        async with answering(self._valkey), self._valkey.pipeline(transaction=False) as pipeline:
            for anon_id in ids:
                pipeline.get(mute_key(anon_id))
                pipeline.pttl(mute_key(anon_id))
            answers: Any = await pipeline.execute()
        return [_of(*each) for each in zip(ids, answers[::2], answers[1::2], strict=True)]


def _of(anon_id: str, value: bytes | None, milliseconds: int) -> Mute | None:
    if value is None or milliseconds == -2:
        return None
    seconds = max(1, -(-milliseconds // 1000))
    try:
        return msgspec.structs.replace(_mute.decode(value), seconds=seconds)
    except msgspec.MsgspecError:  # set by hand
        return Mute(user_id=anon_id, seconds=seconds)


class ValkeyRisks:
    """What the detector added up, by fingerprint."""

    def __init__(self, valkey: Valkey) -> None:
        self._valkey = valkey

    async def risk(self, fingerprint: str) -> float:
        """See Risks."""
        async with answering(self._valkey):
            value = await self._valkey.get(risk_key(fingerprint))
        try:
            return float(value or 0)
        except ValueError:  # set by hand, and wrongly
            return 0.0

    async def reset(self, fingerprint: str) -> bool:
        """See Risks."""
        async with answering(self._valkey):
            removed: int = await self._valkey.delete(risk_key(fingerprint))
        return removed > 0


def mute_key(anon_id: str) -> str:
    """Name the key of a mute."""
    return f"mute:{anon_id}"


def risk_key(fingerprint: str) -> str:
    """Name the key of a fingerprint's risk."""
    return f"risk:fp:{fingerprint}"
