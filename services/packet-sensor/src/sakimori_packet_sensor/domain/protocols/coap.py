"""CoAP (RFC 7252, RFC 7641, RFC 7959): what constrained devices ask of one another."""

from collections.abc import Callable, Sequence
from struct import Struct
from typing import Final

from sakimori_common.contracts import FieldValue
from sakimori_packet_sensor.domain.protocols.contract import UDP, Ends, Fields, Message, ProtocolKind, Read, Verdict
from sakimori_packet_sensor.domain.protocols.malformed import Malformed
from sakimori_packet_sensor.domain.protocols.text import text_of

DATASET: Final = "network.coap"
_PORT: Final = 5683
_HEADER = Struct("!BBH")
_PAYLOAD: Final = 0xFF
_MAX_OPTIONS: Final = 64
_MAX_TEXT: Final = 255
_TYPES: Final = ("CON", "NON", "ACK", "RST")
_CODES: Final = {
    0x00: "EMPTY", 0x01: "GET", 0x02: "POST", 0x03: "PUT", 0x04: "DELETE", 0x05: "FETCH", 0x06: "PATCH", 0x07: "iPATCH",
    0x41: "Created", 0x42: "Deleted", 0x43: "Valid", 0x44: "Changed", 0x45: "Content", 0x5F: "Continue",
    0x80: "Bad Request", 0x81: "Unauthorized", 0x82: "Bad Option", 0x83: "Forbidden", 0x84: "Not Found",
    0x85: "Method Not Allowed", 0x86: "Not Acceptable", 0x88: "Request Entity Incomplete", 0x89: "Conflict",
    0x8C: "Precondition Failed", 0x8D: "Request Entity Too Large", 0x8F: "Unsupported Content-Format",
    0x96: "Unprocessable Entity", 0x9D: "Too Many Requests", 0xA0: "Internal Server Error", 0xA1: "Not Implemented",
    0xA2: "Bad Gateway", 0xA3: "Service Unavailable", 0xA4: "Gateway Timeout", 0xA5: "Proxying Not Supported",
    0xA8: "Hop Limit Reached",
}  # fmt: skip
_FORMATS: Final = {
    0: "text/plain", 40: "application/link-format", 41: "application/xml", 42: "application/octet-stream",
    47: "application/exi", 50: "application/json", 51: "application/json-patch+json", 60: "application/cbor",
    61: "application/cwt", 110: "application/senml+json", 112: "application/senml+cbor",
    11542: "application/vnd.oma.lwm2m+tlv", 11543: "application/vnd.oma.lwm2m+json",
}  # fmt: skip
_URI_HOST, _URI_PATH, _URI_QUERY = 3, 11, 15


class Coap:
    """Decodes a conversation: every datagram is a message."""

    def __init__(self, ends: Ends) -> None:
        pass

    def feed(self, side: int, data: bytes, time: int) -> Read:
        """Take a datagram. Raises Malformed."""
        return Read((Message(DATASET, decode_coap(data), side),), len(data))

    def finish(self) -> Sequence[Message]:
        """Say nothing: no message waits for another."""
        return ()


def decode_coap(message: bytes) -> Fields:
    """Decode a message into `coap.*`. Raises Malformed."""
    if len(message) < _HEADER.size:
        raise Malformed("shorter than a header")
    first, code, identity = _HEADER.unpack_from(message)
    token_bytes = first & 0x0F
    if first >> 6 != 1 or token_bytes > 8 or _HEADER.size + token_bytes > len(message):
        raise Malformed("another version, or a token that is too long")
    if code == 0 and len(message) > _HEADER.size:
        raise Malformed("an empty message that is not empty")
    fields: Fields = {
        "coap.version": 1,
        "coap.type": _TYPES[first >> 4 & 3],
        "coap.code": f"{code >> 5}.{code & 31:02}",
        "coap.message_id": identity,
        "coap.token_length": token_bytes,
    }
    if name := _CODES.get(code):
        fields["coap.code_name"] = name
    options, at = _options(message, _HEADER.size + token_bytes)
    _add_options(fields, options)
    fields["coap.payload_bytes"] = len(message) - at
    return fields


def _options(message: bytes, at: int) -> tuple[list[tuple[int, bytes]], int]:
    """Read the options, numbers as deltas (RFC 7252, 3.1), and where the payload begins. Raises Malformed."""
    options: list[tuple[int, bytes]] = []
    number = 0
    while at < len(message):
        head = message[at]
        at += 1
        if head == _PAYLOAD:
            if at == len(message):
                raise Malformed("a payload marker without payload")
            return options, at
        delta, at = _extended(message, at, head >> 4)
        size, at = _extended(message, at, head & 0x0F)
        number += delta
        if at + size > len(message) or len(options) >= _MAX_OPTIONS or number > 65_535:
            raise Malformed("an option is cut, or one too many")
        options.append((number, message[at : at + size]))
        at += size
    return options, at


def _extended(message: bytes, at: int, nibble: int) -> tuple[int, int]:
    if nibble < 13:
        return nibble, at
    width = nibble - 12
    if nibble == 15 or at + width > len(message):
        raise Malformed("a reserved or cut number of an option")
    base = 13 if width == 1 else 269
    return base + int.from_bytes(message[at : at + width], "big"), at + width


def _add_options(fields: Fields, options: list[tuple[int, bytes]]) -> None:
    path = [text_of(value, _MAX_TEXT) for number, value in options if number == _URI_PATH]
    if path:
        fields["coap.uri_path"] = ("/" + "/".join(path))[:4096]
    query = [text_of(value, _MAX_TEXT) for number, value in options if number == _URI_QUERY]
    if query:
        fields["coap.uri_query"] = [*query]
    for number, value in options:
        known = _OPTIONS.get(number)
        if known is not None:
            fields[known[0]] = known[1](value)


def _number(value: bytes) -> int:
    return int.from_bytes(value[:8], "big")


def _text(value: bytes) -> str:
    return text_of(value, _MAX_TEXT)


def _proxy(value: bytes) -> str:
    return text_of(value, 1034)  # RFC 7252, 5.10


def _format(value: bytes) -> str:
    number = _number(value)
    return _FORMATS.get(number) or str(number)


def _block(value: bytes) -> str:
    """Write a block option as RFC 7959 does: number / more / size."""
    number = _number(value[:3])
    return f"{number >> 4}/{number >> 3 & 1}/{1 << (number & 7) + 4}"


_OPTIONS: Final[dict[int, tuple[str, Callable[[bytes], FieldValue]]]] = {
    3: ("coap.uri_host", _text),
    6: ("coap.observe", _number),
    7: ("coap.uri_port", _number),
    12: ("coap.content_format", _format),
    14: ("coap.max_age_seconds", _number),
    17: ("coap.accept", _format),
    23: ("coap.block2", _block),
    27: ("coap.block1", _block),
    35: ("coap.proxy_uri", _proxy),
    39: ("coap.proxy_scheme", _text),
    60: ("coap.size1", _number),
}
_SIZES: Final = {
    1: range(9), 3: range(1, 256), 4: range(1, 9), 5: range(1), 6: range(4), 7: range(3), 8: range(256), 9: range(256),
    11: range(256), 12: range(3), 14: range(5), 15: range(256), 16: range(2), 17: range(3), 20: range(256),
    23: range(4), 27: range(4), 28: range(5), 35: range(1, 1035), 39: range(1, 256), 60: range(5), 252: range(1, 41),
    258: range(2), 292: range(9),
}  # fmt: skip
"""Options that are registered, and how long each may be."""


def _recognise(data: bytes, side: int, ends: Ends) -> Verdict:
    """Take sane headers on its port unless they read as text; elsewhere only requests, with no option unheard of."""
    if len(data) < _HEADER.size or data[0] >> 6 != 1 or data[0] & 0x0F > 8:
        return Verdict.NO
    if _PORT in (ends.source_port, ends.destination_port):
        return Verdict.YES if data[1] in _CODES and not _is_word(data[:12]) else Verdict.NO
    return Verdict.YES if 1 <= data[1] <= 7 and data[0] & 0x20 == 0 and _is_request(data) else Verdict.NO


def _is_request(data: bytes) -> bool:
    try:
        options, _ = _options(data, _HEADER.size + (data[0] & 0x0F))
    except Malformed:
        return False
    names = [value for number, value in options if number in {_URI_HOST, _URI_PATH, _URI_QUERY}]
    are_known = all(len(value) in _SIZES.get(number, ()) for number, value in options)
    return bool(names) and are_known and all(_is_word(name) for name in names)


def _is_word(raw: bytes) -> bool:
    try:
        return raw.decode("utf-8").isprintable()
    except UnicodeDecodeError:
        return False


PROTOCOL: Final = ProtocolKind(
    "coap", UDP, _recognise, Coap, frozenset({_PORT}), first_bytes=frozenset(range(0x40, 0x80))
)
