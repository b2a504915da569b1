"""The bus port: what every service may ask of the broker, whichever it is.

Two implementations pass one contract suite (tests/contract/test_bus.py): `amqp` on RabbitMQ and `memory` in one
process. `open_bus(url)` chooses by the scheme. Delivery is at least once; a message is settled only after its handler
returned, so whatever a handler does must be the same when done twice.
"""

from sakimori_common.bus.errors import BusUnavailable, Halt, Reject, Retry, Unavailable
from sakimori_common.bus.open import open_bus
from sakimori_common.bus.port import Bus, Consumer, DeadLetter, Handler, Message, Subscription
from sakimori_common.bus.topology import QUEUES, Queue, Topic, dead_letters_of

__all__ = [
    "QUEUES",
    "Bus",
    "BusUnavailable",
    "Consumer",
    "DeadLetter",
    "Halt",
    "Handler",
    "Message",
    "Queue",
    "Reject",
    "Retry",
    "Subscription",
    "Topic",
    "Unavailable",
    "dead_letters_of",
    "open_bus",
]
