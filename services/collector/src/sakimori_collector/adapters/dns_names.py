"""Names of addresses as the sensor saw them in DNS, in Valkey, where all replicas read them.

A hash holds address -> name, a sorted set the addresses by when they were seen. Both are no more than a memory: what is
lost with Valkey is seen again.
"""

from collections.abc import Mapping
from typing import Final, TypeVar, cast

from redis import exceptions

from sakimori_collector.domain.enrichment.sightings import LASTING_SECONDS, MOST_NAMES
from sakimori_common.context import Valkey
from sakimori_common.valkey import CONNECTION_ERRORS, unavailable

T = TypeVar("T")

_NAMES: Final = "collector:dns:names"
_SEEN: Final = "collector:dns:seen"
_AT_ONCE: Final = 2000
"""Addresses a call: some 20 ms of work here, far from the client's time limit."""
_AWAY: Final = (*CONNECTION_ERRORS, exceptions.RedisError)


class ValkeyDnsNames:
    """DnsNameStore in Valkey."""

    def __init__(self, valkey: Valkey) -> None:
        self._valkey = valkey

    async def write(self, names: Mapping[str, tuple[str, float]], now: float) -> None:
        """Keep address -> (name, seconds); forget what is old or too much."""
        try:
            for part in _parts(list(names.items())):
                async with self._valkey.pipeline(transaction=True) as pipe:
                    pipe.hset(_NAMES, mapping={address: name for address, (name, _) in part})
                    pipe.zadd(_SEEN, {address: seen for address, (_, seen) in part}, gt=True)
                    await pipe.execute()
            await self._forget(now)
        except _AWAY as error:
            raise unavailable(error) from error

    async def read(self, since: float) -> Mapping[str, tuple[str, float]]:
        """Read what was seen from `since` (seconds) on."""
        try:
            names: dict[str, tuple[str, float]] = {}
            while page := await self._page(since, len(names)):
                names.update(page)
                if len(page) < _AT_ONCE or len(names) >= MOST_NAMES:
                    break
        except _AWAY as error:
            raise unavailable(error) from error
        return names

    async def _page(self, since: float, start: int) -> dict[str, tuple[str, float]]:
        answer = await self._valkey.zrangebyscore(_SEEN, since, "+inf", start, _AT_ONCE, withscores=True)
        found = cast(list[tuple[bytes, float]], answer)
        if not found:
            return {}
        names = cast(list[bytes | None], await self._valkey.hmget(_NAMES, [address for address, _ in found]))
        return {
            address.decode(): ((name or b"").decode("utf-8", "replace"), seen)
            for (address, seen), name in zip(found, names, strict=True)
        }

    async def _forget(self, now: float) -> None:
        oldest = now - LASTING_SECONDS
        while old := cast(list[bytes], await self._valkey.zrangebyscore(_SEEN, "-inf", oldest, 0, _AT_ONCE)):
            await self._delete(old)
        while (excess := await self._valkey.zcard(_SEEN) - MOST_NAMES) > 0:
            await self._delete(cast(list[bytes], await self._valkey.zrange(_SEEN, 0, min(excess, _AT_ONCE) - 1)))

    async def _delete(self, addresses: list[bytes]) -> None:
        async with self._valkey.pipeline(transaction=True) as pipe:
            pipe.zrem(_SEEN, *addresses)
            pipe.hdel(_NAMES, *addresses)
            await pipe.execute()


def _parts(items: list[T]) -> list[list[T]]:
    return [items[start : start + _AT_ONCE] for start in range(0, len(items), _AT_ONCE)]
