"""Lines that hosts send to a listening port: many peers, one source."""

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace

from sakimori_collector.domain.format import LineRejected
from sakimori_collector.domain.reading import LINE_READER, Rejected, Source
from sakimori_common.contracts import Event
from sakimori_common.ids import event_id

PEER_FIELD = "log.source.address"
_GIVEN = re.compile(rb'<\d{1,3}>1 (?:[^ ]{1,255} ){5}\[sakimori@32473 id="([\w-]{8,64})"\]')
"""An id that the sender gave the message, as structured data of RFC 5424 (deploy/agents/rsyslog): syslog confirms
nothing, so after a lost connection a sender repeats what had arrived. 32473 is the number for examples (RFC 5612)."""


@dataclass(slots=True)
class Received(Source):
    """A source whose lines say by their place who sent them, and what is wrong with those that are not whole.

    What one peer sends says nothing of the lines of others: headers are forgotten at once.
    """

    peers: Mapping[int, str] = field(default_factory=dict)
    faults: Mapping[int, str] = field(default_factory=dict)

    def read(self, raw: bytes, place: int) -> list[Event]:
        """Read a line. Raises LineRejected."""
        if self.faults:
            self.check(place)
        # Not super(): a dataclass with slots is another class than the one that the method was defined in.
        events = Source.read(self, raw, place)
        if self.header_of is not None:
            self.header_of = None
            self.reference = replace(self.reference, context="")
        if b"[sakimori@32473 " in raw and (given := _GIVEN.match(raw)) is not None:
            events = [self._renamed(event, b"%b:%d" % (given[1], at), place) for at, event in enumerate(events)]
        self.mark(events, place)
        return events

    def _renamed(self, event: Event, given: bytes, place: int) -> Event:
        identity = event_id(event.time, "given", self.name, self.peers.get(place, ""), given)
        return Event(identity, event.time, event.dataset, event.fields)

    def check(self, place: int) -> None:
        """Raise LineRejected for a line that is not whole."""
        if place in self.faults:
            raise LineRejected(self.faults[place])

    def mark(self, events: Sequence[Event], place: int) -> None:
        """Write into events who sent their line."""
        address = self.peers.get(place)
        if address is not None:
            for event in events:
                event.fields[PEER_FIELD] = address

    def reject(
        self, raw: bytes, place: int, reason: str, *, reader: str = LINE_READER, length: int | None = None
    ) -> Rejected:
        """Say that a line became no event."""
        rejected = Source.reject(self, raw, place, reason, reader=reader, length=length)
        address = self.peers.get(place)
        if address is None:
            return rejected
        stamp = {**self.stamp, PEER_FIELD: address}
        return replace(rejected, replay=replace(rejected.replay, stamp=stamp))


def read_received(source: Source, raw: bytes, place: int) -> list[Event]:
    """Read a line as its source does. Raises LineRejected."""
    return source.read(raw, place)
