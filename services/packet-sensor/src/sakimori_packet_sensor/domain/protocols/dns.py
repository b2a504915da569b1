"""DNS messages (RFC 1035), and with them multicast DNS (RFC 6762) and LLMNR (RFC 4795), which share the format."""

from dataclasses import dataclass, field
from struct import Struct
from typing import Final

from sakimori_packet_sensor.domain.addresses import ip_text
from sakimori_packet_sensor.domain.protocols.dns_names import label_text, read_name
from sakimori_packet_sensor.domain.protocols.malformed import Malformed

_HEADER = Struct("!HHHHHH")
_QUESTION = Struct("!HH")
_RECORD = Struct("!HHIH")
_WORDS = Struct("!HHH")

MAX_QUESTIONS: Final = 32
MAX_ANSWERS: Final = 256
_MAX_TEXT: Final = 4096
_MAX_ANSWER_TEXT: Final = 16_384
"""Characters of all answers together: a batch of such events still fits into one message of the broker."""

_TYPES: Final = {
    1: "A", 2: "NS", 5: "CNAME", 6: "SOA", 10: "NULL", 12: "PTR", 13: "HINFO", 15: "MX", 16: "TXT", 17: "RP",
    18: "AFSDB", 24: "SIG", 25: "KEY", 28: "AAAA", 29: "LOC", 33: "SRV", 35: "NAPTR", 37: "CERT", 39: "DNAME",
    41: "OPT", 43: "DS", 44: "SSHFP", 45: "IPSECKEY", 46: "RRSIG", 47: "NSEC", 48: "DNSKEY", 50: "NSEC3",
    51: "NSEC3PARAM", 52: "TLSA", 59: "CDS", 60: "CDNSKEY", 61: "OPENPGPKEY", 64: "SVCB", 65: "HTTPS", 99: "SPF",
    249: "TKEY", 250: "TSIG", 251: "IXFR", 252: "AXFR", 255: "ANY", 256: "URI", 257: "CAA",
}  # fmt: skip
_RESPONSE_CODES: Final = (
    "NOERROR", "FORMERR", "SERVFAIL", "NXDOMAIN", "NOTIMP", "REFUSED", "YXDOMAIN", "YXRRSET", "NXRRSET", "NOTAUTH",
    "NOTZONE",
)  # fmt: skip
_OPERATIONS: Final = {0: "QUERY", 1: "IQUERY", 2: "STATUS", 4: "NOTIFY", 5: "UPDATE", 6: "DSO"}


@dataclass(slots=True)
class Question:
    """What is asked: a name in lower case and a type (`A`; `TYPE4711` where it has no name)."""

    name: str
    kind: str


@dataclass(slots=True)
class Answer:
    """A record of the answer section; `data` as zone files write it, names without final dot."""

    name: str
    kind: str
    data: str


@dataclass(slots=True)
class DnsMessage:
    """A message: header, questions and answers, as many as have room. Further sections are not read."""

    id: int
    is_answer: bool
    operation: str
    response_code: str
    questions: list[Question] = field(default_factory=list)
    answers: list[Answer] = field(default_factory=list)


def decode_dns(message: bytes) -> DnsMessage:
    """Decode a message; of one that was cut, what is whole. Raises Malformed when that is not even one question."""
    if len(message) < _HEADER.size:
        raise Malformed("shorter than a header")
    identity, flags, questions, answers, authorities, additional = _HEADER.unpack_from(message)
    operation = _OPERATIONS.get(flags >> 11 & 0x0F)
    if operation is None or not questions + answers + authorities + additional:
        raise Malformed("no such operation, or nothing in it")
    code = flags & 0x0F
    name = _RESPONSE_CODES[code] if code < len(_RESPONSE_CODES) else f"RCODE{code}"
    decoded = DnsMessage(identity, bool(flags & 0x8000), operation, name)
    try:
        at = _read_questions(message, questions, decoded)
        _read_answers(message, at, answers, decoded)
    except Malformed:
        if not decoded.questions and not decoded.answers:
            raise
    return decoded


def _read_questions(message: bytes, count: int, into: DnsMessage) -> int:
    at = _HEADER.size
    if count > MAX_QUESTIONS:
        raise Malformed(f"{count} questions")
    for _ in range(count):
        name, at = read_name(message, at)
        if at + 4 > len(message):
            raise Malformed("a question is cut")
        kind, _ = _QUESTION.unpack_from(message, at)
        into.questions.append(Question(name.lower(), _type_name(kind)))
        at += 4
    return at


def _read_answers(message: bytes, at: int, count: int, into: DnsMessage) -> None:
    room = _MAX_ANSWER_TEXT
    for _ in range(min(count, MAX_ANSWERS)):
        name, at = read_name(message, at)
        if at + 10 > len(message):
            raise Malformed("a record is cut")
        kind, _, _, length = _RECORD.unpack_from(message, at)
        at += 10
        if at + length > len(message):
            raise Malformed("a record is cut")
        answer = Answer(name, _type_name(kind), _data(message, kind, at, length)[:_MAX_TEXT])
        room -= len(answer.name) + len(answer.data)
        if room < 0:
            return
        into.answers.append(answer)
        at += length


def _type_name(kind: int) -> str:
    return _TYPES.get(kind) or f"TYPE{kind}"


def _data(message: bytes, kind: int, at: int, length: int) -> str:
    raw = message[at : at + length]
    if (kind == 1 and length == 4) or (kind == 28 and length == 16):
        return ip_text(raw)
    if kind in {2, 5, 12, 39}:
        return read_name(message, at)[0]
    if kind == 15 and length > 2:
        return f"{raw[0] << 8 | raw[1]} {read_name(message, at + 2)[0]}"
    if kind == 33 and length > 6:
        priority, weight, port = _WORDS.unpack_from(raw)
        return f"{priority} {weight} {port} {read_name(message, at + 6)[0]}"
    if kind in {16, 99}:
        return _strings(raw)
    return f"\\# {length} {raw[:64].hex()}"  # RFC 3597, 5: data of a type that is not looked into


def _strings(raw: bytes) -> str:
    """Join the strings of a TXT record by spaces."""
    found, at = [], 0
    while at < len(raw):
        found.append(label_text(raw[at + 1 : at + 1 + raw[at]]).replace("\\.", "."))
        at += 1 + raw[at]
    return " ".join(found)
