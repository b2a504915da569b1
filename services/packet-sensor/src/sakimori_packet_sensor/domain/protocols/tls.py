"""TLS and SSL 3.0 over TCP: records (RFC 8446, 5), and the handshake inside. One `network.tls` event a handshake."""

from collections.abc import Sequence
from struct import Struct
from typing import Final

from sakimori_packet_sensor.domain.protocols.contract import (
    DONE,
    TCP,
    Ends,
    Message,
    ProtocolKind,
    Read,
    Verdict,
)
from sakimori_packet_sensor.domain.protocols.framing import malformed
from sakimori_packet_sensor.domain.protocols.malformed import Malformed
from sakimori_packet_sensor.domain.protocols.tls_handshake import MAX_MESSAGE, WANTED, Handshake

_DATASET: Final = "network.tls"
_RECORD: Final = Struct("!BHH")
_CHANGE_CIPHER, _ALERT, _HANDSHAKE, _DATA, _HEARTBEAT = 20, 21, 22, 23, 24
_MAX_RECORD: Final = 16_384 + 2_048
"""Bytes of a record's fragment at most, the most generous of all versions (RFC 5246, 6.2.3)."""
_LEAST_DATA: Final = 16
"""Bytes that a cipher adds to a record at least."""
_LEAST_FINISHED: Final = 40
"""Bytes of an encrypted record that holds a Finished of TLS 1.3 at least; an alert's has 19."""
_OLD_HELLO: Final = Struct("!HBHHHH")
_TLS13: Final = 0x0304


class _Side:
    """What waits of one side: the rest of a record, and of handshake messages."""

    __slots__ = ("is_encrypted", "kind", "left", "messages", "skipped")

    def __init__(self) -> None:
        self.kind = 0
        self.left = 0
        self.messages = bytearray()
        self.skipped = 0
        """Bytes still to come of a message that is not looked at."""
        self.is_encrypted = False


class TlsDecoder:
    """Follows one handshake to its end; nothing after it is of interest."""

    def __init__(self, ends: Ends) -> None:
        self._sides = (_Side(), _Side())
        self._handshake = Handshake("t")
        self._is_over = False

    def feed(self, side: int, data: bytes, time: int) -> Read:
        """Take records, whole or in parts: no byte is asked for twice but a header that is cut."""
        if not data or self._is_over:
            return Read((), DONE if self._is_over else 0)
        try:
            consumed = self._records(self._sides[side], side, data, time)
        except Malformed as problem:
            if not self._handshake.has_begun:
                raise
            return Read([self._message(broken=problem)], DONE)
        if self._is_over:
            return Read([self._message()] if self._handshake.has_begun else (), DONE)
        return Read((), consumed)

    def finish(self) -> Sequence[Message]:
        """Report a handshake that was not completed."""
        if self._is_over or not self._handshake.has_begun:
            return ()
        return (self._message(),)

    def _message(self, broken: Malformed | None = None) -> Message:
        self._is_over = True
        handshake = self._handshake
        fields = handshake.fields()
        if broken:
            fields |= malformed(broken)
        return Message(_DATASET, fields, handshake.client_side, handshake.time, is_turned=handshake.client_side == 1)

    def _records(self, state: _Side, side: int, data: bytes, time: int) -> int:
        at, end = 0, len(data)
        if data[0] & 0x80 and not self._handshake.has_begun and not state.left:
            return self._old_hello(side, data, time)
        while at < end and not self._is_over:
            if not state.left:
                if end - at < _RECORD.size:
                    break
                self._begin_record(state, data, at, side)
                at += _RECORD.size
                continue
            take = min(state.left, end - at)
            if state.kind == _HANDSHAKE and not state.is_encrypted:
                self._messages(state, side, data[at : at + take], time)
            elif state.kind == _ALERT and not state.is_encrypted:
                if take < state.left:
                    break
                self._is_over = self._handshake.take_alert(data[at : at + take], side) and self._handshake.has_begun
            elif take < state.left:
                at += state.left
                state.left = 0
                break
            state.left -= take
            at += take
        return at

    def _begin_record(self, state: _Side, data: bytes, at: int, side: int) -> None:
        kind, version, size = _RECORD.unpack_from(data, at)
        if not _CHANGE_CIPHER <= kind <= _HEARTBEAT or version >> 8 != 3 or size > _MAX_RECORD:
            raise Malformed("no record of TLS")
        state.kind, state.left = kind, size
        if kind == _DATA and not self._handshake.has_begun:
            self._is_over = True  # met in its middle: there will be nothing to tell
        if kind == _ALERT and size != 2:
            state.is_encrypted = True
        elif kind == _CHANGE_CIPHER:
            state.is_encrypted = True
            if self._handshake.version != _TLS13:
                self._conclude(all(side.is_encrypted for side in self._sides))
        elif kind == _DATA and self._handshake.has_server:
            is_finished = side == self._handshake.client_side and size >= _LEAST_FINISHED
            self._conclude(is_finished if self._handshake.version == _TLS13 else True)

    def _conclude(self, is_established: bool) -> None:
        if is_established and self._handshake.has_server:
            self._handshake.is_established = self._is_over = True

    def _messages(self, state: _Side, side: int, fragment: bytes, time: int) -> None:
        skipped = min(state.skipped, len(fragment))
        state.skipped -= skipped
        waiting = state.messages
        waiting += fragment[skipped:] if skipped else fragment
        at, end = 0, len(waiting)
        while end - at >= 4:
            kind = waiting[at]
            size = waiting[at + 1] << 16 | waiting[at + 2] << 8 | waiting[at + 3]
            if size > MAX_MESSAGE or kind not in WANTED:
                state.skipped = max(0, at + 4 + size - end)
            elif end - at - 4 < size:
                break
            else:
                self._handshake.take(kind, bytes(waiting[at + 4 : at + 4 + size]), side, time)
            at += 4 + size
        del waiting[:at]

    def _old_hello(self, side: int, data: bytes, time: int) -> int:
        """Take a ClientHello of SSL 2.0, as old clients begin with (RFC 5246, E.2)."""
        if len(data) < _OLD_HELLO.size:
            return 0
        size, kind, version, ciphers, session, challenge = _OLD_HELLO.unpack_from(data)
        size &= 0x7FFF
        if kind != 1 or ciphers % 3 or 9 + ciphers + session + challenge != size:
            raise Malformed("no ClientHello of SSL 2.0")
        if len(data) < 2 + size:
            return 0
        listed = data[_OLD_HELLO.size : _OLD_HELLO.size + ciphers]
        kinds = [int.from_bytes(listed[at : at + 3], "big") for at in range(0, ciphers, 3)]
        self._handshake.take_old_hello(version, tuple(kind for kind in kinds if kind < 0x10000), side, time)
        return int(2 + size)


def recognise(data: bytes, side: int, ends: Ends) -> Verdict:
    """Tell a hello of either side, an alert in place of the server's, or on a port of TLS what it encrypts."""
    if data[0] & 0x80:
        return _recognise_old(data)
    if len(data) < 6:
        is_right = data[0] in {_ALERT, _HANDSHAKE, _DATA} and data[1:2] in {b"", b"\x03"}
        return Verdict.MORE if is_right else Verdict.NO
    kind, version, size = _RECORD.unpack_from(data)
    if version >> 8 != 3 or version & 0xFF > 4 or not 0 < size <= _MAX_RECORD:
        return Verdict.NO
    if kind in {_DATA, _ALERT}:
        is_data = kind == _DATA and size > _LEAST_DATA and not PROTOCOL.ports.isdisjoint(ends[2:])
        return Verdict.YES if is_data or (kind == _ALERT and size == 2 and data[5] in {1, 2}) else Verdict.NO
    if kind != _HANDSHAKE or data[5] not in {1, 2} or data[6:7] not in {b"", b"\x00"}:
        return Verdict.NO
    return Verdict.YES if len(data) > 8 else Verdict.MORE


def _recognise_old(data: bytes) -> Verdict:
    if len(data) < _OLD_HELLO.size:
        return Verdict.MORE if data[2:3] in {b"", b"\x01"} and data[3:4] in {b"", b"\x00", b"\x03"} else Verdict.NO
    size, kind, version, ciphers, session, challenge = _OLD_HELLO.unpack_from(data)
    is_hello = kind == 1 and version in {0x0002, 0x0300, 0x0301, 0x0302, 0x0303} and ciphers and not ciphers % 3
    return Verdict.YES if is_hello and 9 + ciphers + session + challenge == size & 0x7FFF else Verdict.NO


PROTOCOL = ProtocolKind(
    name="tls",
    transport=TCP,
    recognise=recognise,
    decoder=TlsDecoder,
    ports=frozenset({443, 465, 636, 853, 990, 993, 995, 5061, 5223, 5228, 8443, 8883}),
    first_bytes=frozenset({_ALERT, _HANDSHAKE, _DATA, *range(0x80, 0x100)}),
    is_encrypted=True,
)
