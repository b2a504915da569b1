"""A capture made up for the demonstration: somebody tries port after port."""

from collections.abc import Sequence
from ipaddress import IPv4Address
from struct import pack
from typing import Final

_FILE_HEADER: Final = pack("<IHHiIII", 0xA1B2C3D4, 2, 4, 0, 0, 65_535, 1)  # microseconds, Ethernet
_SCANNER_MAC: Final = bytes.fromhex("00005e005301")  # RFC 7042, 2.1.2: for documentation
_TARGET_MAC: Final = bytes.fromhex("00005e005302")
_SYN, _RST_ACK = 0x02, 0x14
_TCP: Final = 6
_FIRST_PORT: Final = 40_000
_BETWEEN: Final = 50_000
_ROUND_TRIP: Final = 400


def port_scan_capture(source: str, destination: str, ports: Sequence[int], at: int) -> bytes:
    """Make a pcap file in which `source` sends a SYN to each port and gets RST for an answer.

    `at` is the time of the first packet in microseconds since the epoch; the attempts follow each other every 50 ms.
    Addresses are IPv4. Raises ValueError for an address that is none.
    """
    scanner, target = IPv4Address(source).packed, IPv4Address(destination).packed
    records = [_FILE_HEADER]
    for number, port in enumerate(ports):
        time = at + number * _BETWEEN
        own = _FIRST_PORT + number % 20_000
        question = _segment(scanner, target, pack("!HHIIBBHHH", own, port, 1000 + number, 0, 0x50, _SYN, 1024, 0, 0))
        answer = _segment(target, scanner, pack("!HHIIBBHHH", port, own, 0, 1001 + number, 0x50, _RST_ACK, 0, 0, 0))
        records.append(_record(time, _TARGET_MAC + _SCANNER_MAC, question))
        records.append(_record(time + _ROUND_TRIP, _SCANNER_MAC + _TARGET_MAC, answer))
    return b"".join(records)


def _record(time: int, macs: bytes, packet: bytes) -> bytes:
    frame = macs + b"\x08\x00" + packet
    return pack("<IIII", time // 1_000_000, time % 1_000_000, len(frame), len(frame)) + frame


def _segment(source: bytes, destination: bytes, header: bytes) -> bytes:
    """Wrap a TCP header of 20 bytes into IPv4, both with their checksums."""
    pseudo = source + destination + pack("!BBH", 0, _TCP, len(header))
    segment = header[:16] + pack("!H", checksum(pseudo + header)) + header[18:]
    ip = pack("!BBHHHBBH4s4s", 0x45, 0, 20 + len(segment), 0, 0x4000, 64, _TCP, 0, source, destination)
    return ip[:10] + pack("!H", checksum(ip)) + ip[12:] + segment


def checksum(data: bytes) -> int:
    """Internet checksum (RFC 1071) of an even number of bytes."""
    total = sum(data[at] << 8 | data[at + 1] for at in range(0, len(data), 2))
    while total >> 16:
        total = (total & 0xFFFF) + (total >> 16)
    return ~total & 0xFFFF
