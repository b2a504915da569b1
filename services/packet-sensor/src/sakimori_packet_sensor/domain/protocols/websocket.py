"""WebSocket (RFC 6455), behind the handshake that HTTP sees: control frames, and how much was said otherwise."""

from collections.abc import Sequence
from typing import Final

from sakimori_packet_sensor.domain.protocols.contract import CLIENT, DONE, Fields, Message, Read
from sakimori_packet_sensor.domain.protocols.malformed import Malformed

_DATASET: Final = "network.websocket"
_OPERATIONS: Final = {0: "continuation", 1: "text", 2: "binary", 8: "close", 9: "ping", 10: "pong"}
_CLOSE: Final = 8
_MOST_BYTES: Final = 1 << 62
_MAX_EVENTS: Final = 64
"""Control frames of a conversation that are told one by one; the rest are counted."""


class WebSocketDecoder:
    """Reads frame headers; payload is skipped, but for the code of a close frame."""

    def __init__(self) -> None:
        self._frames = [0, 0]
        self._bytes = [0, 0]
        self._told = 0

    def feed(self, side: int, data: bytes, time: int) -> Read:
        """Take frames of a side. Raises Malformed."""
        messages: list[Message] = []
        at, end = 0, len(data)
        while at < end:
            header = _header(data, at)
            if header is None:
                break
            operation, size, mask, start = header
            if operation not in _OPERATIONS or (operation >= _CLOSE and size > 125):
                raise Malformed("no frame of WebSocket")
            if operation == _CLOSE and start + min(size, 2) > end:
                break
            self._frames[side] += 1
            self._bytes[side] = min(self._bytes[side] + size, _MOST_BYTES)
            at = start + size
            if operation >= _CLOSE and self._told < _MAX_EVENTS:
                self._told += 1
                messages.append(Message(_DATASET, _control(operation, size, mask, data[start : start + 2]), side))
            if operation == _CLOSE:
                return Read([*messages, *self.finish()], DONE)
        return Read(messages, at)

    def finish(self) -> Sequence[Message]:
        """Sum the conversation up."""
        if not any(self._frames):
            return ()
        fields: Fields = {}
        for side, whose in enumerate(("client", "server")):
            fields[f"websocket.{whose}.frames"] = self._frames[side]
            fields[f"websocket.{whose}.bytes"] = self._bytes[side]
        self._frames = [0, 0]
        return (Message(_DATASET, fields, CLIENT),)


def _header(data: bytes, at: int) -> tuple[int, int, bytes, int] | None:
    """Read a frame's operation, payload size, mask ("" for none) and where its payload begins; None: too few bytes."""
    if len(data) - at < 2:
        return None
    first, second = data[at], data[at + 1]
    size, start = second & 0x7F, at + 2
    if size > 125:
        width = 2 if size == 126 else 8
        size = int.from_bytes(data[start : start + width], "big")
        start += width
    mask = data[start : start + 4] if second & 0x80 else b""
    start += 4 if second & 0x80 else 0
    if start > len(data):
        return None
    if (first & 0x70 and not first & 0x40) or size >> 62:
        raise Malformed("no frame of WebSocket")
    return first & 0x0F, size, mask, start


def _control(operation: int, size: int, mask: bytes, start: bytes) -> Fields:
    fields: Fields = {
        "websocket.opcode": _OPERATIONS[operation],
        "websocket.length": size,
        "websocket.is_masked": bool(mask),
    }
    if operation == _CLOSE and size >= 2:
        code = bytes(byte ^ key for byte, key in zip(start, mask or b"\x00\x00", strict=False))
        fields["websocket.close_code"] = code[0] << 8 | code[1]
    return fields
