"""SMB 1 to 3 over TCP, directly or in NetBIOS sessions (RFC 1002, 4.3): who logs in where, and opens what.

One `network.smb` event a request with its answer, for the commands that say something; and one `network.dcerpc` event
for what is called over named pipes. Files are not looked into: what is beyond the beginning of a message is skipped.
"""

from collections.abc import Sequence
from typing import Final

from sakimori_packet_sensor.domain.protocols.contract import TCP, Ends, Message, ProtocolKind, Read, Verdict
from sakimori_packet_sensor.domain.protocols.framing import read_each
from sakimori_packet_sensor.domain.protocols.malformed import Malformed
from sakimori_packet_sensor.domain.protocols.smb1 import Smb1
from sakimori_packet_sensor.domain.protocols.smb2 import DATASET, Smb2
from sakimori_packet_sensor.domain.protocols.smb_session import Session

_MESSAGE, _REQUEST, _POSITIVE, _NEGATIVE, _RETARGET, _KEEP_ALIVE = 0x00, 0x81, 0x82, 0x83, 0x84, 0x85
_KINDS: Final = frozenset({_MESSAGE, _REQUEST, _POSITIVE, _NEGATIVE, _RETARGET, _KEEP_ALIVE})
_SEEN: Final = 8192
"""Bytes of a message that are looked at: logins and calls are shorter, only files are longer."""
_OLD, _NEW, _ENCRYPTED, _COMPRESSED = b"\xffSMB", b"\xfeSMB", b"\xfdSMB", b"\xfcSMB"


class SmbDecoder:
    """Follows one connection."""

    def __init__(self, ends: Ends) -> None:
        session = Session()
        self._old = Smb1(session)
        self._new = Smb2(session)
        self._is_encryption_told = False
        self._time = 0

    def feed(self, side: int, data: bytes, time: int) -> Read:
        """Take messages, of long ones the beginning. Raises Malformed."""
        self._time = time
        return read_each(DATASET, side, data, self._take)

    def finish(self) -> Sequence[Message]:
        """Say nothing of requests without answer: what was asked is not known to have happened."""
        return ()

    def _take(self, side: int, data: bytes, at: int, messages: list[Message]) -> int:
        if len(data) - at < 4:
            return at
        kind, size = data[at], int.from_bytes(data[at + 1 : at + 4], "big")
        if kind not in _KINDS or (kind and size > 512):
            raise Malformed("no message of a NetBIOS session")
        if len(data) - at - 4 < min(size, _SEEN):
            return at
        if kind == _MESSAGE and size:
            self._message(side, data[at + 4 : at + 4 + min(size, _SEEN)], messages)
        return at + 4 + size

    def _message(self, side: int, data: bytes, messages: list[Message]) -> None:
        mark = data[:4]
        if mark == _NEW:
            self._new.take(side, data, self._time, messages)
        elif mark == _OLD:
            self._old.take(side, data, self._time, messages)
        elif mark in {_ENCRYPTED, _COMPRESSED}:
            if mark == _ENCRYPTED and not self._is_encryption_told:
                self._is_encryption_told = True
                messages.append(Message(DATASET, {"smb.version": 3, "smb.is_encrypted": True}, side))
        else:
            raise Malformed("no message of SMB")


def recognise(data: bytes, side: int, ends: Ends) -> Verdict:
    """Tell a message by its mark, a request for a session by its length; the rest by the port."""
    if data[0] == _REQUEST:
        if len(data) < 5:
            return Verdict.MORE
        return Verdict.YES if data[1:4] == b"\x00\x00\x44" and data[4] == 0x20 else Verdict.NO
    if data[0] in {_POSITIVE, _NEGATIVE}:
        return Verdict.YES if 139 in ends[2:] and data[1:3] in {b"", b"\x00\x00"} else Verdict.NO
    if len(data) < 8:
        return Verdict.MORE if data[0] == 0 and (len(data) < 6 or data[5:8] == b"SMB"[: len(data) - 5]) else Verdict.NO
    is_one = data[4:8] in {_OLD, _NEW, _ENCRYPTED, _COMPRESSED} and int.from_bytes(data[1:4], "big") >= 32
    return Verdict.YES if is_one else Verdict.NO


PROTOCOL = ProtocolKind(
    name="smb",
    transport=TCP,
    recognise=recognise,
    decoder=SmbDecoder,
    ports=frozenset({139, 445}),
    first_bytes=frozenset({_MESSAGE, _REQUEST, _POSITIVE, _NEGATIVE}),
    resumes=True,
)
