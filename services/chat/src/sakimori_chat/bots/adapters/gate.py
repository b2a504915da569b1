"""The gate of bots in Valkey: nonces and limits."""

from collections.abc import Sequence

from sakimori_chat.adapters.gate import block_key
from sakimori_chat.adapters.scripting import answering, script
from sakimori_chat.bots.domain.limits import (
    BotLimits,
    BotOutcome,
    BotVerdict,
    Period,
    quotas_of,
    rate_key,
    seconds_left,
)
from sakimori_chat.bots.domain.signature import NONCE_SECONDS
from sakimori_chat.domain.identity import Network, canonical_address, is_within, network_of
from sakimori_common.context import Valkey


class ValkeyBotGate:
    """See BotGate. Keys: `rate:<bot>:<window>` (X-08), `nonce:<bot>:<nonce>`, and `block:ip:...`."""

    def __init__(self, valkey: Valkey, limits: BotLimits, never_block: Sequence[Network] = ()) -> None:
        self._limits = limits
        self._never_block = never_block
        self._valkey = valkey
        self._admit = script(valkey, "admit", package=__package__)
        self._take = script(valkey, "take", package=__package__)
        self._figures = [
            *(limits.of(period) for period in Period),
            *(period.seconds for period in Period),
            NONCE_SECONDS,
        ]

    async def admit(self, bot_id: str, address: str, nonce: str | None, now: float) -> BotVerdict:
        """See BotGate."""
        blocked = block_key("ip", network_of(canonical_address(address)))
        keys = [*(rate_key(bot_id, period, now) for period in Period), blocked]
        exempt = int(is_within(address, self._never_block))
        if nonce is not None:
            keys.append(f"nonce:{bot_id}:{nonce}")
        async with answering(self._valkey):
            word, detail, *counts = await self._admit(keys, [*self._figures, exempt])
        outcome = BotOutcome(word.decode())
        quotas = quotas_of(self._limits, counts, now)
        if outcome is BotOutcome.LIMITED:
            period = list(Period)[detail - 1]
            return BotVerdict(outcome, quotas, period, seconds_left(period, now))
        return BotVerdict(outcome, quotas, seconds=detail)

    async def take(self, what: str, limit: int, seconds: int) -> int:
        """See BotGate."""
        async with answering(self._valkey):
            wait: int = await self._take([f"bots:{what}"], [limit, seconds])
        return wait
