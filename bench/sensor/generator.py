"""Sends the packets of a capture, over and over, at a steady rate.

`python -m bench.sensor.generator FILE INTERFACE RATE COUNT` says READY, waits for GO, and writes how many packets and
bytes it sent and how long that took. sendmmsg takes 64 packets at a time past the queueing discipline; of what is late
ten milliseconds are made up for.
"""

import ctypes
import socket
import sys
import time
from pathlib import Path
from typing import Final

import numpy as np

from sakimori_packet_sensor.adapters.files import open_capture

READY: Final = "ready"
GO: Final = "go"
_BATCH: Final = 64
_MAX_BYTES: Final = 9_014
_MAX_PACKETS: Final = 50_000
_SOL_PACKET, _QDISC_BYPASS = 263, 20

_MESSAGE: Final = np.dtype(
    [
        ("name", "u8"), ("name_bytes", "u8"), ("parts", "u8"), ("part_count", "u8"), ("control", "u8", 2),
        ("flags", "u8"), ("sent", "u8"),
    ]
)  # fmt: skip
"""struct mmsghdr on 64 bits."""
_PART: Final = np.dtype([("base", "u8"), ("bytes", "u8")])


def main() -> None:
    """Generate."""
    path, interface, rate, count = Path(sys.argv[1]), sys.argv[2], float(sys.argv[3]), int(sys.argv[4])
    data, at, size = _packets(path)
    parts = np.zeros(len(at), _PART)
    parts["base"], parts["bytes"] = data.ctypes.data + at, size
    messages = np.zeros(len(at), _MESSAGE)
    messages["parts"] = parts.ctypes.data + np.arange(len(at)) * _PART.itemsize
    messages["part_count"] = 1
    with socket.socket(socket.AF_PACKET, socket.SOCK_RAW) as sender:
        sender.setsockopt(_SOL_PACKET, _QDISC_BYPASS, 1)
        sender.bind((interface, 0))
        print(READY, flush=True)
        sys.stdin.readline()
        sent, seconds = _send(sender, messages, rate, count)
    rounds, rest = divmod(sent, len(at))
    print(sent, int(size.sum()) * rounds + int(size[:rest].sum()), seconds, flush=True)


def _packets(path: Path) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    pieces: list[bytes] = []
    sizes: list[int] = []
    with open_capture(path) as capture:
        for block in capture:
            for begin, length in zip(block.at.tolist(), block.captured.tolist(), strict=True):
                if 14 <= length <= _MAX_BYTES and len(sizes) < _MAX_PACKETS:
                    pieces.append(block.data[begin : begin + length].tobytes())
                    sizes.append(length)
    size = np.array(sizes, np.int64)
    return np.frombuffer(b"".join(pieces), np.uint8), np.cumsum(size) - size, size


def _send(sender: socket.socket, messages: np.ndarray, rate: float, count: int) -> tuple[int, float]:
    library = ctypes.CDLL(None, use_errno=True)
    sendmmsg, descriptor, first = library.sendmmsg, sender.fileno(), messages.ctypes.data
    sendmmsg.argtypes = [ctypes.c_int, ctypes.c_void_p, ctypes.c_uint, ctypes.c_int]
    sent, start = 0, time.perf_counter()
    due = start
    while sent < count:
        place = sent % len(messages)
        batch = min(_BATCH, len(messages) - place, count - sent)
        while (now := time.perf_counter()) < due:
            if due - now > 0.0005:
                time.sleep(0.0002)
        done = sendmmsg(descriptor, first + place * _MESSAGE.itemsize, batch, 0)
        if done > 0:
            sent += done
            due = max(due, now - 0.01) + done / rate
    return sent, time.perf_counter() - start


if __name__ == "__main__":
    main()
