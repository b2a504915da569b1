"""What the control packets of MQTT say (OASIS MQTT 3.1.1 and 5.0, 3; MQTT 3.1), each as event fields.

Each function takes the packet behind its fixed header, the name's prefix and the protocol level, and raises Malformed.
"""

from collections.abc import Callable
from typing import Final

from sakimori_packet_sensor.domain.protocols.contract import Fields
from sakimori_packet_sensor.domain.protocols.malformed import Malformed
from sakimori_packet_sensor.domain.protocols.mqtt_properties import (
    MOST_TEXT,
    behind_string,
    read_properties,
    two_bytes,
)
from sakimori_packet_sensor.domain.protocols.text import text_of

V5: Final = 5
MOST_TOPICS: Final = 64
_PROTOCOLS: Final = {(b"MQTT", 4), (b"MQTT", 5), (b"MQIsdp", 3)}

List = list[str | int | float | bool | None]
Say = Callable[[bytes, str, int], Fields]


def connect(body: bytes, prefix: str, _level: int) -> Fields:
    """CONNECT: who wants what. Of the password only that there is one."""
    begin = behind_string(body, 0)
    name = body[2:begin]
    if begin + 4 > len(body):
        raise Malformed("a CONNECT ends before its payload")
    level, flags = body[begin] & 0x7F, body[begin + 1]  # the first bit of the level marks a bridge
    if (name, level) not in _PROTOCOLS:
        raise Malformed(f"no version of MQTT: {text_of(name, 16)} {level}")
    fields = _wishes(prefix, flags)
    fields[f"{prefix}protocol_string"], fields[f"{prefix}protocol_version"] = text_of(name, 16), level
    fields[f"{prefix}keep_alive_seconds"] = body[begin + 2] << 8 | body[begin + 3]
    at = begin + 4
    if level == V5:
        at = read_properties(body, at, prefix + "properties.", fields)
    behind = behind_string(body, at)
    fields[f"{prefix}client_id"] = text_of(body[at + 2 : behind], MOST_TEXT)
    if flags & 4:
        behind = _will(body, behind, flags, prefix, fields)
    if flags >= 0x80:
        at, behind = behind, behind_string(body, behind)
        fields["user.name"] = fields[f"{prefix}username"] = text_of(body[at + 2 : behind], MOST_TEXT)
    if flags & 0x40:
        behind = behind_string(body, behind)
    if behind != len(body):
        raise Malformed("more in a CONNECT than its flags say")
    return fields


def _wishes(prefix: str, flags: int) -> Fields:
    if flags & 1 or flags & 0x18 == 0x18 or (flags & 0x38 and not flags & 4):
        raise Malformed("flags of a CONNECT contradict one another")
    return {
        f"{prefix}flags.username": flags >= 0x80,
        f"{prefix}flags.password": bool(flags & 0x40),
        f"{prefix}flags.will_retain": bool(flags & 0x20),
        f"{prefix}flags.will": bool(flags & 0x04),
        f"{prefix}flags.clean_session": bool(flags & 0x02),
    }


def _will(body: bytes, at: int, flags: int, prefix: str, into: Fields) -> int:
    if into[prefix + "protocol_version"] == V5:
        at = read_properties(body, at, prefix + "will.properties.", into)
    topic_end = behind_string(body, at)
    end = behind_string(body, topic_end)
    into[prefix + "will.topic"] = text_of(body[at + 2 : topic_end])
    into[prefix + "will.qos"] = flags >> 3 & 3
    into[prefix + "will.bytes"] = end - topic_end - 2
    return end


def connack(body: bytes, prefix: str, level: int) -> Fields:
    """CONNACK: how it went. 0 is success in every version."""
    if len(body) < 2:
        raise Malformed("a CONNACK of less than two bytes")
    code = body[1]
    fields: Fields = {
        f"{prefix}session_present": bool(body[0] & 1),
        f"{prefix}return_code": code,
        "event.outcome": "failure" if code else "success",
    }
    if level == V5 and len(body) > 2:
        read_properties(body, 2, prefix + "properties.", fields)
    return fields


def subscribe(body: bytes, prefix: str, level: int) -> Fields:
    """SUBSCRIBE: topic filters and the quality of service asked for each."""
    fields: Fields = {prefix + "message_id": two_bytes(body, 0)}
    at = read_properties(body, 2, prefix + "properties.", fields) if level == V5 else 2
    topics: List = []
    qualities: List = []
    count = 0
    while at < len(body):
        behind = behind_string(body, at)
        if behind >= len(body):
            raise Malformed("a topic without its options")
        if body[behind] & 3 == 3 or (level < V5 and body[behind] > 3):
            raise Malformed(f"options {body[behind]} of a subscription")
        if count < MOST_TOPICS:
            topics.append(text_of(body[at + 2 : behind], MOST_TEXT))
            qualities.append(body[behind] & 3)
        count += 1
        at = behind + 1
    if not count:
        raise Malformed("a SUBSCRIBE without topics")
    return fields | {prefix + "topics": topics, prefix + "topics_qos": qualities, prefix + "topics_count": count}


def unsubscribe(body: bytes, prefix: str, level: int) -> Fields:
    """UNSUBSCRIBE: topic filters."""
    fields: Fields = {prefix + "message_id": two_bytes(body, 0)}
    at = read_properties(body, 2, prefix + "properties.", fields) if level == V5 else 2
    topics: List = []
    count = 0
    while at < len(body):
        behind = behind_string(body, at)
        if count < MOST_TOPICS:
            topics.append(text_of(body[at + 2 : behind], MOST_TEXT))
        count += 1
        at = behind
    if not count:
        raise Malformed("an UNSUBSCRIBE without topics")
    return fields | {prefix + "topics": topics, prefix + "topics_count": count}


def suback(body: bytes, prefix: str, level: int) -> Fields:
    """SUBACK: what was granted of each; 0x80 and above are refusals."""
    return _codes(body, prefix, level, "qos_granted")


def unsuback(body: bytes, prefix: str, level: int) -> Fields:
    """UNSUBACK: with reasons in MQTT 5 only."""
    if level == V5:
        return _codes(body, prefix, level, "reason_codes")
    return {prefix + "message_id": two_bytes(body, 0)}


def _codes(body: bytes, prefix: str, level: int, name: str) -> Fields:
    fields: Fields = {prefix + "message_id": two_bytes(body, 0)}
    at = read_properties(body, 2, prefix + "properties.", fields) if level == V5 else 2
    fields[prefix + name] = list(body[at : at + MOST_TOPICS])
    if any(code >= 0x80 for code in body[at:]):
        fields["event.outcome"] = "failure"
    return fields


def acknowledgement(body: bytes, prefix: str, level: int) -> Fields:
    """PUBACK, PUBREC, PUBREL, PUBCOMP: of which message, and in MQTT 5 how it went."""
    fields: Fields = {prefix + "message_id": two_bytes(body, 0)}
    if level == V5 and len(body) > 2:
        _reason(body, 2, prefix, fields)
    return fields


def farewell(body: bytes, prefix: str, level: int) -> Fields:
    """DISCONNECT and AUTH: nothing before MQTT 5; then a reason, 0 when there is none."""
    fields: Fields = {}
    if level == V5:
        fields[prefix + "reason_code"] = 0
        if body:
            _reason(body, 0, prefix, fields)
    return fields


def _reason(body: bytes, at: int, prefix: str, into: Fields) -> None:
    into[prefix + "reason_code"] = body[at]
    if body[at] >= 0x80:
        into["event.outcome"] = "failure"
    if at + 1 < len(body):
        read_properties(body, at + 1, prefix + "properties.", into)


def ping(body: bytes, _prefix: str, _level: int) -> Fields:
    """PINGREQ and PINGRESP: nothing."""
    if body:
        raise Malformed("a ping with something in it")
    return {}


CONNECT, CONNACK, PUBLISH, PUBACK, PUBREC, PUBREL, PUBCOMP, SUBSCRIBE = range(1, 9)
SUBACK, UNSUBSCRIBE, UNSUBACK, PINGREQ, PINGRESP, DISCONNECT, AUTH = range(9, 16)
NAMES: Final = (
    "reserved", "connect", "connack", "publish", "puback", "pubrec", "pubrel", "pubcomp", "subscribe", "suback",
    "unsubscribe", "unsuback", "pingreq", "pingresp", "disconnect", "auth",
)  # fmt: skip
SAYS: Final[dict[int, Say]] = {
    CONNECT: connect, CONNACK: connack, PUBACK: acknowledgement, PUBREC: acknowledgement, PUBREL: acknowledgement,
    PUBCOMP: acknowledgement, SUBSCRIBE: subscribe, SUBACK: suback, UNSUBSCRIBE: unsubscribe, UNSUBACK: unsuback,
    PINGREQ: ping, PINGRESP: ping, DISCONNECT: farewell, AUTH: farewell,
}  # fmt: skip
