"""Frames of Initial packets (RFC 9000, 19), and the handshake stream that CRYPTO frames are parts of."""

from collections.abc import Iterator
from typing import Final

from sakimori_packet_sensor.domain.protocols.malformed import Malformed
from sakimori_packet_sensor.domain.protocols.tls_handshake import MAX_MESSAGE

_PADDING, _PING, _ACK, _ACK_ECN, _CLOSE, _CLOSE_APPLICATION = 0, 1, 2, 3, 0x1C, 0x1D
_CRYPTO: Final = frozenset({6, 8})
"""8 in T050; elsewhere that number begins a STREAM frame, which no Initial packet has."""
_MAX_PARTS: Final = 256
_MAX_RANGES: Final = 1024


class CryptoStream:
    """One side's handshake bytes, put together from parts in any order."""

    def __init__(self) -> None:
        self._ready = bytearray()
        self._at = 0
        """Offset in the stream of the first byte in `_ready`."""
        self._parts: dict[int, bytes] = {}

    def add(self, offset: int, data: bytes) -> None:
        """Take a part. Raises Malformed when more waits than a handshake has."""
        if offset + len(data) > MAX_MESSAGE or len(self._parts) >= _MAX_PARTS:
            raise Malformed("more handshake than there can be")
        known = self._parts.get(offset, b"")
        if len(data) > len(known):
            self._parts[offset] = data
        self._join()

    def messages(self) -> Iterator[tuple[int, bytes]]:
        """Take out the messages that are complete: type and body."""
        while len(self._ready) >= 4:
            size = 4 + int.from_bytes(self._ready[1:4], "big")
            if size > MAX_MESSAGE:
                raise Malformed(f"a handshake message of {size} bytes")
            if len(self._ready) < size:
                return
            kind, body = self._ready[0], bytes(self._ready[4:size])
            del self._ready[:size]
            self._at += size
            yield kind, body

    def _join(self) -> None:
        """Move what continues the ready bytes there. Parts may overlap."""
        for offset in sorted(self._parts):
            end = self._at + len(self._ready)
            if offset > end:
                break
            self._ready += self._parts.pop(offset)[end - offset :]


def read_frames(frames: bytes, into: CryptoStream) -> int | None:
    """Read the frames of a packet; returns the code with which it closes the connection, if it does.

    What follows a frame that Initial packets cannot have is left. Raises Malformed.
    """
    at, end = 0, len(frames)
    try:
        while at < end:
            kind = frames[at]
            at += 1
            if kind in _CRYPTO:
                offset, at = quic_number(frames, at)
                size, at = quic_number(frames, at)
                if at + size > end:
                    raise Malformed("a frame is cut")
                into.add(offset, frames[at : at + size])
                at += size
            elif kind in {_ACK, _ACK_ECN}:
                at = _behind_ack(frames, at, has_counts=kind == _ACK_ECN)
            elif kind in {_CLOSE, _CLOSE_APPLICATION}:
                return quic_number(frames, at)[0]
            elif kind not in {_PADDING, _PING}:
                break
    except IndexError as problem:
        raise Malformed("a frame is cut") from problem
    return None


def _behind_ack(frames: bytes, at: int, *, has_counts: bool) -> int:
    for _ in range(2):
        _, at = quic_number(frames, at)
    ranges, at = quic_number(frames, at)
    if ranges > _MAX_RANGES:
        raise Malformed(f"{ranges} ranges in an acknowledgement")
    for _ in range(1 + 2 * ranges + (3 if has_counts else 0)):
        _, at = quic_number(frames, at)
    return at


def quic_number(data: bytes, at: int) -> tuple[int, int]:
    """Read a number of variable length (RFC 9000, 16), and where what follows it begins. Raises IndexError."""
    first = data[at]
    size = 1 << (first >> 6)
    if at + size > len(data):
        raise IndexError(at)
    value = int.from_bytes(data[at : at + size], "big") & ((1 << (8 * size - 2)) - 1)
    return value, at + size
