"""The gate in Valkey. Each script is atomic; nothing here takes two steps where one decides."""

from collections.abc import Sequence
from typing import Any, Final

from sakimori_chat.adapters.rooms import recent_key, recent_of
from sakimori_chat.adapters.scripting import answering, script
from sakimori_chat.domain.enforcement import Measure
from sakimori_chat.domain.identity import Network, is_within
from sakimori_chat.domain.limits import Limits, Outcome, Scope, Verdict
from sakimori_chat.ports import Admission, Attempt
from sakimori_common.context import Valkey

KNOWN_IDENTITIES: Final = 1000
"""Identities of one network that are remembered for a day, the longest silent forgotten first; some 100 KB."""
RECENT: Final = 64
BANS_KEY: Final = "chat:bans"
"""Keys of blocks and throttles by the ms at which they end; see adapters/bans.py."""


class ValkeyGate:
    """Limits, bans and blocks; keys as in appendix B6 of the requirements.

    Posts from the networks of `never_block` are limited, but nothing bans or blocks them (X-16: allow-list first).
    """

    def __init__(self, valkey: Valkey, limits: Limits, never_block: Sequence[Network] = ()) -> None:
        self._valkey = valkey
        self._admit = script(valkey, "list", "admit")
        self._enforce = script(valkey, "list", "enforce")
        self._never_block = never_block
        self._limits: list[int | float] = [
            limits.risk,
            _milliseconds(limits.window_seconds),
            limits.posts,
            limits.fingerprint_posts,
            limits.address_posts,
            limits.throttled_posts,
            limits.new_identities,
            _milliseconds(limits.new_identity_window_seconds),
            KNOWN_IDENTITIES,
        ]
        self._ladder = [_milliseconds(seconds) for seconds in (limits.ban_memory_seconds, *limits.ban_ladder_seconds)]

    async def admit(self, attempt: Attempt) -> Admission:
        """See Gate."""
        is_exempt = "1" if is_within(attempt.client.address, self._never_block) else "0"
        slow = _milliseconds(attempt.slow_seconds) if attempt.slow_seconds > 0 else 0
        recent = RECENT if attempt.wants_recent else 0
        figures: list[str | int | float] = [attempt.anon_id, is_exempt, *self._limits, slow, recent, *self._ladder]
        async with answering(self._valkey):
            answer = await self._admit(_keys(attempt), figures)
        return _admission(answer)

    async def ban_seconds(self, anon_id: str) -> float:
        """See Gate."""
        async with answering(self._valkey):
            left: int = await self._valkey.pttl(block_key("user", anon_id))
        return max(0, left) / 1000

    async def enforce(self, measures: Sequence[Measure]) -> None:
        """See Gate."""
        if not measures:
            return
        keys = [key for measure in measures for key in _keys_of(measure)] + [BANS_KEY]
        figures = [figure for measure in measures for figure in _figures_of(measure)]
        async with answering(self._valkey):
            await self._enforce(keys, figures)


def block_key(kind: str, entity: str) -> str:
    """Name the key of a block: `block:<anonymous id>`, `block:fp:<fingerprint>`, `block:ip:<network>`."""
    return _key("block", kind, entity)


def throttle_key(kind: str, entity: str) -> str:
    """Name the key of a throttle, as those of blocks."""
    return _key("throttle", kind, entity)


def _key(prefix: str, kind: str, entity: str) -> str:
    return f"{prefix}:{entity}" if kind == "user" else f"{prefix}:{kind}:{entity}"


def _keys(attempt: Attempt) -> list[str]:
    client, anon_id = attempt.client, attempt.anon_id
    return [
        f"risk:fp:{client.fingerprint}",
        block_key("user", anon_id),
        block_key("fp", client.fingerprint),
        block_key("ip", client.network),
        f"rate:{anon_id}",
        f"rate:fp:{client.fingerprint}",
        f"rate:ip:{client.network_hash}",
        throttle_key("user", anon_id),
        throttle_key("fp", client.fingerprint),
        throttle_key("ip", client.network),
        f"step:{anon_id}",
        f"identities:{client.network_hash}",
        f"newcomers:{client.network_hash}",
        f"slow:{attempt.room}:{anon_id}",
        f"mute:{anon_id}",
        recent_key(attempt.room),
        BANS_KEY,
    ]


def _keys_of(measure: Measure) -> list[str]:
    prefix = "throttle" if measure.is_throttle else "block"
    key = _key(prefix, measure.kind, measure.entity)
    step = "" if measure.is_throttle or measure.kind != "user" else f"step:{measure.entity}"
    return [key, f"lift:{key}", step or f"step:{key}"]


def _figures_of(measure: Measure) -> list[str | int]:
    told = ("", "") if measure.is_throttle else (measure.kind, measure.entity)
    return [measure.decided_at, measure.milliseconds, "a" if measure.is_automatic else "o", *told]


def _admission(answer: Any) -> Admission:
    outcome, milliseconds, detail, step, is_muted, recent = answer
    verdict = _verdict(Outcome(outcome.decode()), milliseconds / 1000, detail.decode(), step)
    return Admission(verdict, is_muted=bool(is_muted), recent=recent_of(recent))


def _verdict(outcome: Outcome, seconds: float, detail: str, step: int) -> Verdict:
    match outcome:
        case Outcome.LIMITED:
            return Verdict(outcome, seconds, scope=Scope(detail), ban_step=step)
        case Outcome.HIGH_RISK:
            return Verdict(outcome, seconds, risk=float(detail))
        case _:
            return Verdict(outcome, seconds)


def _milliseconds(seconds: float) -> int:
    return max(1, round(seconds * 1000))
