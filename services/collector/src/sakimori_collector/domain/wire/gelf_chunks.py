"""GELF over UDP cuts long messages into chunks: bytes 0x1e 0x0f, eight of an id, number from 0, count, data."""

from collections import OrderedDict
from dataclasses import dataclass, field
from typing import Final

from sakimori_collector.domain.format import LineRejected

MAGIC: Final = b"\x1e\x0f"
TIMEOUT_SECONDS: Final = 5.0
MAX_CHUNKS: Final = 128
MAX_HELD_BYTES: Final = 16 << 20
MAX_HELD_MESSAGES: Final = 2000
"""Together 16 MB of messages that are on their way; the oldest goes when another begins beyond that."""
_HEADER: Final = 12


@dataclass(slots=True)
class Unfinished:
    """A message of which some chunks are there. `peer` sent it, from `began` (seconds) on."""

    peer: str
    count: int
    began: float
    chunks: dict[int, bytes] = field(default_factory=dict)
    size: int = 0

    def joined(self) -> bytes:
        """Join what is there, in order."""
        return b"".join(self.chunks[number] for number in sorted(self.chunks))


class Reassembly:
    """Joins chunks in whatever order and however often they come, each peer's apart; bounded in memory and time."""

    def __init__(self) -> None:
        self._held: OrderedDict[tuple[str, bytes], Unfinished] = OrderedDict()
        self._bytes = 0
        self._finished: OrderedDict[tuple[str, bytes], float] = OrderedDict()

    def add(self, peer: str, datagram: bytes, now: float) -> bytes | None:
        """Take a chunk; returns the message that it completes. Raises LineRejected for what is no chunk."""
        if len(datagram) <= _HEADER:
            raise LineRejected(f"GELF: a chunk of {len(datagram)} bytes has no data")
        key, number, count = (peer, datagram[2:10]), datagram[10], datagram[11]
        if not number < count <= MAX_CHUNKS:
            raise LineRejected(f"GELF: chunk {number} of {count} (at most {MAX_CHUNKS})")
        if now - self._finished.get(key, -TIMEOUT_SECONDS) < TIMEOUT_SECONDS:
            return None  # a chunk that the network doubled
        message = self._held.get(key)
        if message is None:
            message = self._held[key] = Unfinished(peer, count, now)
        if message.count != count:
            self._forget(key)
            raise LineRejected(f"GELF: chunks of one message say {message.count} and {count}")
        if number not in message.chunks:
            message.chunks[number] = datagram[_HEADER:]
            message.size += len(datagram)
            self._bytes += len(datagram)
        if len(message.chunks) < count:
            return None
        self._forget(key)
        self._finished[key] = now
        if len(self._finished) > MAX_HELD_MESSAGES:
            self._finished.popitem(last=False)
        return message.joined()

    def expired(self, now: float) -> list[Unfinished]:
        """Give up what did not become whole within five seconds."""
        gone = []
        while self._held:
            key, message = next(iter(self._held.items()))
            if now - message.began < TIMEOUT_SECONDS:
                break
            gone.append(self._forget(key))
        return gone

    def crowded_out(self) -> list[Unfinished]:
        """Give up the oldest while more is held than there is room for."""
        gone = []
        while self._bytes > MAX_HELD_BYTES or len(self._held) > MAX_HELD_MESSAGES:
            gone.append(self._forget(next(iter(self._held))))
        return gone

    def _forget(self, key: tuple[str, bytes]) -> Unfinished:
        message = self._held.pop(key)
        self._bytes -= message.size
        return message
