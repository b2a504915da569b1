"""NetBIOS over UDP (RFC 1002): the names that older Windows machines, printers and NAS claim, ask for and sign with."""

from collections.abc import Sequence
from struct import Struct
from typing import Final

from sakimori_packet_sensor.domain.addresses import ip_text, mac_text
from sakimori_packet_sensor.domain.protocols.contract import UDP, Ends, Fields, Message, ProtocolKind, Read, Verdict
from sakimori_packet_sensor.domain.protocols.malformed import Malformed
from sakimori_packet_sensor.domain.protocols.text import text_of

NAMES: Final = "network.nbns"
DATAGRAMS: Final = "network.nbdgm"

_HEADER = Struct("!HHHHHH")
_RECORD = Struct("!HHIH")
_NAME_PORT, _DATAGRAM_PORT = 137, 138
_ENCODED_BYTES: Final = 32
_LETTERS: Final = bytes(range(0x41, 0x51))
_GROUP_FLAG: Final = 0x8000
_MAX_NAMES: Final = 64
_NODE_NAME_BYTES: Final = 18
_NB, _NBSTAT = 0x20, 0x21
_OPERATIONS: Final = {
    0: "query", 5: "registration", 6: "release", 7: "wait", 8: "refresh", 9: "refresh", 15: "multi_homed_registration",
}  # fmt: skip
_DATAGRAM_TYPES: Final = {
    0x10: "direct_unique", 0x11: "direct_group", 0x12: "broadcast", 0x13: "error", 0x14: "query_request",
    0x15: "positive_query_response", 0x16: "negative_query_response",
}  # fmt: skip
_DATAGRAM_HEADER_BYTES: Final = 14


class NameService:
    """Decodes a conversation of the name service: every datagram is a message."""

    def __init__(self, ends: Ends) -> None:
        pass

    def feed(self, side: int, data: bytes, time: int) -> Read:
        """Take a datagram. Raises Malformed."""
        return Read((Message(NAMES, decode_name_service(data), side),), len(data))

    def finish(self) -> Sequence[Message]:
        """Say nothing: no message waits for another."""
        return ()


class DatagramService:
    """Decodes a conversation of the datagram service: who sends to which name."""

    def __init__(self, ends: Ends) -> None:
        pass

    def feed(self, side: int, data: bytes, time: int) -> Read:
        """Take a datagram. Raises Malformed."""
        return Read((Message(DATAGRAMS, decode_datagram_service(data), side),), len(data))

    def finish(self) -> Sequence[Message]:
        """Say nothing: no message waits for another."""
        return ()


def decode_name_service(message: bytes) -> Fields:
    """Decode a message into `nbns.*`. Raises Malformed."""
    if len(message) < _HEADER.size:
        raise Malformed("shorter than a header")
    identity, flags, questions, answers, _, additionals = _HEADER.unpack_from(message)
    operation = _OPERATIONS.get(flags >> 11 & 0x0F)
    if operation is None or not questions + answers + additionals:
        raise Malformed("no such operation, or nothing in it")
    name, suffix, at = _read_name(message, _HEADER.size)
    fields: Fields = {
        "nbns.transaction_id": identity,
        "nbns.operation": operation,
        "nbns.is_response": bool(flags & 0x8000),
        "nbns.is_broadcast": bool(flags & 0x0010),
        "nbns.name": name,
        "nbns.suffix": suffix,
    }
    if flags & 0x8000:
        fields["nbns.response_code"] = flags & 0x0F
    if questions:
        if at + 4 > len(message):
            raise Malformed("a question is cut")
        fields["nbns.is_status"] = message[at] << 8 | message[at + 1] == _NBSTAT
        at += 4
        if not additionals:
            return fields
        at = at + 2 if message[at : at + 1] >= b"\xc0" else _read_name(message, at)[2]
    _add_record(fields, message, at)
    return fields


def _add_record(fields: Fields, message: bytes, at: int) -> None:
    if at + _RECORD.size > len(message):
        raise Malformed("a record is cut")
    kind, _, lifetime, size = _RECORD.unpack_from(message, at)
    at += _RECORD.size
    data = message[at : at + size]
    if len(data) < size:
        raise Malformed("a record is cut")
    fields["nbns.ttl"] = lifetime
    if kind == _NBSTAT:
        _add_status(fields, data)
    elif kind == _NB:
        fields["nbns.addresses"] = [ip_text(data[at + 2 : at + 6]) for at in range(0, min(size - 5, 6 * _MAX_NAMES), 6)]
        fields["nbns.is_group"] = bool(data[:1] >= b"\x80")


def _add_status(fields: Fields, data: bytes) -> None:
    """Read a node's names and its MAC address (RFC 1002, 4.2.18)."""
    count = data[0] if data else 0
    end = 1 + count * _NODE_NAME_BYTES
    if end > len(data):
        raise Malformed("a node's names are cut")
    names: list[str] = []
    groups: list[str] = []
    for at in range(1, end, _NODE_NAME_BYTES):
        is_group = bool(data[at + 16] & 0x80)
        text = f"{_plain(data[at : at + 15])}<{data[at + 15]:02x}>"
        (groups if is_group else names).append(text)
    if names:
        fields["nbns.names"] = [*names[:_MAX_NAMES]]
    if groups:
        fields["nbns.groups"] = [*groups[:_MAX_NAMES]]
    if len(data) >= end + 6:
        fields["nbns.unit_mac"] = mac_text(data[end : end + 6])


def decode_datagram_service(message: bytes) -> Fields:
    """Decode the head of a datagram into `nbdgm.*`. Raises Malformed."""
    kind = _DATAGRAM_TYPES.get(message[0]) if message else None
    if kind is None or len(message) < _DATAGRAM_HEADER_BYTES - 4:
        raise Malformed("no NetBIOS datagram, or cut")
    fields: Fields = {
        "nbdgm.type": kind,
        "nbdgm.source_ip": ip_text(message[4:8]),
        "nbdgm.source_port": message[8] << 8 | message[9],
    }
    if message[0] > 0x12:
        return fields
    name, suffix, at = _read_name(message, _DATAGRAM_HEADER_BYTES)
    fields |= {"nbdgm.source_name": name, "nbdgm.source_suffix": suffix}
    name, suffix, at = _read_name(message, at)
    fields |= {"nbdgm.destination_name": name, "nbdgm.destination_suffix": suffix}
    if message[at : at + 4] == b"\xffSMB":
        fields["nbdgm.has_smb"] = True
    return fields


def _read_name(message: bytes, at: int) -> tuple[str, int, int]:
    """Read a name of 16 bytes, each written as two letters (RFC 1001, 14.1): text, last byte, where it ends."""
    end = at + 1 + _ENCODED_BYTES
    encoded = message[at + 1 : end]
    if message[at : at + 1] != b"\x20" or len(encoded) < _ENCODED_BYTES or encoded.strip(_LETTERS):
        raise Malformed("no NetBIOS name")
    raw = bytes((encoded[place] - 65) << 4 | encoded[place + 1] - 65 for place in range(0, _ENCODED_BYTES, 2))
    while message[end : end + 1] not in {b"", b"\x00"}:  # a scope: labels, as in a domain name
        end += 1 + message[end]
    if end >= len(message):
        raise Malformed("a name runs out of the message")
    return _plain(raw[:15]), raw[15], end + 1


def _plain(raw: bytes) -> str:
    return text_of(raw.rstrip(b" \x00"), 64) if raw.strip(b"\x00") != b"*" else "*"


def _recognise_names(data: bytes, side: int, ends: Ends) -> Verdict:
    """Look for an encoded name behind the header: nothing else looks like it."""
    is_name = data[12:13] == b"\x20" and len(data) >= 45 and not data[13:45].strip(_LETTERS)
    return Verdict.YES if is_name and data[2] >> 3 & 0x0F in _OPERATIONS else Verdict.NO


def _recognise_datagrams(data: bytes, side: int, ends: Ends) -> Verdict:
    is_expected = _DATAGRAM_PORT in (ends.source_port, ends.destination_port)
    return Verdict.YES if is_expected and data[0] in _DATAGRAM_TYPES and len(data) >= 10 else Verdict.NO


PROTOCOLS: Final = (
    ProtocolKind("nbns", UDP, _recognise_names, NameService, frozenset({_NAME_PORT})),
    ProtocolKind(
        "nbdgm",
        UDP,
        _recognise_datagrams,
        DatagramService,
        frozenset({_DATAGRAM_PORT}),
        first_bytes=frozenset(_DATAGRAM_TYPES),
    ),
)
