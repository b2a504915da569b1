"""What the sensor saw, as events (docs/reference/fields.md, docs/reference/protocols.md).

An id is a function of what the event is about: time, 5-tuple, and the place of its packet in the capture. So a capture
that is read twice, or read again after it grew, leaves one trace.
"""

from collections.abc import Callable, Sequence
from typing import Final

from sakimori_common.contracts import Event
from sakimori_common.ids import event_id, numbered_event_id
from sakimori_packet_sensor.domain.addresses import ip_text, mac_text
from sakimori_packet_sensor.domain.conversations.conversation import Conversation
from sakimori_packet_sensor.domain.conversations.rows import Sender
from sakimori_packet_sensor.domain.headers import NOBODY, Fields, Origin, header, identity, turned
from sakimori_packet_sensor.domain.protocols.arp import decode_arp
from sakimori_packet_sensor.domain.protocols.contract import Message
from sakimori_packet_sensor.domain.protocols.malformed import Malformed
from sakimori_packet_sensor.domain.protocols.neighbour import decode_neighbour

__all__ = ["MessageEvents", "Origin", "PacketEvents"]

_PLACES: Final = 1 << 20
"""Messages of one packet that ids tell apart: more than it has bytes."""


class MessageEvents:
    """Turn what conversations say into events."""

    def __init__(self, origin: Origin) -> None:
        self._origin = origin

    def of(self, talk: Conversation, messages: Sequence[Message]) -> list[Event]:
        """Report messages of a conversation, with all that is known of the layers below."""
        common = talk.header or self._begin(talk)
        if talk.reported != talk.number:
            talk.reported, talk.place = talk.number, 0
        number = talk.number * _PLACES + talk.place
        events = []
        for dataset, fields, _, time, is_turned in messages:
            ends = common if not is_turned else talk.turned or self._turn(talk)
            at = time or talk.now
            number += 2  # even, since flows have the odd numbers
            events.append(Event(numbered_event_id(at, talk.identity, number), at, dataset, ends | fields))
        talk.place += 2 * len(events)
        return events

    def _begin(self, talk: Conversation) -> Fields:
        talk.header = header(talk.opening, self._origin)
        talk.turned = None
        if talk.kind is not None:
            talk.header["network.protocol"] = talk.kind.name
        talk.identity = talk.identity or identity(talk.opening, 0)
        return talk.header

    def _turn(self, talk: Conversation) -> Fields:
        talk.turned = turned(talk.header or {})
        return talk.turned


class PacketEvents:
    """Turn packets that are part of no conversation into events."""

    def __init__(self, origin: Origin) -> None:
        self._origin = origin

    def arp(self, sender: Sender, payload: bytes, time: int, number: int) -> Event:
        """Report an ARP message: who sent the frame, and the addresses that it speaks of."""
        fields: Fields = {"event.category": "network", **self._origin, "network.type": "arp"}
        if sender.mac != NOBODY:
            fields["source.mac"] = mac_text(sender.mac)
        if sender.vlan:
            fields["network.vlan.id"] = str(sender.vlan)
        decoded = _decoded(decode_arp, payload)
        for end, name in (("source.ip", "arp.sender_ip"), ("destination.ip", "arp.target_ip")):
            if name in decoded:
                fields[end] = decoded[name]
        identifier = event_id(time, "network.arp", payload[:64], str(number))
        return Event(identifier, time, "network.arp", fields | decoded)

    def neighbour(self, ends: Fields, payload: bytes, time: int, number: int) -> Event:
        """Report a message of neighbour discovery between `ends`."""
        identifier = event_id(time, "network.ndp", payload[:64], str(number))
        return Event(identifier, time, "network.ndp", ends | _decoded(decode_neighbour, payload))

    def sighting(self, sender: Sender, time: int, number: int) -> Event:
        """Report that a device was seen: its MAC address, and an IP address that it uses."""
        fields: Fields = {
            "event.category": "network",
            **self._origin,
            "event.action": "device.sighted",
            "device.mac": mac_text(sender.mac),
        }
        if sender.address:
            fields["device.ip"] = ip_text(sender.address)
        if sender.vlan:
            fields["network.vlan.id"] = str(sender.vlan)
        identifier = event_id(time, "network.device", sender.mac, sender.address, str(number))
        return Event(identifier, time, "network.device", fields)


def _decoded(decode: Callable[[bytes], Fields], payload: bytes) -> Fields:
    try:
        return decode(payload)
    except Malformed as problem:
        return {"error.code": "malformed", "error.message": str(problem)}
