"""The gate and the room in Valkey. Three scripts, each atomic; nothing here takes two steps where one decides."""

import asyncio
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from importlib.resources import files
from typing import Any

import msgspec
from redis.commands.core import AsyncScript
from redis.exceptions import RedisError

from sakimori_chat.domain.enforcement import Measure
from sakimori_chat.domain.identity import Client
from sakimori_chat.domain.limits import Limits, Outcome, Scope, Verdict
from sakimori_chat.domain.messages import Draft, Message, Page
from sakimori_chat.ports import StoreUnavailable
from sakimori_common.context import Valkey

TIMEOUT_SECONDS = 1.0
"""Longest wait for Valkey within a request, connecting and retries included (S0-37)."""

KEPT_MESSAGES = 200
MESSAGES = "chat:messages"
NEXT_ID = "chat:next_id"


@asynccontextmanager
async def answering() -> AsyncIterator[None]:
    """Bound what stands inside in time and turn any failure of Valkey into StoreUnavailable."""
    try:
        async with asyncio.timeout(TIMEOUT_SECONDS):
            yield
    except (RedisError, OSError, TimeoutError) as error:
        raise StoreUnavailable(type(error).__name__) from error


class ValkeyGate:
    """Limits, bans and blocks; keys as in appendix B6 of the requirements."""

    def __init__(self, valkey: Valkey, limits: Limits) -> None:
        self._valkey = valkey
        self._admit = _script(valkey, "admit")
        self._enforce = _script(valkey, "enforce")
        self._figures = [
            limits.risk,
            _milliseconds(limits.ban_seconds),
            _milliseconds(limits.window_seconds),
            limits.posts,
            limits.fingerprint_posts,
            limits.address_posts,
        ]

    async def admit(self, client: Client, anon_id: str) -> Verdict:
        """See Gate."""
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
        return _verdict(Outcome(outcome.decode()), milliseconds / 1000, detail.decode())

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


class ValkeyRoom:
    """The last 200 messages as one stream, numbered by one counter."""

    def __init__(self, valkey: Valkey) -> None:
        self._valkey = valkey
        self._append = _script(valkey, "append")

    async def append(self, draft: Draft) -> int:
        """See Room."""
        async with answering():
            number: int = await self._append([MESSAGES, NEXT_ID], [KEPT_MESSAGES, msgspec.json.encode(draft)])
        return number

    async def latest(self, limit: int) -> list[Message]:
        """See Room."""
        async with answering():
            entries: Any = await self._valkey.xrevrange(MESSAGES, count=limit)
        return [_message(entry) for entry in reversed(entries)]

    async def after(self, number: int, limit: int) -> Page:
        """See Room."""
        async with answering():
            newest: Any = await self._valkey.xrevrange(MESSAGES, count=1)
            reset = number > (_number(newest[0]) if newest else 0)
            start = 0 if reset else number
            entries: Any = await self._valkey.xrange(MESSAGES, min=f"({start}-0", count=limit + 1)
        messages = [_message(entry) for entry in entries[:limit]]
        return Page(messages, messages[-1].id if messages else start, has_more=len(entries) > limit, reset=reset)

    async def check(self) -> None:
        """See Room."""
        async with answering():
            await self._valkey.ping()


def block_key(kind: str, entity: str) -> str:
    """Name the key of a block: `block:<anonymous id>`, `block:fp:<fingerprint>`, `block:ip:<address>`."""
    return f"block:{entity}" if kind == "user" else f"block:{kind}:{entity}"


def _script(valkey: Valkey, name: str) -> AsyncScript:
    return valkey.register_script(files("sakimori_chat.adapters").joinpath(f"scripts/{name}.lua").read_text("utf-8"))


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


def _number(entry: Any) -> int:
    return int(entry[0].partition(b"-")[0])


def _message(entry: Any) -> Message:
    return Message.of(_number(entry), msgspec.json.decode(entry[1][b"m"], type=Draft))
