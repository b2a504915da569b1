"""One subscription of this replica to all that is published about rooms and measures; it mends itself."""

import asyncio
from collections.abc import AsyncIterator
from typing import Any, Final

import msgspec
import structlog
from redis.asyncio import ConnectionPool, Redis
from redis.asyncio.retry import Retry
from redis.backoff import NoBackoff
from redis.exceptions import RedisError

from sakimori_chat.adapters.rooms import channel_of
from sakimori_chat.domain.feed import FeedEvent, Lost, Measured, Opened, Removed, Spoken
from sakimori_chat.domain.messages import Draft
from sakimori_common.context import Valkey

MEASURES: Final = "chat:measures"
SILENCE_SECONDS: Final = 1.0
"""After so long without a word the connection is asked whether it is there; after twice as long it is given up."""
RETRY_SECONDS: Final = 0.2
_ROOMS: Final = channel_of("*")
_PREFIX: Final = len(channel_of(""))

_draft = msgspec.json.Decoder(Draft)


class _Measure(msgspec.Struct, frozen=True):
    kind: str
    entity: str
    ms: int


_measure = msgspec.json.Decoder(_Measure)


class ValkeyFeed:
    """See RoomFeed."""

    def __init__(self, valkey: Valkey, log: structlog.stdlib.BoundLogger) -> None:
        pool = valkey.connection_pool
        # Without the client's own retries: a connection that mends itself in silence hides that something was missed.
        options = {**pool.connection_kwargs, "retry": Retry(NoBackoff(), 0), "health_check_interval": 0}
        self._client: Valkey = Redis(connection_pool=ConnectionPool(connection_class=pool.connection_class, **options))
        self._log = log

    async def events(self) -> AsyncIterator[FeedEvent]:
        """See RoomFeed."""
        try:
            while True:
                try:
                    async for event in self._heard():
                        yield event
                except (RedisError, OSError, TimeoutError) as error:
                    self._log.warning("room_feed_lost", reason=type(error).__name__)
                yield Lost()
                await asyncio.sleep(RETRY_SECONDS)
        finally:
            await self._client.aclose(close_connection_pool=True)

    async def _heard(self) -> AsyncIterator[FeedEvent]:
        async with self._client.pubsub() as subscription:
            await subscription.subscribe(MEASURES)
            await subscription.psubscribe(_ROOMS)
            is_asked = False
            while True:
                message = await subscription.get_message(timeout=SILENCE_SECONDS)
                if message is None and is_asked:
                    raise TimeoutError
                if message is None:
                    await subscription.ping()
                elif (event := self._event(message)) is not None:
                    yield event
                is_asked = message is None

    def _event(self, message: Any) -> FeedEvent | None:
        try:
            return _EVENTS.get(message["type"], _nothing)(message)
        except (msgspec.MsgspecError, ValueError) as error:
            # Nobody but our scripts publishes here; a newer replica might, in words that this one does not know.
            self._log.error("room_feed_not_understood", channel=str(message["channel"]), reason=str(error))
            return None


def _of_room(message: Any) -> FeedEvent:
    """Read what store.lua publishes: `m<number>:<message>`, `d<number>:`."""
    room, data = message["channel"][_PREFIX:].decode(), message["data"]
    head, _, body = data.partition(b":")
    if head[:1] == b"d":
        return Removed(room, int(head[1:]))
    return Spoken(room, int(head[1:]), _draft.decode(body))


def _of_measures(message: Any) -> FeedEvent:
    measure = _measure.decode(message["data"])
    return Measured(measure.kind, measure.entity, measure.ms / 1000)


def _nothing(_: Any) -> None:
    return None


_EVENTS: Final = {
    "pmessage": _of_room,
    "message": _of_measures,
    "psubscribe": lambda _: Opened(),  # the answer to the second of the two subscriptions
}
