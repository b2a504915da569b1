"""Properties of MQTT 5 (OASIS MQTT 5.0, 2.2.2), and the fields that all its packets are made of."""

from typing import Final

from sakimori_packet_sensor.domain.protocols.contract import Fields
from sakimori_packet_sensor.domain.protocols.malformed import Malformed
from sakimori_packet_sensor.domain.protocols.text import text_of

MOST_TEXT: Final = 1024
_MOST_USER_PROPERTIES: Final = 16
_MOST_PROPERTIES: Final = 64

_BINARY, _STRING, _PAIR, _VARIABLE = -1, -2, -3, -4
_PROPERTIES: Final = {
    0x01: ("payload_format_indicator", 1), 0x02: ("message_expiry_interval", 4), 0x03: ("content_type", _STRING),
    0x08: ("response_topic", _STRING), 0x09: ("correlation_data", _BINARY),
    0x0B: ("subscription_identifier", _VARIABLE), 0x11: ("session_expiry_interval", 4),
    0x12: ("assigned_client_identifier", _STRING), 0x13: ("server_keep_alive", 2),
    0x15: ("authentication_method", _STRING), 0x16: ("authentication_data", _BINARY),
    0x17: ("request_problem_information", 1), 0x18: ("will_delay_interval", 4),
    0x19: ("request_response_information", 1), 0x1A: ("response_information", _STRING),
    0x1C: ("server_reference", _STRING),
    0x1F: ("reason_string", _STRING), 0x21: ("receive_maximum", 2), 0x22: ("topic_alias_maximum", 2),
    0x23: ("topic_alias", 2), 0x24: ("maximum_qos", 1), 0x25: ("retain_available", 1), 0x26: ("user_property", _PAIR),
    0x27: ("maximum_packet_size", 4),
    0x28: ("wildcard_subscription_available", 1), 0x29: ("subscription_identifier_available", 1),
    0x2A: ("shared_subscription_available", 1),
}  # fmt: skip


def variable_integer(data: bytes, at: int) -> tuple[int, int]:
    """Read a variable byte integer; returns it and where it ends, -1 when cut. Raises Malformed (MQTT-1.5.5-1)."""
    end = len(data)
    value = 0
    for place in range(4):
        if at >= end:
            return 0, -1
        byte = data[at]
        at += 1
        value |= (byte & 0x7F) << 7 * place
        if byte < 0x80:
            return value, at
    raise Malformed("a length of more than four bytes")


def two_bytes(body: bytes, at: int) -> int:
    """Read a two byte integer. Raises Malformed."""
    if at + 2 > len(body):
        raise Malformed("a number runs out of the packet")
    return body[at] << 8 | body[at + 1]


def behind_string(body: bytes, at: int) -> int:
    """Say where the string or binary that begins here ends. Raises Malformed."""
    end = at + 2 + two_bytes(body, at)
    if end > len(body):
        raise Malformed("a string runs out of the packet")
    return end


def read_properties(body: bytes, at: int, prefix: str, into: Fields) -> int:
    """Read a block of properties into fields `<prefix><name>`; returns where it ends. Raises Malformed.

    Of binary ones the length, as `<name>_bytes`: they are credentials (authentication) or anything.
    """
    length, at = variable_integer(body, at)
    end = at + length
    if at < 0 or end > len(body):
        raise Malformed("properties run out of the packet")
    for _ in range(_MOST_PROPERTIES):
        if at >= end:
            break
        if body[at] not in _PROPERTIES:
            raise Malformed(f"no property has number {body[at]}")
        at = _read_property(body[:end], at, prefix, into)
    return end


def _read_property(body: bytes, at: int, prefix: str, into: Fields) -> int:
    name, kind = _PROPERTIES[body[at]]
    name = prefix + name
    at += 1
    if kind > 0:
        if at + kind > len(body):
            raise Malformed("a property runs out of the packet")
        into[name] = int.from_bytes(body[at : at + kind], "big")
        return at + kind
    if kind == _VARIABLE:
        into[name], at = variable_integer(body, at)
        if at < 0:
            raise Malformed("a property runs out of the packet")
        return at
    behind = behind_string(body, at)
    if kind == _STRING:
        into[name] = text_of(body[at + 2 : behind], MOST_TEXT)
    elif kind == _BINARY:
        into[name + "_bytes"] = behind - at - 2
    else:
        end = behind_string(body, behind)
        users = into.setdefault(name, [])
        if isinstance(users, list) and len(users) < _MOST_USER_PROPERTIES:
            users.append(f"{text_of(body[at + 2 : behind], 128)}={text_of(body[behind + 2 : end], 256)}")
        return end
    return behind
