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
            answer = await self._valkey.zrangebyscore(_SEEN, since, "+inf", 0, MOST_NAMES, withscores=True)
            found = cast(list[tuple[bytes, float]], answer)
            names: dict[str, tuple[str, float]] = {}
            for part in _parts(found):
                values = cast(list[bytes | None], await self._valkey.hmget(_NAMES, [address for address, _ in part]))
                for (address, seen), name in zip(part, values, strict=True):
                    if name is not None:
                        names[address.decode()] = (name.decode("utf-8", "replace"), seen)
        except _AWAY as error:
            raise unavailable(error) from error
        return names

    async def _forget(self, now: float) -> None:
        oldest = now - LASTING_SECONDS
        old = cast(list[bytes], await self._valkey.zrangebyscore(_SEEN, "-inf", oldest, 0, MOST_NAMES))
        excess = await self._valkey.zcard(_SEEN) - len(old) - MOST_NAMES
        if excess > 0:
            old = cast(list[bytes], await self._valkey.zrange(_SEEN, 0, len(old) + excess - 1))
        for part in _parts(old):
            async with self._valkey.pipeline(transaction=True) as pipe:
                pipe.zrem(_SEEN, *part)
                pipe.hdel(_NAMES, *part)
                await pipe.execute()


def _parts(items: list[T]) -> list[list[T]]:
    return [items[start : start + _AT_ONCE] for start in range(0, len(items), _AT_ONCE)]
