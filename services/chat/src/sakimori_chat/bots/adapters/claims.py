"""What the replicas agree on about sessions of bots, in Valkey."""

from collections.abc import Collection, Mapping, Sequence
from typing import Final

from sakimori_chat.adapters.gate import block_key
from sakimori_chat.adapters.scripting import answering, script
from sakimori_chat.domain.identity import Network, is_within, network_of
from sakimori_common.context import Valkey

HOLD_SECONDS: Final = 60
"""How long a bot counts as connected where a replica was killed; only a newer session ever asks."""
WAITS_SECONDS: Final = (30, 300, 3600)
"""Of an address that connects too often: 30 s, then 5 minutes, then an hour each time (X-16)."""
WINDOW_SECONDS: Final = 60


class ValkeySessionClaims:
    """See SessionClaims. `connects` and `reconnects` are how many there may be within a minute."""

    def __init__(self, valkey: Valkey, *, connects: int, reconnects: int, never_block: Sequence[Network] = ()) -> None:
        self._never_block = never_block
        self._valkey = valkey
        self._connects = connects
        self._reconnects = reconnects
        self._count = script(valkey, "connects", package=__package__)
        self._hold = script(valkey, "hold", package=__package__)
        self._release = script(valkey, "release", package=__package__)

    async def connect(self, network: str) -> float:
        """See SessionClaims."""
        return await self._counted(f"bot:connects:{network}", self._connects, WAITS_SECONDS)

    async def reconnect(self, bot_id: str) -> float:
        """See SessionClaims."""
        return await self._counted(f"bot:reconnects:{bot_id}", self._reconnects, ())

    async def claim(self, bot_id: str, session_id: str) -> None:
        """See SessionClaims."""
        async with answering(self._valkey):
            await self._valkey.set(_key(bot_id), session_id, ex=HOLD_SECONDS)

    async def renew(self, sessions: Mapping[str, str]) -> set[str]:
        """See SessionClaims."""
        bots = list(sessions)
        async with answering(self._valkey):
            lost = await self._hold([_key(bot) for bot in bots], [HOLD_SECONDS * 1000, *sessions.values()])
        return {bots[place - 1] for place in lost}

    async def blocked(self, addresses: Collection[str]) -> set[str]:
        """See SessionClaims."""
        asked = [address for address in addresses if not is_within(address, self._never_block)]
        if not asked:
            return set()
        async with answering(self._valkey):
            found = await self._valkey.mget([block_key("ip", network_of(address)) for address in asked])
        return {address for address, block in zip(asked, found, strict=True) if block is not None}

    async def release(self, bot_id: str, session_id: str) -> None:
        """See SessionClaims."""
        async with answering(self._valkey):
            await self._release([_key(bot_id)], [session_id])

    async def _counted(self, key: str, limit: int, waits: tuple[int, ...]) -> float:
        figures = [limit, WINDOW_SECONDS * 1000, *(seconds * 1000 for seconds in waits)]
        async with answering(self._valkey):
            milliseconds: int = await self._count([key, f"{key}:wait", f"{key}:waits"], figures)
        return milliseconds / 1000


def _key(bot_id: str) -> str:
    return f"bot:session:{bot_id}"
