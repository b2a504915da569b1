"""What a protocol is to the sensor: how to tell it, and a decoder for each conversation that speaks it."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from enum import IntEnum
from typing import Final, NamedTuple, Protocol

from sakimori_common.contracts import FieldValue

Fields = dict[str, FieldValue]

CLIENT: Final = 0
"""The side of a conversation that its flow has as source: the one that spoke first."""
SERVER: Final = 1

DONE: Final = 1 << 62
"""As `Read.consumed`: nothing more of this conversation is wanted, from either side; `finish` is not called."""
AGAIN: Final = 1 << 61
"""As `Read.consumed`: all was; what follows on both sides is another protocol (TLS after STARTTLS), to be told anew."""

TCP: Final = 6
UDP: Final = 17


class Verdict(IntEnum):
    """What the first bytes say of a protocol. MORE: right so far, too few to be sure."""

    NO = 0
    MORE = 1
    YES = 2


class Ends(NamedTuple):
    """Who talks: addresses of 4 or 16 bytes and ports, the client's first."""

    source: bytes
    destination: bytes
    source_port: int
    destination_port: int


class Message(NamedTuple):
    """Something a conversation said, to become one event.

    `fields` are the protocol's own; addresses, ports, `network.*` and `event.category` are added by the sensor. `side`
    is who said it. `time` in microseconds, 0 for that of the packet in hand. A message that is wrong in itself has
    `error.code: malformed` and `error.message`. The event's source is the conversation's client, or where `is_turned`
    its server: for what the server asks, and where roles are those of one datagram only.
    """

    dataset: str
    fields: Fields
    side: int = CLIENT
    time: int = 0
    is_turned: bool = False


class Read(NamedTuple):
    """What came of a piece: messages, and how many of its bytes are dealt with.

    `consumed` beyond the piece's length: so many bytes that follow are skipped unseen (a body). Less: the rest is
    offered again, with what follows it. DONE, AGAIN: see there.
    """

    messages: Sequence[Message]
    consumed: int


class Decoder(Protocol):
    """Decodes one conversation. Its memory is bounded, whatever it is fed."""

    def feed(self, side: int, data: bytes, time: int) -> Read:
        """Take one datagram, or all bytes of a side in order from the first not yet consumed.

        Raises Malformed: the datagram, or the rest of this side, is given up and reported. Never raises anything else.
        """

    def finish(self) -> Sequence[Message]:
        """Say what is left when the flow ends or a gap ends the conversation, such as a request without answer."""


@dataclass(frozen=True, slots=True)
class ProtocolKind:
    """One protocol. Each module of this package that speaks one offers it as `PROTOCOL` (or a tuple `PROTOCOLS`).

    `recognise(data, side, ends)` looks at a first payload of either side, on any port: content decides. `ports` only
    says where to expect it: there it is asked first. `first_bytes` are those with which either side's first payload can
    begin (None: any), so that few protocols are asked. After a gap in a stream `resumes` protocols are offered what
    follows, if it is recognised again, by a new decoder; the others end there. At most `buffer_bytes` of one side wait;
    beyond that the side is malformed.
    """

    name: str
    transport: int
    recognise: Callable[[bytes, int, Ends], Verdict]
    decoder: Callable[[Ends], Decoder]
    ports: frozenset[int] = frozenset()
    first_bytes: frozenset[int] | None = None
    is_encrypted: bool = False
    resumes: bool = False
    buffer_bytes: int = 16_384
