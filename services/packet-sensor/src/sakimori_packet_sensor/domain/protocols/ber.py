"""BER (ITU-T X.690), as much of it as SNMP uses: definite lengths, tags of one byte."""

from typing import Final

from sakimori_packet_sensor.domain.protocols.malformed import Malformed

INTEGER, OCTETS, NULL, OID, SEQUENCE = 0x02, 0x04, 0x05, 0x06, 0x30
_MAX_INTEGER_BYTES: Final = 9
_MAX_OID_BYTES: Final = 256


def element(data: bytes, at: int, end: int) -> tuple[int, int, int]:
    """Read the head of the element at `at`: its tag, where its value begins and where it ends. Raises Malformed."""
    if at + 2 > end:
        raise Malformed("an element is cut")
    tag, size = data[at], data[at + 1]
    at += 2
    if size & 0x80:
        count = size & 0x7F
        if not 1 <= count <= 4 or at + count > end:
            raise Malformed("no definite length")
        size = int.from_bytes(data[at : at + count], "big")
        at += count
    if at + size > end:
        raise Malformed("an element is cut")
    return tag, at, at + size


def expect(tag: int, data: bytes, at: int, end: int) -> tuple[int, int]:
    """Read the head of an element that must have a tag: where its value begins and ends. Raises Malformed."""
    found, begin, behind = element(data, at, end)
    if found != tag:
        raise Malformed(f"an element of type {found:#04x} instead of {tag:#04x}")
    return begin, behind


def integer(data: bytes, at: int, end: int) -> tuple[int, int]:
    """Read an INTEGER: its value and where it ends. Raises Malformed."""
    begin, behind = expect(INTEGER, data, at, end)
    if not 1 <= behind - begin <= _MAX_INTEGER_BYTES:
        raise Malformed("an integer of no or too many bytes")
    return int.from_bytes(data[begin:behind], "big", signed=True), behind


def oid_text(raw: bytes) -> str:
    """Write an object identifier, `1.3.6.1.2.1.1.1.0`. Raises Malformed."""
    if not raw or raw[-1] & 0x80 or len(raw) > _MAX_OID_BYTES:
        raise Malformed("a broken object identifier")
    if raw[0] == 0x2B and raw.isascii():  # 1.3 and only arcs of one byte: nearly always
        return "1.3." + ".".join(map(str, raw[1:])) if len(raw) > 1 else "1.3"
    arcs: list[int] = []
    value = 0
    for byte in raw:
        value = value << 7 | byte & 0x7F
        if not byte & 0x80:
            arcs.append(value)
            value = 0
    first = min(arcs[0] // 40, 2)
    return ".".join(map(str, (first, arcs[0] - 40 * first, *arcs[1:])))
