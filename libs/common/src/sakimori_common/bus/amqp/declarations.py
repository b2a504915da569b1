"""What is declared on the broker, by everyone who connects: it is there whoever comes first, and again after a loss."""

from typing import Final

from aiormq.abc import AbstractChannel
from pamqp.common import FieldTable

from sakimori_common.bus.topology import QUEUES, Topic, dead_letters_of

BROKER_DELIVERY_LIMIT: Final = 20
"""So often may a message come back unsettled before the broker itself buries it: its takers crash, or it kills them."""

_QUEUE: Final[FieldTable] = {
    "x-queue-type": "quorum",
    "x-delivery-limit": BROKER_DELIVERY_LIMIT,
    "x-dead-letter-exchange": "",
    "x-dead-letter-strategy": "at-least-once",
    "x-overflow": "reject-publish",  # at-least-once demands it
    # A consumer that waits for a database holds its messages meanwhile. RabbitMQ takes them away after 30 minutes and
    # counts that; a day per count is patience enough. RabbitMQ before 3.12 ignores this (set consumer_timeout there).
    "x-consumer-timeout": 24 * 3600 * 1000,
}
_DEAD_QUEUE: Final[FieldTable] = {
    "x-queue-type": "quorum",
    # A look at dead letters takes and returns them. RabbitMQ 4 drops what came back 20 times, unless told otherwise;
    # its own word for "never", -1, is an error to RabbitMQ 3.
    "x-delivery-limit": 1_000_000_000,
}


async def declare_topology(channel: AbstractChannel) -> None:
    """Declare every exchange, queue, dead-letter queue and binding; nothing changes where they are already."""
    for topic in Topic:
        await channel.exchange_declare(topic, exchange_type="topic", durable=True)
    for queue, topic in QUEUES.items():
        dead = dead_letters_of(queue)
        await channel.queue_declare(dead, durable=True, arguments=dict(_DEAD_QUEUE))
        await channel.queue_declare(queue, durable=True, arguments={**_QUEUE, "x-dead-letter-routing-key": dead})
        await channel.queue_bind(queue, topic, routing_key="#")
