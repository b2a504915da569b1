"""RFB, the protocol of VNC (RFC 6143), until the screen is open or refused: versions, security, outcome, desktop."""

import re
from collections.abc import Sequence
from typing import Final

from sakimori_packet_sensor.domain.protocols.contract import (
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
from sakimori_packet_sensor.domain.protocols.framing import read_each
from sakimori_packet_sensor.domain.protocols.malformed import Malformed
from sakimori_packet_sensor.domain.protocols.text import text_of

_DATASET: Final = "network.rfb"
_VERSION_BYTES: Final = 12
_MOST_TEXT: Final = 4096

_VERSION = re.compile(rb"RFB (\d{3})\.(\d{3})\n")
_SECURITY: Final = {
    0: "invalid", 1: "none", 2: "vnc", 5: "ra2", 6: "ra2ne", 16: "tight", 17: "ultra", 18: "tls", 19: "vencrypt",
    20: "sasl", 21: "md5", 22: "xvp", 30: "apple", 35: "microsoft",
}  # fmt: skip
_NONE, _VNC = 1, 2


def recognise(data: bytes, _side: int, _ends: Ends) -> Verdict:
    """The version, which both sides begin with."""
    if len(data) < _VERSION_BYTES:
        return Verdict.MORE if b"RFB ".startswith(data[:4]) else Verdict.NO
    return Verdict.YES if _VERSION.match(data) else Verdict.NO


class RfbDecoder:
    """Both sides in turn; `_awaits` names what each says next."""

    __slots__ = ("_awaits", "_fields", "_minor")

    def __init__(self, _ends: Ends) -> None:
        self._awaits = ["version", "version"]
        self._fields: Fields = {}
        self._minor = 8

    def feed(self, side: int, data: bytes, _time: int) -> Read:
        """Take bytes of a side. Raises Malformed."""
        return read_each(_DATASET, side, data, self._step)

    def finish(self) -> Sequence[Message]:
        """Report what was seen so far."""
        return [Message(_DATASET, self._fields)] if self._fields else []

    def _step(self, side: int, data: bytes, at: int, messages: list[Message]) -> int:
        awaited = self._awaits[side]
        if awaited == "version":
            return self._version(side, data, at)
        if awaited == "nothing":
            return len(data)
        step = {
            "types": self._types, "type": self._type, "choice": self._choice, "challenge": self._challenge,
            "response": self._response, "result": self._result, "reason": self._reason, "shared": self._shared,
            "screen": self._screen,
        }[awaited]  # fmt: skip
        behind = step(data, at)
        if behind == DONE:
            messages.append(Message(_DATASET, self._fields))
        return behind

    def _version(self, side: int, data: bytes, at: int) -> int:
        if at + _VERSION_BYTES > len(data):
            return at
        found = _VERSION.match(data, at)
        if found is None:
            raise Malformed("no version")
        name = "server" if side == SERVER else "client"
        self._fields[f"rfb.{name}_protocol_version.major"] = found[1].decode("ascii")
        self._fields[f"rfb.{name}_protocol_version.minor"] = found[2].decode("ascii")
        self._minor = min(self._minor, int(found[2]))
        if side != SERVER:
            self._awaits = ["choice" if self._minor >= 7 else "response", "types" if self._minor >= 7 else "type"]
        return at + _VERSION_BYTES

    def _types(self, data: bytes, at: int) -> int:
        """3.7 and later: a number of types, none when the server refuses."""
        count = data[at]
        if at + 1 + count > len(data):
            return at
        if not count:
            self._awaits[SERVER] = "reason"
            return at + 1
        self._fields["rfb.authentication.offered"] = [
            _SECURITY.get(kind, str(kind)) for kind in data[at + 1 : at + 1 + min(count, 64)]
        ]
        self._awaits[SERVER] = "result"
        return at + 1 + count

    def _type(self, data: bytes, at: int) -> int:
        """3.3: the server decides."""
        if at + 4 > len(data):
            return at
        self._chosen(data[at + 3])
        if not data[at + 3]:
            self._awaits[SERVER] = "reason"
        return at + 4

    def _choice(self, data: bytes, at: int) -> int:
        self._chosen(data[at])
        return at + 1 if data[at] in {_NONE, _VNC} else DONE

    def _chosen(self, kind: int) -> None:
        self._fields["rfb.authentication.security_type"] = kind
        self._fields["rfb.authentication.method"] = _SECURITY.get(kind, str(kind))
        if kind == _VNC:
            self._awaits = ["response", "challenge"]
        else:
            self._awaits = ["shared", "result" if self._minor >= 8 else "screen"]

    def _challenge(self, data: bytes, at: int) -> int:
        if at + 16 > len(data):
            return at
        self._awaits[SERVER] = "result"
        return at + 16

    def _response(self, data: bytes, at: int) -> int:
        if at + 16 > len(data):
            return at
        self._awaits[0] = "shared"
        return at + 16

    def _result(self, data: bytes, at: int) -> int:
        if at + 4 > len(data):
            return at
        is_good = data[at : at + 4] == bytes(4)
        self._fields["event.outcome"] = "success" if is_good else "failure"
        self._fields["rfb.authentication.result"] = "ok" if is_good else "failed"
        self._awaits[SERVER] = "screen" if is_good else "reason"
        return DONE if not is_good and self._minor < 8 else at + 4

    def _reason(self, data: bytes, at: int) -> int:
        """Why the server refuses."""
        self._fields["event.outcome"] = "failure"
        if at + 4 > len(data):
            return at
        size = int.from_bytes(data[at : at + 4], "big")
        if at + 4 + min(size, _MOST_TEXT) > len(data):
            return at
        self._fields["rfb.server_security_failure_reason"] = text_of(data[at + 4 : at + 4 + min(size, _MOST_TEXT)])
        return DONE

    def _shared(self, data: bytes, at: int) -> int:
        self._fields["rfb.screen_shared"] = bool(data[at])
        self._awaits[0] = "nothing"
        return at + 1

    def _screen(self, data: bytes, at: int) -> int:
        """The server's last word before pictures (7.3.2)."""
        if at + 24 > len(data):
            return at
        size = min(int.from_bytes(data[at + 20 : at + 24], "big"), _MOST_TEXT)
        if at + 24 + size > len(data):
            return at
        self._fields["rfb.framebuffer.width"] = data[at] << 8 | data[at + 1]
        self._fields["rfb.framebuffer.height"] = data[at + 2] << 8 | data[at + 3]
        self._fields["rfb.framebuffer.name"] = text_of(data[at + 24 : at + 24 + size], 256)
        return DONE


PROTOCOL: Final = ProtocolKind(
    name="rfb",
    transport=TCP,
    recognise=recognise,
    decoder=RfbDecoder,
    ports=frozenset({5900, 5901}),
    first_bytes=frozenset(b"R"),
)
