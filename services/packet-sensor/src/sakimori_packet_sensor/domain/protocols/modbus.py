"""Modbus/TCP (Modbus Messaging on TCP/IP Implementation Guide 1.0b): an event a transaction, request and answer in one.

A request that nobody answers within five seconds, or before the conversation ends, is an event by itself
(`event.outcome: unknown`), and so is an answer whose request was not seen (`modbus.is_matched: false`).
"""

from collections.abc import Sequence
from struct import Struct
from typing import Final

from sakimori_packet_sensor.domain.protocols.contract import (
    CLIENT,
    DONE,
    SERVER,
    TCP,
    Ends,
    Fields,
    Message,
    ProtocolKind,
    Read,
    Verdict,
)
from sakimori_packet_sensor.domain.protocols.framing import malformed
from sakimori_packet_sensor.domain.protocols.malformed import Malformed
from sakimori_packet_sensor.domain.protocols.modbus_functions import EXCEPTION, FUNCTIONS, WRITES, request, response

_DATASET: Final = "network.modbus"
_PORT: Final = 502
_HEADER = Struct(">HHHBB")
"""Transaction, protocol (0), bytes that follow from the unit on, unit, function."""
_BEFORE_LENGTH: Final = 6
_MOST_BYTES: Final = 254
"""Unit and PDU; the guide's 4.1 limits the whole to 260."""
_UMAS, _MOST_UMAS_BYTES = 90, 2_048
"""Schneider's programming protocol takes more room than the guide grants."""
_MOST_PENDING: Final = 16
_PATIENCE: Final = 5_000_000
_MOST_BROKEN: Final = 8

_REQUEST_BYTES: Final = {1: 6, 2: 6, 3: 6, 4: 6, 5: 6, 6: 6, 7: 2, 8: 6, 11: 2, 12: 2, 17: 2, 22: 8, 24: 4, 43: 5}
_COUNT_AT: Final = {15: 12, 16: 12, 23: 16}
"""Where in a request's frame the number of bytes stands that follow."""


def recognise(data: bytes, side: int, ends: Ends) -> Verdict:
    """A request whose length is just that of its function; on Modbus' port any header that is right."""
    if data[2:4] != b"\x00\x00"[: len(data) - 2]:
        return Verdict.NO
    is_expected = _PORT in {ends.destination_port, ends.source_port}
    if len(data) < _HEADER.size:
        return Verdict.MORE
    _, _, length, _, function = _HEADER.unpack_from(data)
    if not 2 <= length <= _MOST_BYTES or not function:
        return Verdict.NO
    if is_expected:
        return Verdict.YES
    if side != CLIENT or len(data) < _BEFORE_LENGTH + length:
        return Verdict.NO
    return Verdict.YES if length == _expected_length(data, function) else Verdict.NO


def _expected_length(data: bytes, function: int) -> int:
    """How long a request of this function says that it is; -1 where that cannot be told."""
    count_at = _COUNT_AT.get(function)
    if count_at is None:
        return _REQUEST_BYTES.get(function, -1)
    return count_at + 1 - _BEFORE_LENGTH + data[count_at] if count_at < len(data) else -1


class ModbusDecoder:
    """Pairs what one side asks with what the other answers."""

    __slots__ = ("_asks", "_broken", "_pending")

    def __init__(self, ends: Ends) -> None:
        # A capture that begins in the middle may show the answer first: then the port tells who is who.
        self._asks = SERVER if ends.source_port == _PORT != ends.destination_port else CLIENT
        self._broken = 0
        self._pending: dict[tuple[int, int, int], tuple[int, Fields]] = {}

    def feed(self, side: int, data: bytes, time: int) -> Read:
        """Take frames. One that cannot be takes what came with it along: frames begin where segments do."""
        messages: list[Message] = []
        if self._pending:
            self._expire(time - _PATIENCE, messages)
        at, end = 0, len(data)
        while at + _HEADER.size <= end:
            number, protocol, length, unit, function = _HEADER.unpack_from(data, at)
            if protocol or not 2 <= length <= (_MOST_UMAS_BYTES if function & 0x7F == _UMAS else _MOST_BYTES):
                problem = f"protocol {protocol}, length {length}"
                messages.append(self._message({**malformed(problem), "modbus.transaction_id": number}, side, time))
                self._broken += 1
                return Read(messages, DONE if self._broken >= _MOST_BROKEN else end)
            behind = at + _BEFORE_LENGTH + length
            if behind > end:
                break
            pdu = data[at + 7 : behind]
            if side == self._asks:
                self._request((number, unit, function), pdu, time, messages)
            else:
                self._response((number, unit, function & ~EXCEPTION), pdu, time, messages)
            at = behind
        return Read(messages, at)

    def finish(self) -> Sequence[Message]:
        """Report what was asked and not answered."""
        messages: list[Message] = []
        self._expire(1 << 63, messages)
        return messages

    def _request(self, key: tuple[int, int, int], pdu: bytes, time: int, messages: list[Message]) -> None:
        fields = _named(key)
        try:
            request(pdu, fields)
        except Malformed as problem:
            fields |= malformed(problem)
        before = self._pending.pop(key, None)
        if before is not None:
            messages.append(self._unanswered(*before))
        elif len(self._pending) >= _MOST_PENDING:
            messages.append(self._unanswered(*self._pending.pop(next(iter(self._pending)))))
        self._pending[key] = (time, fields)

    def _response(self, key: tuple[int, int, int], pdu: bytes, time: int, messages: list[Message]) -> None:
        asked = self._pending.pop(key, None)
        if asked is None:
            asked_at, fields, side = time, _named(key), 1 - self._asks
            fields["modbus.is_matched"] = False
        else:
            (asked_at, fields), side = asked, self._asks
            fields["modbus.is_matched"] = True
            fields["event.duration"] = max(0, time - asked_at) * 1000
        try:
            response(pdu, fields)
        except Malformed as problem:
            fields |= malformed(problem)
        fields["event.outcome"] = "failure" if "modbus.exception_code" in fields else "success"
        messages.append(self._message(fields, side, asked_at))

    def _expire(self, before: int, messages: list[Message]) -> None:
        late = [key for key, (time, _) in self._pending.items() if time < before]
        messages += [self._unanswered(*self._pending.pop(key)) for key in late]

    def _unanswered(self, time: int, fields: Fields) -> Message:
        fields["modbus.is_matched"] = False
        fields["event.outcome"] = "unknown"
        return self._message(fields, self._asks, time)

    def _message(self, fields: Fields, side: int, time: int) -> Message:
        return Message(_DATASET, fields, side, time, self._asks == SERVER)


def _named(key: tuple[int, int, int]) -> Fields:
    number, unit, function = key
    return {
        "modbus.transaction_id": number,
        "modbus.unit_id": unit,
        "modbus.function_code": function,
        "modbus.function": FUNCTIONS.get(function, "unknown"),
        "modbus.is_write": function in WRITES,
    }


PROTOCOL: Final = ProtocolKind(
    name="modbus",
    transport=TCP,
    recognise=recognise,
    decoder=ModbusDecoder,
    ports=frozenset({_PORT}),
    resumes=True,
)
