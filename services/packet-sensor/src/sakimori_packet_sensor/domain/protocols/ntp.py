"""NTP (RFC 5905), with the control and private modes (RFC 9327) that give servers away and amplify."""

from collections.abc import Sequence
from struct import Struct
from typing import Final

from sakimori_packet_sensor.domain.addresses import ip_text
from sakimori_packet_sensor.domain.protocols.contract import UDP, Ends, Fields, Message, ProtocolKind, Read, Verdict
from sakimori_packet_sensor.domain.protocols.malformed import Malformed
from sakimori_packet_sensor.domain.protocols.text import text_of

DATASET: Final = "network.ntp"
_PORT: Final = 123

_HEADER = Struct("!BBbbII4sQQQQ")
_CONTROL = Struct("!BBHHHHH")
_PRIVATE = Struct("!BBBBHH")
_CLIENT, _SERVER, _CONTROL_MODE, _PRIVATE_MODE = 3, 4, 6, 7
_MODES: Final = (
    "reserved", "symmetric_active", "symmetric_passive", "client", "server", "broadcast", "control", "private",
)  # fmt: skip
_CONTROL_OPERATIONS: Final = {
    1: "read_status", 2: "read_variables", 3: "write_variables", 4: "read_clock", 5: "write_clock", 6: "set_trap",
    7: "trap", 8: "configure", 9: "export_configuration", 10: "read_mru", 11: "read_ordered_list", 12: "request_nonce",
}  # fmt: skip
_MONITOR_LISTS: Final = frozenset({20, 42})
"""REQ_MON_GETLIST and REQ_MON_GETLIST_1 of ntpd: the answer is up to 200 times as long as the question."""
_MAX_PRINTED: Final = 1024
_LATEST: Final = 0xFFFF_FFFF
_FROM: Final = 3_155_673_600
"""2000-01-01 in seconds since 1900."""


class Ntp:
    """Decodes a conversation: every datagram is a message."""

    def __init__(self, ends: Ends) -> None:
        pass

    def feed(self, side: int, data: bytes, time: int) -> Read:
        """Take a datagram. Raises Malformed."""
        fields = decode_ntp(data)
        asks = {_CLIENT: side, _SERVER: 1 - side}.get(data[0] & 7, 0)  # both use port 123: modes tell who asks
        return Read((Message(DATASET, fields, side, is_turned=bool(asks)),), len(data))

    def finish(self) -> Sequence[Message]:
        """Say nothing: no message waits for another."""
        return ()


def decode_ntp(message: bytes) -> Fields:
    """Decode a message into `ntp.*`. Raises Malformed."""
    if not message or not 1 <= message[0] >> 3 & 7 <= 4:
        raise Malformed("no NTP message of versions 1 to 4")
    mode = message[0] & 7
    fields: Fields = {"ntp.version": message[0] >> 3 & 7, "ntp.mode": mode, "ntp.mode_name": _MODES[mode]}
    if mode == _CONTROL_MODE:
        _add_control(fields, message)
    elif mode == _PRIVATE_MODE:
        _add_private(fields, message)
    else:
        _add_time(fields, message)
    return fields


def _add_time(fields: Fields, message: bytes) -> None:
    if len(message) < _HEADER.size:
        raise Malformed("shorter than an NTP header")
    first, stratum, poll, precision, delay, dispersion, reference, *_ = _HEADER.unpack_from(message)
    fields |= {
        "ntp.leap": first >> 6,
        "ntp.stratum": stratum,
        "ntp.poll": poll,
        "ntp.precision": precision,
        "ntp.root_delay_seconds": delay / 65_536,
        "ntp.root_dispersion_seconds": dispersion / 65_536,
        "ntp.reference_id": _reference(stratum, reference),
    }
    if len(message) > _HEADER.size:
        fields["ntp.extension_bytes"] = len(message) - _HEADER.size


def _reference(stratum: int, reference: bytes) -> str:
    """Write what a clock follows: up to stratum 1 a kiss code or a kind of clock, else an address (of IPv6: a hash)."""
    return text_of(reference.rstrip(b"\x00"), 16) if stratum <= 1 else ip_text(reference)


def _add_control(fields: Fields, message: bytes) -> None:
    if len(message) < _CONTROL.size:
        raise Malformed("shorter than an NTP control header")
    _, operation, sequence, status, association, _, count = _CONTROL.unpack_from(message)
    code = operation & 0x1F
    fields |= {
        "ntp.control.operation": _CONTROL_OPERATIONS.get(code) or str(code),
        "ntp.control.is_response": bool(operation & 0x80),
        "ntp.control.is_error": bool(operation & 0x40),
        "ntp.control.sequence": sequence,
        "ntp.control.status": status,
        "ntp.control.association_id": association,
        "ntp.control.bytes": count,
    }
    if operation & 0x80 and (data := message[_CONTROL.size : _CONTROL.size + count]):
        fields["ntp.control.data"] = text_of(data, _MAX_PRINTED)


def _add_private(fields: Fields, message: bytes) -> None:
    if len(message) < _PRIVATE.size:
        raise Malformed("shorter than an NTP private header")
    first, _, implementation, request, items, size = _PRIVATE.unpack_from(message)
    fields |= {
        "ntp.private.is_response": bool(first & 0x80),
        "ntp.private.implementation": implementation,
        "ntp.private.request_code": request,
        "ntp.private.items": items & 0x0FFF,
        "ntp.private.item_bytes": size & 0x0FFF,
        "ntp.is_monitor_list": request in _MONITOR_LISTS,
    }


def _recognise(data: bytes, side: int, ends: Ends) -> Verdict:
    """Take anything of a sane version on port 123; elsewhere only times that make sense together."""
    version, mode = data[0] >> 3 & 7, data[0] & 7
    if not 1 <= version <= 4 or not mode:
        return Verdict.NO
    if _PORT in (ends.source_port, ends.destination_port):
        shortest = _PRIVATE.size if mode == _PRIVATE_MODE else _CONTROL.size if mode == _CONTROL_MODE else _HEADER.size
        return Verdict.YES if len(data) >= shortest else Verdict.NO
    return Verdict.YES if len(data) == _HEADER.size and mode in {_CLIENT, _SERVER} and _is_sane(data) else Verdict.NO


def _is_sane(data: bytes) -> bool:
    _, stratum, poll, precision, delay, dispersion, _, reference, _, received, sent = _HEADER.unpack_from(data)
    if stratum > 16 or not 0 <= poll <= 17 or not -32 <= precision <= 0 or max(delay, dispersion) > 16 << 16:
        return False
    if data[0] & 7 == _CLIENT:  # RFC 5905, 14: a simple client may leave all of it zero
        return _is_time_or_zero(reference) and _is_time_or_zero(received) and (bool(sent) or not any(data[1:]))
    return bool(_FROM < received >> 32 <= _LATEST and abs((received >> 32) - (sent >> 32)) < 60)


def _is_time_or_zero(stamp: int) -> bool:
    return not stamp or _FROM < stamp >> 32 <= _LATEST


_FIRST_BYTES: Final = frozenset(first for first in range(256) if 1 <= first >> 3 & 7 <= 4 and first & 7)

PROTOCOL: Final = ProtocolKind("ntp", UDP, _recognise, Ntp, frozenset({_PORT}), first_bytes=_FIRST_BYTES)
