"""Traffic to measure with: real captures woven into one and repeated with other addresses, and a flood."""

import struct
from collections.abc import Iterator
from pathlib import Path
from typing import Final, NamedTuple

import numpy as np
import numpy.typing as npt

from bench.development_data import data_folder
from sakimori_packet_sensor.adapters.files import open_capture
from sakimori_packet_sensor.domain.capture import CaptureError
from sakimori_packet_sensor.domain.capture.block import Block

ETHERNET: Final = 1
BLOCK_PACKETS: Final = 4096
_SUFFIXES: Final = {".pcap", ".pcapng", ".cap", ".gz"}
_START: Final = 1_768_528_800_000_000
_SEGMENT: Final = 1448
"""Bytes of a full TCP segment with timestamps in 1,500."""
_SPAN: Final = 60_000_000
"""Microseconds that all captures are squeezed into: hundreds of conversations go on at once, as on a real line."""


class Traffic(NamedTuple):
    """Packets in one buffer; `blocks` cuts them as a capture does."""

    name: str
    block: Block

    @property
    def packets(self) -> int:
        """How many there are."""
        return len(self.block.at)

    @property
    def wire_bytes(self) -> int:
        """What they took on the wire."""
        return int(self.block.wire.sum())

    def blocks(self, packets: int = BLOCK_PACKETS) -> Iterator[Block]:
        """Cut into blocks that share the buffer."""
        for first in range(0, self.packets, packets):
            yield Block._make([self.block.data, *(array[first : first + packets] for array in self.block[1:])])

    def write_pcap(self, path: Path) -> None:
        """Write a capture file, microseconds."""
        data, at, captured, wire, time, _ = self.block
        with path.open("wb") as file:
            file.write(struct.pack("<IHHiIII", 0xA1B2C3D4, 2, 4, 0, 0, 262_144, ETHERNET))
            for begin, length, whole, instant in zip(
                at.tolist(), captured.tolist(), wire.tolist(), time.tolist(), strict=True
            ):
                file.write(struct.pack("<IIII", instant // 1_000_000, instant % 1_000_000, length, whole))
                file.write(data[begin : begin + length].tobytes())


def _packets_of(path: Path) -> Iterator[tuple[int, int, bytes]]:
    """Yield time since the first packet, wire length and bytes of the Ethernet frames of a capture."""
    start = None
    with open_capture(path) as capture:
        for block in capture:
            for place in np.flatnonzero(block.link == ETHERNET):
                begin, length = int(block.at[place]), int(block.captured[place])
                start = int(block.time[place]) if start is None else start
                yield (
                    int(block.time[place]) - start,
                    int(block.wire[place]),
                    block.data[begin : begin + length].tobytes(),
                )


def mixed(
    copies: int, name: str = "mixed", folders: tuple[str, ...] = ("pcaps", "devices"), least_mean: int = 0
) -> Traffic:
    """Weave all captures into one, and repeat that with other addresses: every copy brings new flows.

    `least_mean`: only captures whose packets have at least so many bytes on average.
    """
    packets = []
    for folder in folders:
        for path in sorted((data_folder() / folder).rglob("*")):
            if path.suffix in _SUFFIXES and path.is_file():
                try:
                    read = list(_packets_of(path))
                except CaptureError:
                    continue
                if read and sum(length for _, length, _ in read) >= least_mean * len(read):
                    longest = max(1, *(time for time, _, _ in read))
                    scale = min(_SPAN / longest, 1)
                    packets += [(int(max(time, 0) * scale), length, frame) for time, length, frame in read]
    packets.sort(key=lambda packet: packet[0])
    return _repeated(name, packets, copies)


def _repeated(name: str, packets: list[tuple[int, int, bytes]], copies: int) -> Traffic:
    once = np.frombuffer(b"".join(frame for _, _, frame in packets), np.uint8)
    length = np.array([len(frame) for _, _, frame in packets], np.int32)
    at = np.cumsum(length, dtype=np.int64) - length
    data = np.tile(once, copies)
    for copy in range(1, copies):
        _shift_addresses(data[copy * len(once) : (copy + 1) * len(once)], at, length, copy)
    offsets = np.repeat(np.arange(copies, dtype=np.int64), len(at))
    time = np.tile(np.array([time for time, _, _ in packets], np.int64), copies) + offsets * (_SPAN + 1000)
    wire = np.tile(np.array([wire for _, wire, _ in packets], np.int32), copies)
    link = np.full(len(time), ETHERNET, np.int32)
    starts = np.tile(at, copies) + offsets * len(once)
    return Traffic(name, Block(data, starts, np.tile(length, copies), wire, time + _START, link))


def _shift_addresses(
    data: npt.NDArray[np.uint8], at: npt.NDArray[np.int64], length: npt.NDArray[np.int32], by: int
) -> None:
    """Change both IP addresses of untagged frames; checksums are wrong afterwards, which peers are told to ignore."""
    long_enough = at[length >= 54]
    ethertype = data[long_enough + 12].astype(np.int32) << 8 | data[long_enough + 13]
    for kind, places in ((0x0800, (27, 31)), (0x86DD, (26, 42))):
        frames = long_enough[ethertype == kind]
        for place in places:
            data[frames + place] ^= by


def syn_flood(packets: int) -> Traffic:
    """Every packet a SYN from another address to one of a few servers: as many new flows, at a million a second."""
    ethernet, ip = "00005e00530200005e0053010800", "45000028000040004006000000000000 00000000"
    frame = bytes.fromhex(f"{ethernet} {ip} 0000005000000001000000005002ffff00000000")
    data = np.tile(np.frombuffer(frame, np.uint8), packets).reshape(packets, len(frame))
    number = np.arange(packets, dtype=np.uint32) * np.uint32(2_654_435_761)  # Knuth's multiplier: in no order
    data[:, 26:30] = number.astype(">u4").view(np.uint8).reshape(packets, 4)
    data[:, 30:34] = np.frombuffer(bytes((198, 51, 100, 0)), np.uint8)
    data[:, 33] = np.arange(packets) % 4
    data[:, 34:36] = (np.arange(packets) % 60_000 + 1024).astype(">u2").view(np.uint8).reshape(packets, 2)
    length = np.full(packets, len(frame), np.int32)
    at = np.arange(packets, dtype=np.int64) * len(frame)
    link = np.full(packets, ETHERNET, np.int32)
    time = _START + np.arange(packets, dtype=np.int64)
    return Traffic("SYN flood", Block(data.reshape(-1), at, length, length, time, link))


def downloads(flows: int, segments: int = 200) -> Traffic:
    """What most packets of a line are: files fetched by HTTP, in so many full segments, every second acknowledged."""
    body = segments * _SEGMENT
    packets: list[tuple[int, int, bytes]] = []
    for flow in range(flows):
        client, port = 0x0A00_0000 + flow % 60_000, 20_000 + flow % 40_000
        head = b"HTTP/1.1 200 OK\r\nContent-Type: video/mp4\r\nContent-Length: %d\r\n\r\n" % (body - 80)
        stream = head + bytes(body)
        ask = b"GET /media/%d.mp4 HTTP/1.1\r\nHost: cdn.example\r\nUser-Agent: player/2.1\r\n\r\n" % flow
        said = [(0, 0x02, 0, 0, b""), (1, 0x12, 0, 1, b""), (0, 0x10, 1, 1, b""), (0, 0x18, 1, 1, ask)]
        for number in range(segments):
            sent = 1 + number * _SEGMENT
            said.append((1, 0x10, sent, 1 + len(ask), stream[number * _SEGMENT : (number + 1) * _SEGMENT]))
            if number % 2:
                said.append((0, 0x10, 1 + len(ask), sent + _SEGMENT, b""))
        last = 1 + body
        said += [(1, 0x11, last, 1 + len(ask), b""), (0, 0x11, 1 + len(ask), last + 1, b"")]
        for step, what in enumerate(said):
            frame = _segment(client, port, what)
            packets.append((flow * 500 + step * 120, len(frame), frame))
    packets.sort(key=lambda packet: packet[0])
    return _repeated("downloads", packets, 1)


def _segment(client: int, port: int, said: tuple[int, int, int, int, bytes]) -> bytes:
    """Write one TCP segment of a client's conversation with a server on port 80; checksums are 0."""
    side, flags, sequence, acknowledged, payload = said
    addresses, ports = [client.to_bytes(4, "big"), bytes((198, 51, 100, 7))], [port, 80]
    if side:
        addresses, ports = addresses[::-1], ports[::-1]
    ip = struct.pack("!BBHHHBBH", 0x45, 0, 40 + len(payload), 0, 0x4000, 64, 6, 0) + b"".join(addresses)
    tcp = struct.pack("!HHIIBBHHH", *ports, sequence, acknowledged, 0x50, flags, 0xFFFF, 0, 0)
    return bytes.fromhex("00005e00530200005e0053010800") + ip + tcp + payload
