"""Frames made by Scapy, and capture files around them. Addresses are those reserved for documentation."""

from collections.abc import Sequence
from struct import pack

from scapy.layers.inet import ICMP, IP, TCP, UDP
from scapy.layers.l2 import Ether
from scapy.packet import Packet

CLIENT, SERVER = "192.0.2.10", "198.51.100.20"
CLIENT_MAC, SERVER_MAC = "00:00:5e:00:53:01", "00:00:5e:00:53:02"
START = 1_768_528_800_000_000
"""2026-01-16T02:00:00Z in microseconds."""

ETHERNET = 1


def to_server(layer: Packet) -> bytes:
    """A frame from the client to the server."""
    return bytes(Ether(src=CLIENT_MAC, dst=SERVER_MAC) / IP(src=CLIENT, dst=SERVER) / layer)


def to_client(layer: Packet) -> bytes:
    """A frame from the server to the client."""
    return bytes(Ether(src=SERVER_MAC, dst=CLIENT_MAC) / IP(src=SERVER, dst=CLIENT) / layer)


def segment(flags: str, port: int = 443, client_port: int = 50_000, *, seq: int = 1, load: bytes = b"") -> bytes:
    """A TCP segment of the client."""
    return to_server(TCP(sport=client_port, dport=port, flags=flags, seq=seq) / load)


def reply(flags: str, port: int = 443, client_port: int = 50_000, *, seq: int = 1, load: bytes = b"") -> bytes:
    """A TCP segment of the server."""
    return to_client(TCP(sport=port, dport=client_port, flags=flags, seq=seq) / load)


def datagram(load: bytes, port: int = 53, client_port: int = 50_000) -> bytes:
    """A UDP datagram of the client."""
    return to_server(UDP(sport=client_port, dport=port) / load)


def datagram_reply(load: bytes, port: int = 53, client_port: int = 50_000) -> bytes:
    """A UDP datagram of the server."""
    return to_client(UDP(sport=port, dport=client_port) / load)


def ping(*, is_answer: bool = False) -> bytes:
    """An echo request of the client, or its answer."""
    return to_client(ICMP(type=0)) if is_answer else to_server(ICMP(type=8))


def pcap_file(frames: Sequence[bytes], *, at: int = START, every: int = 1000, link_type: int = ETHERNET) -> bytes:
    """A pcap file, microseconds, little-endian."""
    return pack("<IHHiIII", 0xA1B2C3D4, 2, 4, 0, 0, 262_144, link_type) + b"".join(
        pack("<IIII", time // 1_000_000, time % 1_000_000, len(frame), len(frame)) + frame
        for time, frame in ((at + number * every, frame) for number, frame in enumerate(frames))
    )
