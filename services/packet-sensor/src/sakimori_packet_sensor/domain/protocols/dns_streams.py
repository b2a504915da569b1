"""DNS messages over TCP (RFC 1035, 4.2.2): each behind its length, spread over segments as they fall."""

from collections import OrderedDict
from typing import Final

from sakimori_packet_sensor.domain.decode.packet import SYN, IpPacket

_MAX_STREAMS: Final = 256
"""At most 64 KiB wait in each: the largest message."""
_HALF: Final = 1 << 31
_ALL: Final = (1 << 32) - 1


class _Stream:
    """One direction of a connection."""

    __slots__ = ("buffer", "is_lost", "next")

    def __init__(self, first: int) -> None:
        self.next = first
        self.buffer = bytearray()
        self.is_lost = False


class DnsStreams:
    """Put messages together from segments in order.

    Repeated bytes are dropped. Behind a gap nobody knows where a message begins, so that direction is given up until
    its next SYN. A stream that is met in its middle is taken to begin with a message.
    """

    def __init__(self) -> None:
        self._streams: OrderedDict[tuple[bytes, bytes, int, int], _Stream] = OrderedDict()

    def messages(self, packet: IpPacket) -> list[bytes]:
        """Add a segment; returns the messages that it completed."""
        key = (packet.source, packet.destination, packet.source_port, packet.destination_port)
        if packet.tcp_flags & SYN:
            self._streams.pop(key, None)
            return []
        payload = packet.payload
        if not payload:
            return []
        stream = self._streams.get(key)
        if stream is None:
            if len(self._streams) >= _MAX_STREAMS:
                self._streams.popitem(last=False)
            stream = self._streams[key] = _Stream(packet.sequence)
        self._streams.move_to_end(key)
        _append(stream, packet.sequence, payload)
        return _complete(stream.buffer)


def _append(stream: _Stream, sequence: int, payload: bytes) -> None:
    known = (stream.next - sequence) & _ALL
    if stream.is_lost or known >= _HALF:
        stream.is_lost = True
        stream.buffer.clear()
        return
    stream.buffer += payload[known:]
    stream.next = (stream.next + max(0, len(payload) - known)) & _ALL


def _complete(buffer: bytearray) -> list[bytes]:
    messages = []
    at = 0
    while at + 2 <= len(buffer):
        end = at + 2 + (buffer[at] << 8 | buffer[at + 1])
        if end > len(buffer):
            break
        if end > at + 2:
            messages.append(bytes(buffer[at + 2 : end]))
        at = end
    del buffer[:at]
    return messages
