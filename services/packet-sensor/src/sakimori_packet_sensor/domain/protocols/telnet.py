"""Telnet (RFC 854): what is negotiated, and logins as far as prompts and answers show them.

Whether a login succeeded is a guess from what the server says next. What is typed is not kept, but for the name behind
a login prompt. Once somebody is logged in, nothing more is read.
"""

import re
from collections.abc import Sequence
from typing import Final

from sakimori_packet_sensor.domain.protocols.contract import (
    CLIENT,
    DONE,
    TCP,
    Ends,
    Fields,
    Message,
    ProtocolKind,
    Read,
    Verdict,
)
from sakimori_packet_sensor.domain.protocols.lines import is_text
from sakimori_packet_sensor.domain.protocols.text import text_of

_DATASET: Final = "network.telnet"
_PORTS: Final = frozenset({23, 2323})
_MOST_BYTES: Final = 65_536
"""Read of both sides together, if nobody logs in."""
_MOST_TAIL: Final = 256
_MOST_NAME: Final = 128
_MOST_OPTIONS: Final = 32
_MOST_SUBNEGOTIATION: Final = 1024
_MOST_LOGINS: Final = 64

_SE, _SB, _WILL, _DONT, _IAC = 240, 250, 251, 254, 255
_TERMINAL_TYPE: Final = 24
_OPTIONS: Final = {
    0: "binary", 1: "echo", 3: "suppress_go_ahead", 5: "status", 6: "timing_mark", 24: "terminal_type",
    31: "window_size", 32: "terminal_speed", 33: "remote_flow_control", 34: "linemode", 35: "x_display_location",
    36: "environment", 37: "authentication", 38: "encryption", 39: "new_environment",
}  # fmt: skip

_NAME_PROMPT = re.compile(r"(?i)(?:(?<!last )login|user ?name|user|account|id)\s{0,4}[:>]\s{0,4}$")
_PASSWORD_PROMPT = re.compile(r"(?i)(?:pass(?:word|code|phrase)?|パスワード)[^\n:]{0,40}[:>]\s{0,4}$")
_REFUSED = re.compile(r"(?i)incorrect|invalid|fail|denied|wrong|bad (?:pass|login|user)|not allowed|too many")
_ACCEPTED = re.compile(r"(?i)welcome|last login|busybox|logged in|[$#>%]\s{0,4}$")


def recognise(data: bytes, _side: int, ends: Ends) -> Verdict:
    """A negotiation; on telnet's ports also text."""
    if data[0] == _IAC:
        if len(data) < 3:
            return Verdict.MORE
        is_option = _WILL <= data[1] <= _DONT or data[1] == _SB
        return Verdict.YES if is_option and data[2] in _OPTIONS else Verdict.NO
    return Verdict.YES if ends.destination_port in _PORTS and is_text(data[:64].strip(b"\x00\x1b\x07")) else Verdict.NO


class TelnetDecoder:
    """Follows the prompts. `_awaits` is what the client is asked for: "name", "password", or "" for nothing."""

    __slots__ = ("_awaits", "_bytes", "_count", "_has_password", "_is_judged", "_name", "_session", "_tail", "_typed")

    def __init__(self, _ends: Ends) -> None:
        self._awaits = self._tail = ""
        self._is_judged = True
        self._has_password = False
        self._name: str | None = None
        self._typed = b""
        self._session: Fields = {"telnet.type": "session"}
        self._bytes = self._count = 0

    def feed(self, side: int, data: bytes, _time: int) -> Read:
        """Take bytes of a side."""
        messages: list[Message] = []
        text, consumed = self._without_commands(side, data)
        self._bytes += consumed
        if text:
            is_over = self._typed_by_client(text) if side == CLIENT else self._said_by_server(text, messages)
            if is_over or self._bytes > _MOST_BYTES or self._count >= _MOST_LOGINS:
                return Read([*messages, *self.finish()], DONE)
        return Read(messages, consumed)

    def finish(self) -> Sequence[Message]:
        """Report a login that was not judged, and the session."""
        messages: list[Message] = []
        if not self._is_judged:
            self._say_login("unknown", messages)
        return [*messages, Message(_DATASET, {**self._session, "telnet.logins": self._count})]

    def _without_commands(self, side: int, data: bytes) -> tuple[bytes, int]:
        """Take telnet's commands out; returns the text and how many bytes were dealt with."""
        parts: list[bytes] = []
        at = 0
        while (mark := data.find(b"\xff", at)) >= 0:
            parts.append(data[at:mark])
            at = self._command(side, data, mark)
            if at < 0:
                return b"".join(parts), mark
        parts.append(data[at:])
        return b"".join(parts), len(data)

    def _command(self, side: int, data: bytes, at: int) -> int:
        """Take the command at an offset; returns where it ends, -1 when it is not whole."""
        if at + 2 > len(data):
            return -1
        kind = data[at + 1]
        if kind == _SB:
            end = data.find(b"\xff\xf0", at + 2)
            if end < 0:
                return -1 if len(data) - at < _MOST_SUBNEGOTIATION else at + 2
            if data[at + 2 : at + 4] == bytes((_TERMINAL_TYPE, 0)) and side == CLIENT:
                self._session["telnet.terminal_type"] = text_of(data[at + 4 : end], 64)
            return end + 2
        if not _WILL <= kind <= _DONT:
            return at + 2
        if at + 3 > len(data):
            return -1
        option = data[at + 2]
        options = self._session.setdefault("telnet.options", [])
        name = _OPTIONS.get(option, str(option))
        if isinstance(options, list) and name not in options and len(options) < _MOST_OPTIONS:
            options.append(name)
        return at + 3

    def _typed_by_client(self, text: bytes) -> bool:
        if not self._awaits:
            return False
        self._typed = (self._typed + text)[:_MOST_NAME]
        if not any(end in text for end in (b"\r", b"\n", b"\x00")):
            return False
        if self._awaits == "name":
            line = re.split(rb"[\r\n\x00]", self._typed.lstrip(b"\r\n\x00"), maxsplit=1)[0]
            self._name = text_of(_erased(line)) or None
            self._has_password = False
        else:
            self._has_password = True
        self._is_judged = self._awaits == "name" and not self._name
        self._awaits, self._typed, self._tail = "", b"", ""
        return False

    def _said_by_server(self, text: bytes, messages: list[Message]) -> bool:
        """Look at what the server says; returns whether somebody is logged in."""
        said = self._tail + text[-_MOST_TAIL:].decode("utf-8", "replace").replace("\x00", "")
        last = said.rpartition("\n")[2][-80:]
        self._tail = said[-_MOST_TAIL:]
        is_name, is_password = _NAME_PROMPT.search(last), _PASSWORD_PROMPT.search(last)
        if not self._is_judged and not is_password:
            if _REFUSED.search(said) or is_name:
                self._say_login("failure", messages)
            elif _ACCEPTED.search(said) and said.strip():
                self._say_login("success", messages)
                return True
        if is_name or is_password:
            self._awaits, self._typed = ("password" if is_password else "name"), b""
            self._session["telnet.prompt"] = text_of(last.strip().encode(), 80)
        return False

    def _say_login(self, outcome: str, messages: list[Message]) -> None:
        self._is_judged = True
        self._count += 1
        fields: Fields = {"telnet.type": "login", "telnet.has_password": self._has_password, "event.outcome": outcome}
        if self._name is not None:
            fields["user.name"] = self._name
        messages.append(Message(_DATASET, fields))
        self._name = None


def _erased(line: bytes) -> bytes:
    """Undo what was rubbed out, where characters are sent as they are typed."""
    typed = bytearray()
    for byte in line:
        if byte not in b"\x08\x7f":
            typed.append(byte)
        elif typed:
            typed.pop()
    return bytes(typed)


PROTOCOL: Final = ProtocolKind(
    name="telnet",
    transport=TCP,
    recognise=recognise,
    decoder=TelnetDecoder,
    ports=_PORTS,
    first_bytes=frozenset({_IAC, *b"\x00\x07\t\n\r\x1b", *range(0x20, 0x7F)}),
)
