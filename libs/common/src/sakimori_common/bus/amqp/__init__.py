"""The bus on RabbitMQ (3.10 and later): quorum queues, publisher confirms, dead letters.

Stands on aiormq, the protocol library under aio-pika: reconnecting, declaring and publishing again are this package's
own, since they decide whether something is lost (docs/adr/0005-amqp-on-aiormq.md).
"""

from sakimori_common.bus.amqp.bus import AmqpBus

__all__ = ["AmqpBus"]
