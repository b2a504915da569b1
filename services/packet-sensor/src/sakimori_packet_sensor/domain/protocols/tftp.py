"""TFTP (RFC 1350, RFC 2347): which file is read or written. The data's own port is recognised, its content not kept."""

from collections.abc import Sequence
from typing import Final

from sakimori_packet_sensor.domain.protocols.contract import (
    DONE,
    UDP,
    Ends,
    Fields,
    Message,
    ProtocolKind,
    Read,
    Verdict,
)
from sakimori_packet_sensor.domain.protocols.malformed import Malformed
from sakimori_packet_sensor.domain.protocols.text import text_of

DATASET: Final = "network.tftp"
_PORT: Final = 69

_READ, _WRITE, _DATA, _ACKNOWLEDGE, _ERROR, _OPTIONS = 1, 2, 3, 4, 5, 6
_OPERATIONS: Final = {_READ: "read", _WRITE: "write", _ERROR: "error", _OPTIONS: "option_acknowledge"}
_MODES: Final = frozenset({"netascii", "octet", "mail"})
_ERRORS: Final = (
    "undefined", "file_not_found", "access_violation", "disk_full", "illegal_operation", "unknown_transfer",
    "file_exists", "no_such_user", "option_refused",
)  # fmt: skip
_BLOCK_BYTES: Final = 512
_MAX_OPTIONS: Final = 16


class Tftp:
    """Decodes a conversation: a request and what refuses it are events; a transfer's data are not looked at."""

    def __init__(self, ends: Ends) -> None:
        pass

    def feed(self, side: int, data: bytes, time: int) -> Read:
        """Take a datagram. Raises Malformed."""
        if data[:1] == b"\x00" and data[1:2] in {b"\x03", b"\x04"}:
            return Read((), DONE)
        return Read((Message(DATASET, decode_tftp(data), side),), len(data))

    def finish(self) -> Sequence[Message]:
        """Say nothing: the transfer is another flow."""
        return ()


def decode_tftp(message: bytes) -> Fields:
    """Decode a request, an error or an acknowledgement of options into `tftp.*`. Raises Malformed."""
    operation = message[0] << 8 | message[1] if len(message) >= 4 else 0
    if operation not in _OPERATIONS:
        raise Malformed("no such TFTP operation")
    fields: Fields = {"tftp.operation": _OPERATIONS[operation]}
    if operation == _ERROR:
        code = message[2] << 8 | message[3]
        fields["tftp.error_code"] = code
        fields["tftp.error_name"] = _ERRORS[code] if code < len(_ERRORS) else str(code)
        fields["tftp.error_message"] = text_of(message[4:].partition(b"\x00")[0])
        return fields
    words = message[2:].split(b"\x00", 2 * _MAX_OPTIONS + 3)[: 2 * _MAX_OPTIONS + 2]
    if operation in {_READ, _WRITE}:
        if len(words) < 3 or not words[0]:
            raise Malformed("a request without file or mode")
        fields["tftp.file"] = text_of(words[0])
        fields["tftp.mode"] = text_of(words[1], 16).lower()
        words = words[2:]
    if options := [f"{text_of(name)}={text_of(value)}" for name, value in zip(words[::2], words[1::2], strict=False)]:
        fields["tftp.options"] = [*options]
    return fields


def _recognise(data: bytes, side: int, ends: Ends) -> Verdict:
    """Take a request on any port, and on ports above 1023 how its answer begins (RFC 1350, 4)."""
    if len(data) < 4 or data[0]:
        return Verdict.NO
    if data[1] in {_READ, _WRITE}:
        return Verdict.YES if _is_request(data) else Verdict.NO
    if _PORT in (ends.source_port, ends.destination_port):
        return Verdict.YES if data[1] <= _OPTIONS else Verdict.NO
    is_first = min(ends.source_port, ends.destination_port) > 1023 and _is_first_answer(data)
    return Verdict.YES if is_first else Verdict.NO


def _is_first_answer(data: bytes) -> bool:
    if data[1] == _DATA:
        return data[2:4] == b"\x00\x01" and 4 < len(data) <= 4 + _BLOCK_BYTES
    if data[1] == _ACKNOWLEDGE:
        return data[2:] in {b"\x00\x00", b"\x00\x01"}
    return data[1] == _OPTIONS and data[-1] == 0 and data.count(0, 2) % 2 == 0 and data[2:3].isalpha()


def _is_request(data: bytes) -> bool:
    file, _, rest = data[2:].partition(b"\x00")
    mode = rest.partition(b"\x00")[0]
    return bool(file) and data[-1] == 0 and mode.isascii() and mode.decode("ascii").lower() in _MODES


PROTOCOL: Final = ProtocolKind("tftp", UDP, _recognise, Tftp, frozenset({_PORT}), first_bytes=frozenset({0}))
