"""The gate in Valkey. Each script is atomic; nothing here takes two steps where one decides."""

from collections.abc import Sequence

from sakimori_chat.adapters.scripting import answering, script
from sakimori_chat.domain.enforcement import Measure
from sakimori_chat.domain.limits import Limits, Outcome, Scope, Verdict
from sakimori_chat.ports import Admission, Attempt
from sakimori_common.context import Valkey


class ValkeyGate:
    """Limits, bans and blocks; keys as in appendix B6 of the requirements."""

    def __init__(self, valkey: Valkey, limits: Limits) -> None:
        self._valkey = valkey
        self._admit = script(valkey, "admit")
        self._enforce = script(valkey, "enforce")
        self._figures = [
            limits.risk,
            _milliseconds(limits.ban_seconds),
            _milliseconds(limits.window_seconds),
            limits.posts,
            limits.fingerprint_posts,
            limits.address_posts,
        ]

    async def admit(self, attempt: Attempt) -> Admission:
        """See Gate."""
        client, anon_id = attempt.client, attempt.anon_id
        keys = [
            f"risk:fp:{client.fingerprint}",
            block_key("user", anon_id),
            block_key("fp", client.fingerprint),
            block_key("ip", client.address),
            f"rate:{anon_id}",
            f"rate:fp:{client.fingerprint}",
            f"rate:ip:{client.network_hash}",
        ]
        async with answering():
            outcome, milliseconds, detail = await self._admit(keys, self._figures)
        return Admission(_verdict(Outcome(outcome.decode()), milliseconds / 1000, detail.decode()))

    async def ban_seconds(self, anon_id: str) -> float:
        """See Gate."""
        async with answering():
            left: int = await self._valkey.pttl(block_key("user", anon_id))
        return max(0, left) / 1000

    async def enforce(self, measures: Sequence[Measure]) -> None:
        """See Gate."""
        if not measures:
            return
        keys = [block_key(measure.kind, measure.entity) for measure in measures]
        figures = [
            figure
            for measure in measures
            for figure in (measure.decided_at, measure.milliseconds, "a" if measure.is_automatic else "o")
        ]
        async with answering():
            await self._enforce(keys, figures)


def block_key(kind: str, entity: str) -> str:
    """Name the key of a block: `block:<anonymous id>`, `block:fp:<fingerprint>`, `block:ip:<address>`."""
    return f"block:{entity}" if kind == "user" else f"block:{kind}:{entity}"


def _verdict(outcome: Outcome, seconds: float, detail: str) -> Verdict:
    match outcome:
        case Outcome.LIMITED:
            return Verdict(outcome, seconds, scope=Scope(detail))
        case Outcome.HIGH_RISK:
            return Verdict(outcome, seconds, risk=float(detail))
        case _:
            return Verdict(outcome, seconds)


def _milliseconds(seconds: float) -> int:
    return max(1, round(seconds * 1000))
