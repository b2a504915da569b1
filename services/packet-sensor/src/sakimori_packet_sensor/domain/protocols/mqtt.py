"""MQTT 3.1, 3.1.1 and 5 over TCP.

An event for each control packet, with one exception that keeps the volume sane: of pings and of the four
acknowledgements of a PUBLISH each conversation's first has one, and those that fail or fit nothing; the others are
counted, and the counts come when the conversation ends (`mqtt.type: summary`). Of a PUBLISH's payload only the size.
"""

import re
from collections import Counter
from collections.abc import Sequence
from typing import Final

from sakimori_packet_sensor.domain.protocols.contract import (
    CLIENT,
    SERVER,
    TCP,
    Ends,
    Fields,
    Message,
    ProtocolKind,
    Read,
    Verdict,
)
from sakimori_packet_sensor.domain.protocols.framing import malformed, read_each
from sakimori_packet_sensor.domain.protocols.malformed import Malformed
from sakimori_packet_sensor.domain.protocols.mqtt_packets import (
    AUTH,
    CONNACK,
    CONNECT,
    NAMES,
    PINGREQ,
    PINGRESP,
    PUBACK,
    PUBCOMP,
    PUBLISH,
    PUBREC,
    PUBREL,
    SAYS,
    SUBACK,
    SUBSCRIBE,
    UNSUBACK,
    UNSUBSCRIBE,
    V5,
)
from sakimori_packet_sensor.domain.protocols.mqtt_properties import (
    read_properties,
    two_bytes,
    variable_integer,
)
from sakimori_packet_sensor.domain.protocols.text import text_of

_DATASET: Final = "network.mqtt"
_MOST_BODY: Final = 65_536
"""A packet other than PUBLISH beyond this is reported by its size only."""
_MOST_PROPERTIES: Final = 8_192
_MOST_PENDING: Final = 128
_MOST_ALIASES: Final = 16
_MOST_ALIASED: Final = 512
"""Characters of a topic that is remembered."""

_COUNTED: Final = frozenset({PUBACK, PUBREC, PUBREL, PUBCOMP, PINGREQ, PINGRESP})
_ANSWERED: Final = {
    SUBACK: (SUBSCRIBE, "missing_subscribe"),
    UNSUBACK: (UNSUBSCRIBE, "missing_unsubscribe"),
    PUBACK: (PUBLISH, "missing_publish"),
    PUBREC: (PUBLISH, "missing_publish"),
}
_OPENING: Final = re.compile(
    rb"\x10[\x80-\xff]{0,3}[\x00-\x7f](?:\x00\x04MQTT[\x04\x05\x84]|\x00\x06MQIsdp[\x03\x83])", re.DOTALL
)
_OPENING_BYTES: Final = 14
_TOPIC: Final = re.compile(rb"[\x30-\x3f][\x80-\xff]{0,3}[\x01-\x7f]\x00[\x01-\xff][ -~]{1,255}", re.DOTALL)
_PORTS: Final = frozenset({1883})


def recognise(data: bytes, _side: int, ends: Ends) -> Verdict:
    """A CONNECT, anywhere; on MQTT's port any packet whose header is right."""
    if data[0] == CONNECT << 4:
        if _OPENING.match(data):
            return Verdict.YES
        return Verdict.MORE if len(data) < _OPENING_BYTES else Verdict.NO
    if ends.destination_port in _PORTS or ends.source_port in _PORTS:
        return _continues(data)
    return Verdict.NO


def _continues(data: bytes) -> Verdict:
    """Whether a whole packet stands here, in a conversation that began before the capture."""
    kind, flags = data[0] >> 4, data[0] & 15
    if kind == PUBLISH:
        return Verdict.YES if flags & 6 != 6 and _TOPIC.match(data) else Verdict.NO
    if len(data) < 2 or data[1] != len(data) - 2 or kind in {0, CONNECT}:
        return Verdict.NO
    return Verdict.YES if flags == (2 if kind in {PUBREL, SUBSCRIBE, UNSUBSCRIBE} else 0) else Verdict.NO


class MqttDecoder:
    """Both sides of a conversation: the protocol level and topic aliases belong to it."""

    __slots__ = ("_aliases", "_client", "_counts", "_has_begun", "_level", "_pending", "_user")

    def __init__(self, ends: Ends) -> None:
        # A capture that begins in the middle may show the server first: then the port tells who is who.
        self._client = SERVER if ends.source_port in _PORTS and ends.destination_port not in _PORTS else CLIENT
        self._level = 4
        self._has_begun = False
        self._user: str | None = None
        self._counts: Counter[int] = Counter()
        self._pending: set[tuple[int, int, int]] = set()
        self._aliases: tuple[dict[int, str], dict[int, str]] = ({}, {})

    def feed(self, side: int, data: bytes, _time: int) -> Read:
        """Take bytes of a side."""
        return read_each(_DATASET, side, data, self._packet)

    def finish(self) -> Sequence[Message]:
        """Say how many pings and acknowledgements had no event."""
        counted: Fields = {f"mqtt.count.{NAMES[kind]}": many for kind, many in self._counts.items() if many > 1}
        return [self._message({"mqtt.type": "summary", **counted}, self._client)] if counted else []

    def _message(self, fields: Fields, side: int) -> Message:
        return Message(_DATASET, fields, side, 0, self._client == SERVER)

    def _packet(self, side: int, data: bytes, at: int, messages: list[Message]) -> int:
        head = data[at]
        length, begin = variable_integer(data, at + 1)
        if begin < 0:
            return at
        kind, end = head >> 4, begin + length
        if kind == PUBLISH:
            return self._publish(side, data, at, messages)
        name = NAMES[kind]
        fields: Fields = {
            "mqtt.type": name,
            "mqtt.from_client": side == self._client,
            f"mqtt.{name}.dup": bool(head & 8),
            f"mqtt.{name}.qos": head >> 1 & 3,
            f"mqtt.{name}.retain": bool(head & 1),
        }
        say = SAYS.get(kind)
        if say is None:
            fields |= _broken("unassigned_msg_type", "no packet has type 0")
        elif length > _MOST_BODY:
            fields[f"mqtt.{name}.bytes"] = length
        elif end > len(data):
            return at
        else:
            try:
                fields |= say(data[begin:end], f"mqtt.{name}.", self._level)
            except Malformed as problem:
                fields |= _broken("malformed_traffic", str(problem))
            self._follow(kind, side, fields)
        if self._is_reported(kind, fields):
            messages.append(self._message(fields, side))
        return end

    def _is_reported(self, kind: int, fields: Fields) -> bool:
        if kind not in _COUNTED:
            return True
        self._counts[kind] += 1
        return self._counts[kind] == 1 or "mqtt.anomaly" in fields or "event.outcome" in fields

    def _follow(self, kind: int, side: int, fields: Fields) -> None:
        """Keep what later packets refer to, and say what does not fit what was before."""
        if "error.code" in fields:
            return
        if kind == CONNECT:
            self._begin(side, fields)
        elif kind == CONNACK:
            if self._user is not None:
                fields["user.name"] = self._user
            if not self._has_begun:
                fields["mqtt.anomaly"] = "missing_connect"
        elif not self._has_begun:
            if kind != AUTH and not self._counts:
                self._counts[0] += 1
                fields["mqtt.anomaly"] = "unintroduced_message"
        elif kind in {SUBSCRIBE, UNSUBSCRIBE}:
            self._expect(side, kind, fields[f"mqtt.{NAMES[kind]}.message_id"])
        elif kind in _ANSWERED:
            self._answer(side, kind, fields)

    def _begin(self, side: int, fields: Fields) -> None:
        if self._has_begun:
            fields["mqtt.anomaly"] = "double_connect"
        elif side != self._client:
            fields["mqtt.anomaly"] = "connect_by_server"
        self._has_begun = True
        level, user = fields["mqtt.connect.protocol_version"], fields.get("user.name")
        self._level = level if isinstance(level, int) else 4
        self._user = user if isinstance(user, str) else None

    def _expect(self, side: int, kind: int, number: object) -> None:
        if isinstance(number, int) and len(self._pending) < _MOST_PENDING:
            self._pending.add((side, kind, number))

    def _answer(self, side: int, kind: int, fields: Fields) -> None:
        asked, anomaly = _ANSWERED[kind]
        number = fields[f"mqtt.{NAMES[kind]}.message_id"]
        if not isinstance(number, int):
            return
        if (1 - side, asked, number) in self._pending:
            self._pending.discard((1 - side, asked, number))
        elif len(self._pending) < _MOST_PENDING:
            fields["mqtt.anomaly"] = anomaly

    def _publish(self, side: int, data: bytes, at: int, messages: list[Message]) -> int:
        """Take a PUBLISH as soon as all before its payload is there."""
        length, begin = variable_integer(data, at + 1)
        end, quality = begin + length, data[at] >> 1 & 3
        if begin + 2 > len(data):
            return at
        topic_end = begin + 2 + two_bytes(data, begin)
        behind = topic_end + (2 if quality else 0)
        if behind > end:
            raise Malformed("a topic runs out of the packet")
        if behind > len(data):
            return at
        fields: Fields = {
            "mqtt.type": "publish",
            "mqtt.from_client": side == self._client,
            "mqtt.publish.topic": text_of(data[begin + 2 : topic_end]),
            "mqtt.publish.dup": data[at] & 8 != 0,
            "mqtt.publish.qos": quality,
            "mqtt.publish.retain": data[at] & 1 != 0,
        }
        if self._level == V5:
            behind = self._publish_properties(side, data, behind, end, fields)
            if behind < 0:
                return at
        if quality:
            self._publish_number(side, quality, two_bytes(data, topic_end), fields)
        fields["mqtt.publish.bytes"] = end - behind
        if not self._has_begun:
            self._follow(PUBLISH, side, fields)
        messages.append(self._message(fields, side))
        return end

    def _publish_number(self, side: int, quality: int, number: int, fields: Fields) -> None:
        fields["mqtt.publish.message_id"] = number
        if quality == 3:
            fields |= _broken("invalid_qos_level", "quality of service 3")
        elif self._has_begun:
            self._expect(side, PUBLISH, number)

    def _publish_properties(self, side: int, data: bytes, at: int, end: int, fields: Fields) -> int:
        """Read the properties of a PUBLISH; returns where its payload begins, -1 when more bytes are needed."""
        length, begin = variable_integer(data, at)
        if begin < 0 and len(data) < end:
            return -1
        behind = begin + length
        if begin < 0 or behind > end:
            raise Malformed("properties run out of the packet")
        if length > _MOST_PROPERTIES:
            return behind
        if behind > len(data):
            return -1
        read_properties(data, at, "mqtt.publish.properties.", fields)
        alias = fields.get("mqtt.publish.properties.topic_alias")
        if isinstance(alias, int):
            known, topic = self._aliases[side], fields["mqtt.publish.topic"]
            if not topic:
                fields["mqtt.publish.topic"] = known.get(alias, "")
            elif isinstance(topic, str) and (alias in known or len(known) < _MOST_ALIASES):
                known[alias] = topic[:_MOST_ALIASED]
        return behind


def _broken(anomaly: str, problem: str) -> Fields:
    return {**malformed(problem), "mqtt.anomaly": anomaly}


PROTOCOL: Final = ProtocolKind(
    name="mqtt",
    transport=TCP,
    recognise=recognise,
    decoder=MqttDecoder,
    ports=_PORTS,
    first_bytes=frozenset(range(0x10, 0x100)),
    resumes=True,
    buffer_bytes=81_920,
)
