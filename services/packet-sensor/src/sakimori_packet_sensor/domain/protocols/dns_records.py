"""Resource records of DNS messages: their types, and their data as zone files write it."""

from collections.abc import Callable
from struct import Struct
from typing import Final, NamedTuple

from sakimori_packet_sensor.domain.addresses import ip_text
from sakimori_packet_sensor.domain.protocols.dns_names import (
    MAX_NAME_BYTES,
    label_text,
    labels_text,
    plain_name,
    read_name,
)
from sakimori_packet_sensor.domain.protocols.malformed import Malformed
from sakimori_packet_sensor.domain.protocols.text import text_of

MAX_RECORDS: Final = 256
MAX_RECORD_TEXT: Final = 16_384
"""Characters of all records of a message together: a batch of such events still fits into one message of the broker."""
OPT: Final = 41
_MAX_TEXT: Final = 4096
_MAX_STRINGS: Final = 1024
_SURELY_SHORT: Final = 240
"""ASCII characters of a name that cannot have over 255 bytes: it has one more of these than of those, or fewer."""

_TO_FIRST: Final = b"\xc0\x0c"
_RECORD = Struct("!HHIH")
_WORDS = Struct("!HHH")
_SOA_NUMBERS = Struct("!IIIII")

_TYPES: Final = {
    1: "A", 2: "NS", 5: "CNAME", 6: "SOA", 10: "NULL", 12: "PTR", 13: "HINFO", 15: "MX", 16: "TXT", 17: "RP",
    18: "AFSDB", 24: "SIG", 25: "KEY", 28: "AAAA", 29: "LOC", 33: "SRV", 35: "NAPTR", 37: "CERT", 39: "DNAME",
    41: "OPT", 43: "DS", 44: "SSHFP", 45: "IPSECKEY", 46: "RRSIG", 47: "NSEC", 48: "DNSKEY", 50: "NSEC3",
    51: "NSEC3PARAM", 52: "TLSA", 59: "CDS", 60: "CDNSKEY", 61: "OPENPGPKEY", 64: "SVCB", 65: "HTTPS", 99: "SPF",
    249: "TKEY", 250: "TSIG", 251: "IXFR", 252: "AXFR", 255: "ANY", 256: "URI", 257: "CAA",
}  # fmt: skip
_SERVICE_KEYS: Final = {1: "alpn", 2: "no-default-alpn", 3: "port", 4: "ipv4hint", 5: "ech", 6: "ipv6hint"}


class Record(NamedTuple):
    """A record: the name as sent, the type's name, the data, names in it without final dot, and its life in seconds."""

    name: str
    kind: str
    data: str
    ttl: int = 0


class Edns(NamedTuple):
    """What the OPT record says (RFC 6891): bytes that fit a datagram, the upper bits of the response code, DO."""

    udp_bytes: int
    upper_code: int
    version: int
    wants_dnssec: bool


class RecordReader:
    """Reads the records of one message, section by section, up to the bounds of a message.

    `at` is where the next section begins; -1 once a bound was met, from where on nothing more is read. `first` is the
    name right behind the header, where that is known. `texts` are the single strings of TXT records, which
    `Record.data` joins by spaces.
    """

    def __init__(self, message: bytes, at: int, first: str = "") -> None:
        self.at = at
        self._first = first
        self.texts: list[str] = []
        self.edns: Edns | None = None
        self._message = message
        self._names: dict[int, str] = {12: first} if first else {}
        self._room = MAX_RECORD_TEXT
        self._left = MAX_RECORDS

    def read(self, count: int, into: list[Record]) -> None:
        """Add a section's records. Raises Malformed: those before the broken one are kept."""
        message, size, first = self._message, len(self._message), self._first
        for _ in range(count):
            at = self.at
            self._left -= 1
            if at < 0 or self._left < 0:
                self.at = -1
                return
            if first and message.startswith(_TO_FIRST, at):  # nearly always: a pointer to the name that was asked for
                name, at = first, at + 2
            else:
                name, at = self._name(at)
            if at + 10 > size:
                raise Malformed("a record is cut")
            kind, kind_class, ttl, length = _RECORD.unpack_from(message, at)
            at += 10
            self.at = behind = at + length
            if behind > size:
                raise Malformed("a record is cut")
            if kind == OPT:
                self.edns = Edns(kind_class, ttl >> 24, ttl >> 16 & 0xFF, bool(ttl & 0x8000))
                continue
            data = self._data(kind, at, behind)
            self._room -= len(name) + len(data)
            if self._room < 0:
                self.at = -1
            else:
                into.append(Record(name, _TYPES.get(kind) or type_name(kind), data, ttl))

    def _name(self, at: int) -> tuple[str, int]:
        """Read a name as `read_name` does; what it ends with is nearly always a name that was already read."""
        message, names, begin = self._message, self._names, at
        try:
            while 0 < (length := message[at]) < 64:
                at += 1 + length
            name = labels_text(message[begin:at]) if begin < at <= begin + MAX_NAME_BYTES else ""
            if length >= 0xC0:
                target = (length & 0x3F) << 8 | message[at + 1]
                if target >= begin:
                    return read_name(message, begin)  # which refuses it
                rest = names.get(target) or self._pointed(at, target)
                if begin == at:
                    return rest, at + 2
                name = f"{name}.{rest}" if name and rest != "." else name
                at += 1
        except IndexError:
            return read_name(message, begin)
        if 64 <= length < 0xC0 or not name or len(name) > _SURELY_SHORT or not name.isascii():
            return read_name(message, begin)
        names[begin] = name
        return name, at + 1

    def _pointed(self, at: int, target: int) -> str:
        """Read what the pointer at `at` points to, which is before it."""
        name = plain_name(self._message, target) or read_name(self._message, at)[0]
        self._names[target] = name
        return name

    def _data(self, kind: int, at: int, end: int) -> str:
        message = self._message
        if (kind == 1 and end - at == 4) or (kind == 28 and end - at == 16):
            return ip_text(message[at:end])
        if kind in {5, 12} or (kind == 2 and at < end):
            return self._name_within(at, end)
        if kind in {16, 99}:
            strings = _strings(message[at:end])
            if len(self.texts) < MAX_RECORDS:
                self.texts += strings[: MAX_RECORDS - len(self.texts)]
            return " ".join(strings)[:_MAX_TEXT]
        if kind == 33 and end - at > 6:
            priority, weight, port = _WORDS.unpack_from(message, at)
            return f"{priority} {weight} {port} {self._name_within(at + 6, end)}"
        return record_data(message, kind, at, end - at)[:_MAX_TEXT]

    def _name_within(self, at: int, end: int) -> str:
        name, behind = self._name(at)
        if behind > end:
            raise Malformed("a name leaves its record")
        return name


def type_name(kind: int) -> str:
    """Name a type; `TYPE4711` where it has none (RFC 3597)."""
    return _TYPES.get(kind) or f"TYPE{kind}"


def is_known_type(kind: int) -> bool:
    """Whether a type is one that is met in practice."""
    return kind in _TYPES


def record_data(message: bytes, kind: int, at: int, length: int) -> str:
    """Write a record's data, uncut. Raises Malformed when a name in it is broken or leaves the record's data."""
    write = _WRITERS.get(kind)
    written = write(message, at, at + length) if write is not None and length else ""
    return written or f"\\# {length} {message[at : at + length][:64].hex()}"  # RFC 3597, 5: not looked into


def _one_name(message: bytes, at: int, end: int) -> str:
    name, behind = read_name(message, at)
    if behind > end:
        raise Malformed("a name leaves its record")
    return name


def _mail_exchange(message: bytes, at: int, end: int) -> str:
    return f"{message[at] << 8 | message[at + 1]} {_one_name(message, at + 2, end)}" if end - at > 2 else ""


def _service(message: bytes, at: int, end: int) -> str:
    if end - at <= 6:
        return ""
    priority, weight, port = _WORDS.unpack_from(message, at)
    return f"{priority} {weight} {port} {_one_name(message, at + 6, end)}"


def _start_of_authority(message: bytes, at: int, end: int) -> str:
    server, at = read_name(message, at)
    mailbox, at = read_name(message, at)
    if end - at != _SOA_NUMBERS.size:
        raise Malformed("the numbers of an SOA record are cut")
    return " ".join([server, mailbox, *map(str, _SOA_NUMBERS.unpack_from(message, at))])


def _host_information(message: bytes, at: int, end: int) -> str:
    return " ".join(_strings(message[at:end]))


def _authorization(message: bytes, at: int, end: int) -> str:
    """Write a CAA record (RFC 8659)."""
    tag = at + 2 + message[at + 1] if end - at > 2 else end + 1
    return f'{message[at]} {text_of(message[at + 2 : tag])} "{text_of(message[tag:end])}"' if tag <= end else ""


def _service_binding(message: bytes, at: int, end: int) -> str:
    """Write an SVCB or HTTPS record (RFC 9460)."""
    if end - at < 3:
        return ""
    target, behind = read_name(message, at + 2)
    words = [str(message[at] << 8 | message[at + 1]), target]
    while behind < end:
        if behind + 4 > end:
            raise Malformed("a parameter of a service binding is cut")
        key, size = message[behind] << 8 | message[behind + 1], message[behind + 2] << 8 | message[behind + 3]
        behind += 4 + size
        if behind > end:
            raise Malformed("a parameter of a service binding is cut")
        words.append(_parameter(key, message[behind - size : behind]))
    return " ".join(words)


def _parameter(key: int, value: bytes) -> str:
    name = _SERVICE_KEYS.get(key, f"key{key}")
    if key == 3 and len(value) != 2:
        raise Malformed("the port of a service binding is no port")
    if key == 1:
        return f"{name}={','.join(_strings(value))}"
    if key == 3:
        return f"{name}={value[0] << 8 | value[1]}"
    width = {4: 4, 6: 16}.get(key, 0)
    if width and len(value) % width == 0:
        return f"{name}={','.join(ip_text(value[at : at + width]) for at in range(0, len(value), width))}"
    return f"{name}={value[:64].hex()}" if value else name


def _strings(raw: bytes) -> list[str]:
    found: list[str] = []
    at = 0
    while at < len(raw) and len(found) < _MAX_STRINGS:
        found.append(label_text(raw[at + 1 : at + 1 + raw[at]]).replace("\\.", "."))
        at += 1 + raw[at]
    return found


_WRITERS: Final[dict[int, Callable[[bytes, int, int], str]]] = {
    2: _one_name, 5: _one_name, 12: _one_name, 39: _one_name, 47: lambda message, at, _: read_name(message, at)[0],
    6: _start_of_authority, 13: _host_information, 15: _mail_exchange, 33: _service, 64: _service_binding,
    65: _service_binding, 257: _authorization,
}  # fmt: skip
