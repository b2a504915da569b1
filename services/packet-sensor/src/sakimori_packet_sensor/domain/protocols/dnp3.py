"""DNP3 (IEEE 1815) over TCP and UDP: an event a request with its answer, one for what a station says by itself."""

from collections.abc import Sequence
from struct import Struct
from typing import Final

from sakimori_packet_sensor.domain.protocols.contract import (
    CLIENT,
    DONE,
    TCP,
    UDP,
    Ends,
    Fields,
    Message,
    ProtocolKind,
    Read,
    Verdict,
)
from sakimori_packet_sensor.domain.protocols.framing import malformed

_DATASET: Final = "network.dnp3"
_PORT: Final = 20_000
_START: Final = b"\x05\x64"
_LINK = Struct("<2xBBHHH")
_CRC_SPAN: Final = 16
_MOST_PENDING: Final = 16
_MOST_BROKEN: Final = 8

_FUNCTIONS: Final = {
    0: "confirm", 1: "read", 2: "write", 3: "select", 4: "operate", 5: "direct_operate", 6: "direct_operate_nr",
    7: "immed_freeze", 8: "immed_freeze_nr", 9: "freeze_clear", 10: "freeze_clear_nr", 11: "freeze_at_time",
    12: "freeze_at_time_nr", 13: "cold_restart", 14: "warm_restart", 15: "initialize_data", 16: "initialize_appl",
    17: "start_appl", 18: "stop_appl", 19: "save_config", 20: "enable_unsolicited", 21: "disable_unsolicited",
    22: "assign_class", 23: "delay_measure", 24: "record_current_time", 25: "open_file", 26: "close_file",
    27: "delete_file", 28: "get_file_info", 29: "authenticate_file", 30: "abort_file", 31: "activate_config",
    32: "authenticate_req", 33: "authenticate_err", 129: "response", 130: "unsolicited_response",
    131: "authenticate_resp",
}  # fmt: skip
_CONTROLS: Final = frozenset({2, 3, 4, 5, 6, 13, 14, 15, 16, 17, 18, 19, 21, 25, 27, 31})
"""What changes a station or its process."""


def _table() -> tuple[int, ...]:
    """CRC-16/DNP: polynomial 0x3D65, reflected (IEEE 1815, 9.2.4.3)."""
    found = []
    for byte in range(256):
        value = byte
        for _ in range(8):
            value = value >> 1 ^ 0xA6BC if value & 1 else value >> 1
        found.append(value)
    return tuple(found)


_CRC: Final = _table()


def checksum(data: bytes) -> int:
    """Compute CRC-16/DNP."""
    value = 0
    for byte in data:
        value = value >> 8 ^ _CRC[(value ^ byte) & 0xFF]
    return value ^ 0xFFFF


def recognise(data: bytes, _side: int, _ends: Ends) -> Verdict:
    """A link header whose checksum is right."""
    if len(data) < _LINK.size:
        return Verdict.MORE if data[:2] == _START[: len(data)] else Verdict.NO
    is_header = data[:2] == _START and data[2] >= 5
    return Verdict.YES if is_header and checksum(data[:8]) == data[8] | data[9] << 8 else Verdict.NO


class Dnp3Decoder:
    """Reads the first fragment of each application message; pairs by stations and sequence."""

    __slots__ = ("_broken", "_pending")

    def __init__(self, _ends: Ends) -> None:
        self._broken = 0
        self._pending: dict[tuple[int, int, int], tuple[int, Fields, int]] = {}

    def feed(self, side: int, data: bytes, time: int) -> Read:
        """Take frames."""
        messages: list[Message] = []
        at, end = 0, len(data)
        while at + _LINK.size <= end:
            if not data.startswith(_START, at) or data[at + 2] < 5:
                return self._break("no link header", side, end, messages)
            length, _, destination, source, crc = _LINK.unpack_from(data, at)
            if checksum(data[at : at + 8]) != crc:
                return self._break("a wrong checksum", side, end, messages)
            user = length - 5
            behind = at + _LINK.size + user + 2 * -(-user // _CRC_SPAN)
            if behind > end:
                break
            body = data[at + _LINK.size : at + _LINK.size + 6]
            if user >= 3 and body[0] & 0x40:  # the first of a message
                self._application(side, (source, destination), body[: min(user, 6)], time, messages)
            at = behind
        return Read(messages, at)

    def finish(self) -> Sequence[Message]:
        """Report what was asked and not answered."""
        return [self._unanswered(key) for key in list(self._pending)]

    def _break(self, problem: str, side: int, end: int, messages: list[Message]) -> Read:
        messages.append(Message(_DATASET, malformed(problem), side))
        self._broken += 1
        return Read(messages, DONE if self._broken >= _MOST_BROKEN else end)

    def _application(self, side: int, ends: tuple[int, int], body: bytes, time: int, messages: list[Message]) -> None:
        control, code = body[1], body[2]
        source, destination = ends
        name = _FUNCTIONS.get(code, "unknown")
        if code >= 129:
            key = (destination, source, control & 15)
            indications = int.from_bytes(body[3:5], "big") if len(body) >= 5 else 0
            answer: Fields = {"dnp3.response_function": name, "dnp3.response_code": code, "dnp3.iin": indications}
            before = self._pending.pop(key, None) if code != 130 else None
            if before is None:
                fields = {**_stations(source, destination), "dnp3.is_control": False, **answer}
                messages.append(Message(_DATASET, fields, side, 0, side == CLIENT and code != 130))
            else:
                asked_at, asked, asker = before
                asked |= answer | {"event.duration": max(0, time - asked_at) * 1000, "event.outcome": "success"}
                messages.append(Message(_DATASET, asked, asker, asked_at, asker != CLIENT))
            return
        fields = {
            **_stations(source, destination),
            "dnp3.function": name,
            "dnp3.function_code": code,
            "dnp3.is_control": code in _CONTROLS,
        }
        if not code:
            return  # a confirmation: one for each that asks for it
        if code in {6, 8, 10, 12}:  # nobody answers these
            messages.append(Message(_DATASET, fields, side, 0, side != CLIENT))
            return
        key = (source, destination, control & 15)
        if key in self._pending or len(self._pending) >= _MOST_PENDING:
            messages.append(self._unanswered(key if key in self._pending else next(iter(self._pending))))
        self._pending[key] = (time, fields, side)

    def _unanswered(self, key: tuple[int, int, int]) -> Message:
        time, fields, side = self._pending.pop(key)
        return Message(_DATASET, {**fields, "event.outcome": "unknown"}, side, time, side != CLIENT)


def _stations(source: int, destination: int) -> Fields:
    return {"dnp3.source": source, "dnp3.destination": destination}


PROTOCOLS: Final = tuple(
    ProtocolKind(
        name="dnp3",
        transport=transport,
        recognise=recognise,
        decoder=Dnp3Decoder,
        ports=frozenset({_PORT}),
        first_bytes=frozenset({0x05}),
        resumes=transport == TCP,
    )
    for transport in (TCP, UDP)
)
