"""SIP over UDP and TCP (RFC 3261), and what SDP (RFC 8866) says of the call. Credentials are never kept."""

import re
from collections.abc import Sequence
from typing import Final

from sakimori_packet_sensor.domain.protocols.contract import (
    TCP,
    UDP,
    Ends,
    Fields,
    Message,
    ProtocolKind,
    Read,
    Verdict,
)
from sakimori_packet_sensor.domain.protocols.framing import malformed, read_each
from sakimori_packet_sensor.domain.protocols.malformed import Malformed
from sakimori_packet_sensor.domain.protocols.sdp import sdp_fields
from sakimori_packet_sensor.domain.protocols.text import text_of
from sakimori_packet_sensor.domain.protocols.text_heads import read_head

DATASET: Final = "network.sip"
_PORTS: Final = frozenset({5060})
_MAX_TEXT: Final = 1024
_MAX_BODY: Final = 1 << 20
_SDP_WAIT: Final = 8192
"""Bytes of a message that may wait for the rest of a description of a call."""

_METHODS: Final = (
    b"INVITE", b"ACK", b"BYE", b"CANCEL", b"OPTIONS", b"REGISTER", b"PRACK", b"SUBSCRIBE", b"NOTIFY", b"PUBLISH",
    b"INFO", b"REFER", b"MESSAGE", b"UPDATE",
)  # fmt: skip
_VERSION: Final = b"SIP/2.0"
_REQUEST: Final = re.compile(rb"([A-Z]{3,16}) (\S{1,2048}) SIP/(\d\.\d)")
_RESPONSE: Final = re.compile(rb"SIP/(\d\.\d) ([1-6]\d\d)(?: (.*))?", re.DOTALL)
_COMPACT: Final = {
    "i": "call-id", "m": "contact", "e": "content-encoding", "l": "content-length", "c": "content-type", "f": "from",
    "s": "subject", "k": "supported", "t": "to", "v": "via",
}  # fmt: skip
"""RFC 3261, 7.3.3."""
_FIELDS: Final = {
    "from": "sip.from", "to": "sip.to", "call-id": "sip.call_id", "cseq": "sip.cseq", "contact": "sip.contact",
    "via": "sip.via", "user-agent": "user_agent.original", "server": "sip.server", "content-type": "sip.content_type",
    "allow": "sip.allow", "subject": "sip.subject", "max-forwards": "sip.max_forwards", "expires": "sip.expires",
}  # fmt: skip
_KEEP_ALIVES: Final = frozenset({b"hello", b"jaK"})
"""What some telephones send instead of line ends."""
_CREDENTIALS: Final = frozenset({"authorization", "proxy-authorization"})


class SipDatagrams:
    """Decodes a UDP conversation: every datagram is a message, some are only line ends that keep a way open."""

    def __init__(self, ends: Ends) -> None:
        pass

    def feed(self, side: int, data: bytes, time: int) -> Read:
        """Take a datagram. Raises Malformed."""
        if data in _KEEP_ALIVES or not data.strip(b"\r\n\x00"):
            return Read((), len(data))
        return Read((_message(decode_sip(data)[0], side),), len(data))

    def finish(self) -> Sequence[Message]:
        """Say nothing: no message waits for another."""
        return ()


class SipStream:
    """Decodes a TCP connection: the length of a body stands in its head."""

    def __init__(self, ends: Ends) -> None:
        pass

    def feed(self, side: int, data: bytes, time: int) -> Read:
        """Take the messages whose head is complete. Raises Malformed."""
        return read_each(DATASET, side, data, _take)

    def finish(self) -> Sequence[Message]:
        """Say nothing: what is left is a part of a message."""
        return ()


def _take(side: int, data: bytes, at: int, into: list[Message]) -> int:
    while data[at : at + 1] in {b"\r", b"\n"}:  # RFC 3261, 7.5 and RFC 5626, 3.5.1
        at += 1
    rest = data[at:]
    if b"\r\n\r\n" not in rest and b"\n\n" not in rest:
        if len(rest) > 128 and not (_REQUEST.match(rest) or _RESPONSE.match(rest)):
            raise Malformed("no SIP message")
        return at
    fields, end = decode_sip(rest, is_stream=True)
    if end > len(rest) and fields.get("sip.content_type") == "application/sdp" and len(rest) < _SDP_WAIT:
        return at
    into.append(_message(fields, side))
    return at + end


def _message(fields: Fields, side: int) -> Message:
    """Turn an event to who asks: either side of a conversation calls the other."""
    asks = side if "sip.method" in fields else 1 - side
    return Message(DATASET, fields, side, is_turned=bool(asks))


def decode_sip(message: bytes, *, is_stream: bool = False) -> tuple[Fields, int]:
    """Decode a message into `sip.*`; returns also where it ends, by its own word. Raises Malformed.

    One that gives no length reaches to the end of its datagram; in a stream it has no body (RFC 3261, 20.14).
    """
    first, head, body_at = read_head(message)
    fields = _first_line(first)
    for name, value in head.items():
        known = _FIELDS.get(_COMPACT.get(name, name))
        if known is not None and value and known not in fields:
            fields[known] = text_of(value, _MAX_TEXT)
    if not _CREDENTIALS.isdisjoint(head):
        fields["sip.has_authorization"] = True
    body = message[body_at:]
    raw = head.get("content-length", head.get("l", b""))
    size = 0 if is_stream else len(body)
    if raw.isdigit() and len(raw) < 9 and int(raw) <= _MAX_BODY:
        size = fields["sip.content_length"] = int(raw)
    elif raw:
        fields |= malformed("a Content-Length that is no length")
    if "sdp" in str(fields.get("sip.content_type", "")):
        fields |= sdp_fields(body[:size], "sip.sdp")
    return fields, body_at + size


def _first_line(line: bytes) -> Fields:
    if found := _REQUEST.fullmatch(line):
        return {
            "sip.method": found[1].decode("ascii"),
            "sip.uri": text_of(found[2], _MAX_TEXT),
            "sip.version": found[3].decode("ascii"),
        }
    found = _RESPONSE.fullmatch(line)
    if found is None:
        raise Malformed("neither request nor response")
    return {
        "sip.version": found[1].decode("ascii"),
        "sip.status_code": int(found[2]),
        "sip.reason": text_of(found[3] or b"", _MAX_TEXT),
    }


def _recognise(data: bytes, side: int, ends: Ends) -> Verdict:
    """Look for a first line; of a stream its beginning may be all that is there."""
    window = data[:256].lstrip(b"\r\n")
    if data in _KEEP_ALIVES:
        return Verdict.YES if not _PORTS.isdisjoint((ends.source_port, ends.destination_port)) else Verdict.NO
    if window.startswith(_VERSION + b" "):
        return Verdict.YES
    method, space, rest = window.partition(b" ")
    if method not in _METHODS or not space:
        could_be = any(name.startswith(window) for name in (*_METHODS, _VERSION))
        return Verdict.MORE if could_be else Verdict.NO
    line, end, _ = rest.partition(b"\n")
    if end:
        return Verdict.YES if line.rstrip().endswith(_VERSION) else Verdict.NO
    is_uri = rest[:4].lower() in {b"sip:", b"sips", b"tel:", b"urn:"}
    if is_uri:
        return Verdict.YES
    return Verdict.MORE if len(rest) < 4 else Verdict.NO


_FIRST_BYTES: Final = frozenset(b"\r\nShj" + bytes(method[0] for method in _METHODS))

PROTOCOLS: Final = (
    ProtocolKind("sip", UDP, _recognise, SipDatagrams, _PORTS, first_bytes=_FIRST_BYTES),
    ProtocolKind("sip", TCP, _recognise, SipStream, _PORTS, first_bytes=_FIRST_BYTES, resumes=True),
)
