"""One conversation: who talks, what was recognised, how far each side is."""

from sakimori_packet_sensor.domain.conversations.rows import Opening
from sakimori_packet_sensor.domain.conversations.stream import Stream
from sakimori_packet_sensor.domain.conversations.watching import Watching
from sakimori_packet_sensor.domain.protocols.contract import Decoder, Ends, Fields, ProtocolKind


class Conversation:
    """What is known of a flow whose payload was looked at, as long as the flow lasts.

    `kind` stays when the decoder is done; `first` is the one that handed over to it, if any. `is_done`: no payload is
    wanted any more. `sides` are there while streams are put in order, `speaker` is the one whose payload came first;
    `tries` counts datagrams that nobody recognised. `number` is the place of the last packet in the capture, `now` its
    time, `weight` what the streams held when last weighed. `header` are the fields that all of its events have, made
    when the first one is; `turned` the same with its ends exchanged; `identity` is its part of their ids, `place` the
    number of messages, twice, that came of the packet numbered `reported`.
    """

    __slots__ = (
        "decoder",
        "ends",
        "first",
        "header",
        "identity",
        "is_done",
        "kind",
        "malformed",
        "now",
        "number",
        "opening",
        "place",
        "reported",
        "sides",
        "slot",
        "speaker",
        "transport",
        "tries",
        "turned",
        "weight",
    )

    def __init__(self, slot: int, opening: Opening) -> None:
        self.slot = slot
        self.opening = opening
        self.transport = opening.protocol
        self.ends = Ends(opening.source, opening.destination, opening.source_port, opening.destination_port)
        self.kind: ProtocolKind | None = None
        self.first: ProtocolKind | None = None
        self.decoder: Decoder | None = None
        self.sides: tuple[Stream, Stream] | None = None
        self.is_done = False
        self.malformed = 0
        self.tries = 0
        self.number = self.now = 0
        self.reported = self.place = 0
        self.header: Fields | None = None
        self.turned: Fields | None = None
        self.identity = 0
        self.weight = 0
        self.speaker = -1

    def hand_over(self) -> None:
        """Expect another protocol from here on."""
        self.first = self.first or self.kind
        self.decoder = self.header = None
        self.speaker = -1

    def leave(self, watching: Watching) -> None:
        """Want no payload any more, and let go of all that is kept."""
        self.is_done = True
        self.decoder = self.sides = None
        watching.nothing(self.slot, 0)
        watching.nothing(self.slot, 1)
