"""DTLS 1.0 and 1.2 over UDP (RFC 6347, 4): the handshake of TLS in datagrams, as one `network.tls` event.

Of DTLS 1.3 the hellos are alike and read; what follows them is encrypted.
"""

from collections.abc import Sequence
from struct import Struct
from typing import Final

from sakimori_packet_sensor.domain.protocols.contract import (
    DONE,
    UDP,
    Ends,
    Message,
    ProtocolKind,
    Read,
    Verdict,
)
from sakimori_packet_sensor.domain.protocols.framing import malformed
from sakimori_packet_sensor.domain.protocols.malformed import Malformed
from sakimori_packet_sensor.domain.protocols.tls_handshake import MAX_MESSAGE, Handshake

_DATASET: Final = "network.tls"
_RECORD: Final = Struct("!BHHIHH")
"""Type, version, epoch, sequence number (two parts), length."""
_MESSAGE_BYTES: Final = 12
_CHANGE_CIPHER, _ALERT, _HANDSHAKE, _DATA = 20, 21, 22, 23
_FIRST: Final = frozenset(bytes([first]) for first in range(20, 64))
_VERSIONS: Final = frozenset({0xFEFF, 0xFEFD, 0x0100})
"""1.0, 1.2 and OpenSSL's before the standard."""
_MAX_WAITING: Final = 16
"""Messages of which parts wait; a flight has six."""


class DtlsDecoder:
    """Follows one handshake to its end."""

    def __init__(self, ends: Ends) -> None:
        self._handshake = Handshake("d")
        self._parts: dict[tuple[int, int], tuple[int, dict[int, bytes]]] = {}
        """By side and number of a message: its length and its parts by offset."""
        self._changed = [False, False]
        self._is_over = False

    def feed(self, side: int, data: bytes, time: int) -> Read:
        """Take a datagram with its records; others of the same ports (STUN, RTP: RFC 7983) pass. Raises Malformed."""
        if data[:1] not in _FIRST:
            return Read((), len(data))
        try:
            self._records(side, data, time)
        except Malformed as problem:
            if not self._handshake.has_begun:
                raise
            return Read([self._message(problem)], DONE)
        return Read([self._message()], DONE) if self._is_over else Read((), len(data))

    def finish(self) -> Sequence[Message]:
        """Report a handshake that was not completed."""
        return [self._message()] if self._handshake.has_begun and not self._is_over else []

    def _message(self, broken: Malformed | None = None) -> Message:
        self._is_over = True
        handshake = self._handshake
        fields = handshake.fields() | (malformed(broken) if broken else {})
        return Message(_DATASET, fields, handshake.client_side, handshake.time, is_turned=handshake.client_side == 1)

    def _records(self, side: int, data: bytes, time: int) -> None:
        at = 0
        while at + _RECORD.size <= len(data) and not self._is_over:
            kind, version, epoch, _, _, size = _RECORD.unpack_from(data, at)
            at += _RECORD.size
            if version not in _VERSIONS or at + size > len(data):
                if self._handshake.has_server:
                    return
                raise Malformed("no record of DTLS")
            if epoch == 0:
                self._record(kind, side, data[at : at + size], time)
            at += size

    def _record(self, kind: int, side: int, fragment: bytes, time: int) -> None:
        if kind == _HANDSHAKE:
            self._messages(side, fragment, time)
        elif kind == _ALERT and len(fragment) == 2:
            self._is_over = self._handshake.take_alert(fragment, side) and self._handshake.has_begun
        elif kind == _CHANGE_CIPHER:
            self._changed[side] = True
            if all(self._changed) and self._handshake.has_server:
                self._handshake.is_established = self._is_over = True

    def _messages(self, side: int, fragment: bytes, time: int) -> None:
        at = 0
        while at + _MESSAGE_BYTES <= len(fragment):
            kind, size = fragment[at], int.from_bytes(fragment[at + 1 : at + 4], "big")
            number = fragment[at + 4] << 8 | fragment[at + 5]
            offset = int.from_bytes(fragment[at + 6 : at + 9], "big")
            part = fragment[at + 12 : at + 12 + int.from_bytes(fragment[at + 9 : at + 12], "big")]
            at += _MESSAGE_BYTES + len(part)
            if size > MAX_MESSAGE or offset + len(part) > size:
                raise Malformed(f"a part of a handshake message of {size} bytes")
            body = part if len(part) == size else self._joined(side, number, size, offset, part)
            if body is not None:
                self._handshake.take(kind, body, side, time)

    def _joined(self, side: int, number: int, size: int, offset: int, part: bytes) -> bytes | None:
        """Add a part of a message; returns the message when it is whole."""
        if (side, number) not in self._parts and len(self._parts) >= _MAX_WAITING:
            self._parts.clear()
        known, parts = self._parts.setdefault((side, number), (size, {}))
        if known != size:
            raise Malformed("parts of one message, with two lengths")
        parts[offset] = max(part, parts.get(offset, b""), key=len)
        whole = bytearray()
        for start in sorted(parts):
            if start > len(whole):
                return None
            whole += parts[start][len(whole) - start :]
        if len(whole) < size:
            return None
        del self._parts[side, number]
        return bytes(whole)


def recognise(data: bytes, side: int, ends: Ends) -> Verdict:
    """Tell a hello of either side, or the request for a cookie, in a record of its own epoch."""
    if len(data) < _RECORD.size + 1 or data[0] not in {_ALERT, _HANDSHAKE}:
        return Verdict.NO
    kind, version, epoch, _, _, size = _RECORD.unpack_from(data)
    if version not in _VERSIONS or epoch or _RECORD.size + size > len(data):
        return Verdict.NO
    is_one = size == 2 if kind == _ALERT else data[_RECORD.size] in {1, 2, 3} and size >= _MESSAGE_BYTES
    return Verdict.YES if is_one else Verdict.NO


PROTOCOL = ProtocolKind(
    name="dtls",
    transport=UDP,
    recognise=recognise,
    decoder=DtlsDecoder,
    ports=frozenset({443, 853, 4433, 5684}),
    first_bytes=frozenset({_ALERT, _HANDSHAKE}),
    is_encrypted=True,
)
