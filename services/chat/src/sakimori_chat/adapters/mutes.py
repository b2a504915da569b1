"""Shadow mutes and risk scores in Valkey, as operators set them."""

from sakimori_chat.adapters.scripting import answering
from sakimori_common.context import Valkey


class ValkeyMutes:
    """Who is muted; the key lives as long as the mute."""

    def __init__(self, valkey: Valkey) -> None:
        self._valkey = valkey

    async def seconds(self, anon_id: str) -> int:
        """See Mutes."""
        async with answering():
            left: int = await self._valkey.pttl(mute_key(anon_id))
        return max(0, -(-left // 1000))

    async def mute(self, anon_id: str, seconds: int) -> None:
        """See Mutes."""
        async with answering():
            await self._valkey.set(mute_key(anon_id), "1", ex=seconds)

    async def unmute(self, anon_id: str) -> bool:
        """See Mutes."""
        async with answering():
            removed: int = await self._valkey.delete(mute_key(anon_id))
        return removed > 0


class ValkeyRisks:
    """What the detector added up, by fingerprint."""

    def __init__(self, valkey: Valkey) -> None:
        self._valkey = valkey

    async def risk(self, fingerprint: str) -> float:
        """See Risks."""
        async with answering():
            value = await self._valkey.get(risk_key(fingerprint))
        try:
            return float(value or 0)
        except ValueError:  # set by hand, and wrongly
            return 0.0

    async def reset(self, fingerprint: str) -> bool:
        """See Risks."""
        async with answering():
            removed: int = await self._valkey.delete(risk_key(fingerprint))
        return removed > 0


def mute_key(anon_id: str) -> str:
    """Name the key of a mute."""
    return f"mute:{anon_id}"


def risk_key(fingerprint: str) -> str:
    """Name the key of a fingerprint's risk."""
    return f"risk:fp:{fingerprint}"
