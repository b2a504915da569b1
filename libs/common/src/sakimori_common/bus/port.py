"""The Protocols of the bus and the message they carry."""

from collections.abc import Awaitable, Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Protocol

from sakimori_common.bus.topology import Queue, Topic
from sakimori_common.metrics import ConsumerMetrics


@dataclass(frozen=True, slots=True)
class Message:
    """One batch on its way.

    `id` is stable over redelivery: state that counts a batch remembers it. `headers` hold `schema` (the version of
    `body`), `source` (the service that published) and `trace` where there is one. `attempt` is 1 at the first try.
    """

    id: str
    body: bytes
    headers: Mapping[str, str] = field(default_factory=dict)
    attempt: int = 1


@dataclass(frozen=True, slots=True)
class DeadLetter:
    """A message that could not be handled, with why and since when (RFC 3339)."""

    message: Message
    queue: str
    reason: str
    died_at: str


Handler = Callable[[Sequence[Message]], Awaitable[None]]
"""Takes a group of messages; returning settles all of them. When it raises for a group of several, each is handed in
again alone, so that one poison message does not take its neighbours along."""


@dataclass(frozen=True, slots=True)
class Subscription:
    """How a consumer takes from its queue.

    `group`: up to so many messages are handed to the handler at once, whatever has arrived after `linger_seconds`.
    `prefetch`: how many unsettled messages this consumer holds; at least `group`. `fuse`: so many handlers in a row
    that ended in a bug (an exception that is none of Retry, Reject, Halt) stop the service.
    """

    queue: Queue
    handler: Handler
    group: int = 1
    linger_seconds: float = 0.0
    prefetch: int = 20
    delivery_limit: int = 20
    retry_seconds: float = 0.1
    """First back-off after a Retry; doubles up to `retry_limit_seconds`."""
    retry_limit_seconds: float = 10.0
    fuse: int = 10


class Consumer(Protocol):
    """A running subscription."""

    async def drain(self) -> None:
        """Take nothing more, finish and settle what is being handled, give the rest back to the queue."""

    async def failure(self) -> BaseException:
        """Wait until the consumer stopped by itself (Halt or a blown fuse) and return why."""


class Bus(Protocol):
    """A broker of batches."""

    async def publish(self, topic: Topic, message: Message) -> None:
        """Hand a message in; returns when it is safe on every queue of the topic.

        Safe means confirmed by the broker (amqp) or settled by every consumer (memory; inside a handler: queued, for
        two services that publish to one another must not wait for one another). Raises BusUnavailable when that took
        longer than the bus's `publish_timeout_seconds`. May be called concurrently; gather to pipeline.
        """

    async def consume(self, subscription: Subscription, metrics: ConsumerMetrics | None = None) -> Consumer:
        """Start to take messages off a queue, competing with all others that do. Survives the broker's restarts.

        Give the service's one ConsumerMetrics to have handled, retried and dead messages counted. A message whose
        header `schema` is not SCHEMA_VERSION is dead at once: handlers see only what they can read.
        """

    async def watch(self, topic: Topic, handler: Callable[[Message], Awaitable[None]]) -> Consumer:
        """See every message published from now on, beside the queues and without holding them up.

        For live views: each watcher gets its own copy; what comes while it is away or too slow, it misses.
        """

    async def bury(self, queue: Queue, message: Message, reason: str) -> None:
        """Put a message into the dead letters of a queue by hand. Returns when it is safe; raises BusUnavailable."""

    async def dead(self, queue: Queue, limit: int) -> list[DeadLetter]:
        """Look at up to `limit` dead letters of a queue, oldest first, and leave them there. Raises BusUnavailable."""

    async def revive(self, queue: Queue, ids: Sequence[str] | None, limit: int) -> int:
        """Move dead letters back to their queue, all or those with the ids; returns how many. Raises BusUnavailable."""

    async def check(self) -> None:
        """Return when the broker answers, for readiness. Raises BusUnavailable."""

    async def depth(self, queue: str) -> int:
        """Count the messages that wait in a queue (`dead_letters_of` names also work). Raises BusUnavailable."""

    async def close(self) -> None:
        """Close what is open; consumers are to be drained before."""
