"""IMAP (RFC 9051, RFC 2595, RFC 2971) up to the login: who, by what, and how it went. Mails are not read."""

import re
from collections.abc import Sequence
from typing import Final

from sakimori_packet_sensor.domain.protocols.contract import (
    AGAIN,
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
from sakimori_packet_sensor.domain.protocols.lines import GO_ON, Lines, read_lines
from sakimori_packet_sensor.domain.protocols.text import text_of

_DATASET: Final = "network.imap"
_MOST_PENDING: Final = 8

_COMMAND = re.compile(rb"(?i)([!-'*+,\-./0-9:-\[\]^_`a-z|}~]{1,32}) (LOGIN|AUTHENTICATE|STARTTLS)\b ?(.*)", re.DOTALL)
_FIRST = re.compile(rb"(?i)[0-9a-z.]{1,16} (?:CAPABILITY|LOGIN |AUTHENTICATE |STARTTLS|ID |NOOP)")
_STATUS = re.compile(rb"(?i)(\S{1,32}) (OK|NO|BAD)\b")
_NAME = re.compile(rb'"((?:[^"\\]|\\.)*)"|([^\s"{]+)', re.DOTALL)


def recognise(data: bytes, side: int, _ends: Ends) -> Verdict:
    """A greeting, or a command with a tag."""
    if side == SERVER:
        if data.startswith((b"* OK", b"* PREAUTH", b"* BYE")):
            return Verdict.YES
        return Verdict.MORE if len(data) < 4 and b"* OK".startswith(data) else Verdict.NO
    return Verdict.YES if _FIRST.match(data) else Verdict.NO


class ImapDecoder:
    """Puts tagged replies to commands, until somebody is logged in."""

    __slots__ = ("_greeting", "_is_login_said", "_lines", "_pending")

    def __init__(self, _ends: Ends) -> None:
        self._lines = (Lines(1024), Lines(1024))
        self._pending: dict[bytes, tuple[str, Fields]] = {}
        self._greeting: str | None = None
        self._is_login_said = False

    def feed(self, side: int, data: bytes, _time: int) -> Read:
        """Take bytes of a side."""
        return read_lines(self._lines[side], side, data, self._line)

    def finish(self) -> Sequence[Message]:
        """Report a session without login."""
        return [] if self._is_login_said else [self._message({"imap.type": "session"})]

    def _line(self, side: int, line: bytes, messages: list[Message]) -> int:
        return self._command(line) if side == CLIENT else self._reply(line, messages)

    def _command(self, line: bytes) -> int:
        found = _COMMAND.match(line)
        if found is None or len(self._pending) >= _MOST_PENDING:
            return GO_ON
        verb, fields = found[2].decode("ascii").upper(), Fields()
        if verb == "LOGIN":
            fields = {"imap.auth_method": "login", "imap.has_password": True}
            if name := _NAME.match(found[3]):  # a literal comes on the next line: who it is stays unknown then
                fields["user.name"] = text_of(name[1] if name[1] is not None else name[2], 256)
        elif verb == "AUTHENTICATE":
            fields = {"imap.auth_method": text_of(found[3].split(b" ")[0], 32).lower()}
        self._pending[found[1]] = (verb, fields)
        return GO_ON

    def _reply(self, line: bytes, messages: list[Message]) -> int:
        if self._greeting is None:
            self._greeting = text_of(line[2:], 512)
        found = _STATUS.match(line)
        asked = self._pending.pop(found[1], None) if found else None
        if found is None or asked is None:
            return GO_ON
        verb, fields = asked
        is_good = found[2].upper() == b"OK"
        if verb == "STARTTLS":
            if is_good:
                messages.append(self._message({"imap.type": "session", "imap.starttls": True}))
            return AGAIN if is_good else GO_ON
        self._is_login_said = True
        outcome = "success" if is_good else "failure"
        messages.append(self._message({"imap.type": "login", **fields, "event.outcome": outcome}))
        return DONE if is_good else GO_ON

    def _message(self, fields: Fields) -> Message:
        if self._greeting:
            fields["imap.greeting"] = self._greeting
        return Message(_DATASET, fields)


PROTOCOL: Final = ProtocolKind(
    name="imap",
    transport=TCP,
    recognise=recognise,
    decoder=ImapDecoder,
    ports=frozenset({143}),
    first_bytes=frozenset(b"*.0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz"),
)
