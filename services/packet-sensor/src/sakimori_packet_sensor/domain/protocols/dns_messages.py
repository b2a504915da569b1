"""DNS messages (RFC 1035), and with them multicast DNS (RFC 6762) and LLMNR (RFC 4795), which share the format."""

from dataclasses import dataclass, field
from functools import lru_cache
from struct import Struct
from typing import Final, NamedTuple

from sakimori_packet_sensor.domain.protocols.dns_names import read_name
from sakimori_packet_sensor.domain.protocols.dns_records import Edns, Record, RecordReader, type_name
from sakimori_packet_sensor.domain.protocols.malformed import Malformed

HEADER: Final = Struct("!HHHHHH")
"""Id, flags, and how many questions, answers, authorities and additional records follow."""
_QUESTION = Struct("!HH")

MAX_QUESTIONS: Final = 32
_RESPONSE: Final = 0x8000
_UNICAST_WANTED: Final = 0x8000
"""In a question's class (RFC 6762, 5.4)."""

_RESPONSE_CODES: Final = {
    0: "NOERROR", 1: "FORMERR", 2: "SERVFAIL", 3: "NXDOMAIN", 4: "NOTIMP", 5: "REFUSED", 6: "YXDOMAIN", 7: "YXRRSET",
    8: "NXRRSET", 9: "NOTAUTH", 10: "NOTZONE", 11: "DSOTYPENI", 16: "BADVERS", 17: "BADKEY", 18: "BADTIME",
    19: "BADMODE", 20: "BADNAME", 21: "BADALG", 23: "BADCOOKIE",
}  # fmt: skip
OPERATIONS: Final = {0: "QUERY", 1: "IQUERY", 2: "STATUS", 4: "NOTIFY", 5: "UPDATE", 6: "DSO"}
_CLASSES: Final = {1: "IN", 3: "CH", 4: "HS", 254: "NONE", 255: "ANY"}
_FLAGS: Final = ((0x0400, "AA"), (0x0200, "TC"), (0x0100, "RD"), (0x0080, "RA"), (0x0020, "AD"), (0x0010, "CD"))


class Question(NamedTuple):
    """What is asked: a name in lower case, a type (`A`; `TYPE4711` where it has no name) and a class.

    `is_unicast_wanted` is multicast DNS's only: "answer me alone". `sent_name` is the name as it was written.
    """

    name: str
    kind: str
    kind_class: str = "IN"
    is_unicast_wanted: bool = False
    sent_name: str = ""


@dataclass(slots=True)
class DnsMessage:
    """A message: header, questions and records, as many as have room; `problem` where it is broken, else "".

    `texts`: the single strings of all TXT records. `end`: where the last record ends, -1 if it was not reached.
    """

    id: int
    flags: int
    questions: list[Question] = field(default_factory=list)
    answers: list[Record] = field(default_factory=list)
    authorities: list[Record] = field(default_factory=list)
    additionals: list[Record] = field(default_factory=list)
    texts: list[str] = field(default_factory=list)
    edns: Edns | None = None
    problem: str = ""
    end: int = -1

    @property
    def is_answer(self) -> bool:
        """Whether this is a response."""
        return bool(self.flags & _RESPONSE)

    @property
    def operation(self) -> str:
        """The kind of message, `QUERY` nearly always."""
        return OPERATIONS[self.flags >> 11 & 0x0F]

    @property
    def response_code(self) -> str:
        """The code by name, together with the bits that EDNS adds."""
        code = self.flags & 0x0F | (self.edns.upper_code << 4 if self.edns else 0)
        return _RESPONSE_CODES.get(code) or f"RCODE{code}"


def decode_dns(message: bytes) -> DnsMessage:
    """Decode a message; of one that was cut, what is whole. Raises Malformed when that is not even one question."""
    if len(message) < HEADER.size:
        raise Malformed("shorter than a header")
    identity, flags, questions, answers, authorities, additionals = HEADER.unpack_from(message)
    if flags >> 11 & 0x0F not in OPERATIONS or not questions + answers + authorities + additionals:
        raise Malformed("no such operation, or nothing in it")
    decoded = DnsMessage(identity, flags)
    try:
        at = _read_questions(message, questions, decoded)
        decoded.end = at
        if answers + authorities + additionals:
            _read_records(message, at, (answers, authorities, additionals), decoded)
    except Malformed as problem:
        if not decoded.questions and not decoded.answers:
            raise
        decoded.problem = str(problem)
    return decoded


def header_flags(flags: int) -> list[str]:
    """Name the flags of a header that are set."""
    return [name for bit, name in _FLAGS if flags & bit]


def _read_records(message: bytes, at: int, counts: tuple[int, int, int], into: DnsMessage) -> None:
    first = into.questions[0].sent_name if into.questions else ""
    reader = RecordReader(message, at, first if first != "." else "")
    try:
        for count, section in zip(counts, (into.answers, into.authorities, into.additionals), strict=True):
            reader.read(count, section)
    finally:
        into.edns, into.texts, into.end = reader.edns, reader.texts, reader.at


def _read_questions(message: bytes, count: int, into: DnsMessage) -> int:
    at = HEADER.size
    if count > MAX_QUESTIONS:
        raise Malformed(f"{count} questions")
    for _ in range(count):
        root = message.find(
            0, at, at + 256
        )  # uncompressed and without a zero in a label, as nearly all are: known by its bytes
        if 0 < root - at < 256 and (known := _plain_question(message[at : root + 5])) is not None:
            into.questions.append(known)
            at = root + 5
            continue
        name, at = read_name(message, at)
        if at + 4 > len(message):
            raise Malformed("a question is cut")
        into.questions.append(_question(name, message, at))
        at += 4
    return at


@lru_cache(16_384)
def _plain_question(raw: bytes) -> Question | None:
    """Read a question that is all of these bytes; None when it is not."""
    try:
        name, at = read_name(raw, 0)
    except Malformed:
        return None
    return _question(name, raw, at) if at + 4 == len(raw) else None


def _question(name: str, message: bytes, at: int) -> Question:
    kind, kind_class = _QUESTION.unpack_from(message, at)
    plain = kind_class & ~_UNICAST_WANTED
    named = _CLASSES.get(plain) or f"CLASS{plain}"
    return Question(name.lower(), type_name(kind), named, bool(kind_class & _UNICAST_WANTED), name)
