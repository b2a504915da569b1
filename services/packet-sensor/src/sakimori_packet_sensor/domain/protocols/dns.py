"""DNS over UDP and TCP, multicast DNS and LLMNR: told from other traffic, and turned into fields."""

from collections.abc import Sequence
from functools import lru_cache
from typing import Final

from sakimori_packet_sensor.domain.addresses import is_multicast
from sakimori_packet_sensor.domain.domain_names import entropy, registered_domain, subdomain, unescaped
from sakimori_packet_sensor.domain.protocols.contract import (
    DONE,
    TCP,
    UDP,
    Ends,
    Fields,
    Message,
    ProtocolKind,
    Read,
    Verdict,
)
from sakimori_packet_sensor.domain.protocols.dns_messages import (
    HEADER,
    MAX_QUESTIONS,
    OPERATIONS,
    DnsMessage,
    Question,
    decode_dns,
    header_flags,
)
from sakimori_packet_sensor.domain.protocols.dns_records import Record
from sakimori_packet_sensor.domain.protocols.dns_services import service_fields
from sakimori_packet_sensor.domain.protocols.framing import malformed
from sakimori_packet_sensor.domain.protocols.malformed import Malformed

DATASET: Final = "network.dns"

_LENGTH_BYTES: Final = 2
_MAX_MESSAGE: Final = 65_535
_MOST_BROKEN: Final = 8
"""Broken messages of one connection that are reported; whoever sends more does not speak DNS."""
_SMALLEST: Final = 17
"""Bytes of a header and a question of the root."""
_MOST_RECORDS: Final = 512
_RESERVED: Final = 0x0040
"""The bit of the header that must be zero (RFC 1035, 4.1.1)."""
_ADDRESSES: Final = frozenset({"A", "AAAA"})


class DnsDatagrams:
    """Decodes a UDP conversation: every datagram is a message."""

    def __init__(self, ends: Ends) -> None:
        self._ends = ends

    def feed(self, side: int, data: bytes, time: int) -> Read:
        """Take a datagram. Raises Malformed."""
        return Read(dns_reports(decode_dns(data), side, self._ends), len(data))

    def finish(self) -> Sequence[Message]:
        """Say nothing: no message waits for another."""
        return ()


class DnsStream:
    """Decodes a TCP connection: every message stands behind its length (RFC 1035, 4.2.2; RFC 7766)."""

    def __init__(self, ends: Ends) -> None:
        self._ends = ends
        self._broken = 0

    def feed(self, side: int, data: bytes, time: int) -> Read:
        """Take the messages that are complete. A broken one is reported and leaves the next one readable."""
        found: list[Message] = []
        at = 0
        while at + _LENGTH_BYTES <= len(data):
            end = at + _LENGTH_BYTES + (data[at] << 8 | data[at + 1])
            if end > len(data):
                break
            try:
                found += dns_reports(decode_dns(data[at + _LENGTH_BYTES : end]), side, self._ends)
            except Malformed as problem:
                found.append(Message(DATASET, malformed(problem), side))
                self._broken += 1
                if self._broken >= _MOST_BROKEN:
                    return Read(found, DONE)
            at = end
        return Read(found, at)

    def finish(self) -> Sequence[Message]:
        """Say nothing: what is left is a part of a message."""
        return ()


def dns_reports(message: DnsMessage, side: int, ends: Ends) -> list[Message]:
    """Report a message: once a question, or once when there is none.

    The source is the side that asks; of an answer to a group (multicast DNS) it is the sender, since nobody asked.
    """
    common = _fields(message)
    receiver = ends.source if side else ends.destination
    source = 1 - side if message.is_answer and not is_multicast(receiver) else side
    if 5353 in (ends.source_port, ends.destination_port):
        common |= service_fields(message)
    turned = bool(source)
    if len(message.questions) == 1:
        common |= _question(message.questions[0])
        return [Message(DATASET, common, side, is_turned=turned)]
    questions = [_question(question) for question in message.questions] or [{}]
    return [Message(DATASET, {**common, **question}, side, is_turned=turned) for question in questions]


def _fields(message: DnsMessage) -> Fields:
    fields: Fields = {"dns.id": str(message.id), **_header(message.flags)}
    if message.is_answer:
        fields["dns.response_code"] = message.response_code
    if message.answers:
        _add_section(fields, "answers", message.answers)
        if found := [record.data for record in message.answers if record.kind in _ADDRESSES]:
            fields["dns.resolved_ip"] = [*found]
    if message.authorities:
        _add_section(fields, "authorities", message.authorities)
    if message.additionals:
        _add_section(fields, "additionals", message.additionals)
    if message.edns:
        fields["dns.opt.udp_size"] = message.edns.udp_bytes
        fields["dns.opt.version"] = message.edns.version
        fields["dns.opt.do"] = message.edns.wants_dnssec
    if message.problem:
        fields |= malformed(message.problem)
    return fields


def _add_section(fields: Fields, section: str, records: list[Record]) -> None:
    names, kinds, data, lives = zip(*records, strict=True)
    fields[f"dns.{section}.name"] = list(names)
    fields[f"dns.{section}.type"] = list(kinds)
    fields[f"dns.{section}.data"] = list(data)
    fields[f"dns.{section}.ttl"] = list(lives)


@lru_cache(1024)
def _header(flags: int) -> Fields:
    fields: Fields = {
        "dns.type": "answer" if flags & 0x8000 else "query",
        "dns.op_code": OPERATIONS[flags >> 11 & 0x0F],
    }
    if names := header_flags(flags):
        fields["dns.header_flags"] = list(names)
    return fields


@lru_cache(16_384)
def _question(question: Question) -> Fields:
    """Describe a question; names come again and again, so this is remembered and must not be changed."""
    name = question.name
    fields: Fields = {
        "dns.question.name": name,
        "dns.question.type": question.kind,
        "dns.question.class": question.kind_class,
        "sakimori.dns.name_length": len(unescaped(name)),
    }
    if question.is_unicast_wanted:
        fields["mdns.is_unicast_wanted"] = True
    if registered := registered_domain(name):
        fields["dns.question.registered_domain"] = registered
    if below := subdomain(name, registered):
        fields["dns.question.subdomain"] = below
        fields["sakimori.dns.subdomain_entropy"] = round(entropy(unescaped(below).replace(".", "")), 4)
    return fields


def _on_port(port: int, data: bytes, ends: Ends) -> bool:
    """Whether this goes to or from the port and has the header of a message: the rest may turn out malformed."""
    return port in (ends.source_port, ends.destination_port) and _has_header(data)


def _has_header(data: bytes) -> bool:
    if len(data) < HEADER.size:
        return False
    _, flags, questions, answers, authorities, additionals = HEADER.unpack_from(data)
    most = max(answers, authorities, additionals)
    some = questions + most
    return flags >> 11 & 0x0F in OPERATIONS and some > 0 and questions <= 4 * MAX_QUESTIONS and most <= 16_384


def is_certain(data: bytes) -> bool:
    """Whether a whole message is DNS beyond doubt, whatever its port: header, names and lengths all agree."""
    if len(data) < _SMALLEST:
        return False
    _, flags, questions, answers, authorities, additionals = HEADER.unpack_from(data)
    if flags & _RESERVED or questions != 1 or max(answers, authorities, additionals) > _MOST_RECORDS:
        return False
    if flags & 0x7800 or (not flags & 0x8000 and (answers or authorities or flags & 0x048F or additionals > 2)):
        return False
    return _agrees(data)


def _agrees(data: bytes) -> bool:
    try:
        message = decode_dns(data)
    except Malformed:
        return False
    question = message.questions[0] if message.questions else None
    if question is None or message.problem or question.kind_class not in {"IN", "CH", "ANY"}:
        return False
    is_netbios = len(question.name) == 32 and "." not in question.name  # a name that is written in letters, see there
    return not question.kind.startswith("TYPE") and message.end == len(data) and not is_netbios


def _datagram(data: bytes, side: int, ends: Ends) -> Verdict:
    return Verdict.YES if _on_port(53, data, ends) or is_certain(data) else Verdict.NO


def _multicast(data: bytes, side: int, ends: Ends) -> Verdict:
    return Verdict.YES if _on_port(5353, data, ends) else Verdict.NO


def _link_local(data: bytes, side: int, ends: Ends) -> Verdict:
    return Verdict.YES if _on_port(5355, data, ends) else Verdict.NO


def _stream(data: bytes, side: int, ends: Ends) -> Verdict:
    """Look at a length and at what it measures; on odd ports only the whole of a first message convinces."""
    size = int.from_bytes(data[:_LENGTH_BYTES], "big")
    if len(data) >= _LENGTH_BYTES and size < _SMALLEST - 5:
        return Verdict.NO
    if len(data) < _LENGTH_BYTES + HEADER.size:
        return Verdict.MORE
    message = data[_LENGTH_BYTES : _LENGTH_BYTES + size]
    if _on_port(53, message, ends):
        return Verdict.YES
    if not _has_header(message) or message[2] & 0x78 or message[4:6] != b"\x00\x01":
        return Verdict.NO
    if len(message) < size:
        return Verdict.MORE
    return Verdict.YES if is_certain(message) else Verdict.NO


PROTOCOLS: Final = (
    ProtocolKind("dns", UDP, _datagram, DnsDatagrams, frozenset({53})),
    ProtocolKind("mdns", UDP, _multicast, DnsDatagrams, frozenset({5353})),
    ProtocolKind("llmnr", UDP, _link_local, DnsDatagrams, frozenset({5355})),
    ProtocolKind(
        "dns", TCP, _stream, DnsStream, frozenset({53}), resumes=True, buffer_bytes=_MAX_MESSAGE + _LENGTH_BYTES
    ),
)
