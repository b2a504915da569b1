"""POP3 (RFC 1939, 2595, 5034) up to the login: who, whether with a password, and how it went. Mails are not read."""

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
from sakimori_packet_sensor.domain.protocols.lines import GO_ON, Lines, read_lines, verb_of
from sakimori_packet_sensor.domain.protocols.text import text_of

_DATASET: Final = "network.pop3"
_PORT: Final = 110
_VERBS: Final = frozenset({"USER", "APOP", "CAPA", "STLS", "AUTH", "QUIT"})
_MOST_PENDING: Final = 32


def recognise(data: bytes, side: int, ends: Ends) -> Verdict:
    """A greeting, which no other protocol has; on its port also a client's first command."""
    if side == SERVER:
        if data.startswith((b"+OK ", b"+OK\r", b"-ERR ")):
            return Verdict.YES
        return Verdict.MORE if len(data) < 4 and b"+OK ".startswith(data) else Verdict.NO
    return Verdict.YES if ends.destination_port == _PORT and verb_of(data[:64])[0].strip() in _VERBS else Verdict.NO


class Pop3Decoder:
    """Puts replies to commands, until somebody is logged in."""

    __slots__ = ("_greeting", "_is_login_said", "_lines", "_pending", "_user")

    def __init__(self, _ends: Ends) -> None:
        self._lines = (Lines(512), Lines(512))
        self._pending: list[str] = []
        self._user: str | None = None
        self._greeting: str | None = None
        self._is_login_said = False

    def feed(self, side: int, data: bytes, _time: int) -> Read:
        """Take bytes of a side."""
        return read_lines(self._lines[side], side, data, self._line)

    def finish(self) -> Sequence[Message]:
        """Report a session without login."""
        return [] if self._is_login_said else [self._message({"pop3.type": "session"})]

    def _line(self, side: int, line: bytes, messages: list[Message]) -> int:
        return self._command(line) if side == CLIENT else self._reply(line, messages)

    def _command(self, line: bytes) -> int:
        verb, argument = verb_of(line)
        if not verb or len(self._pending) >= _MOST_PENDING or (self._pending and self._pending[0] == "AUTH"):
            return GO_ON
        if verb in {"USER", "APOP"}:
            self._user = text_of(argument.split(b" ")[0], 256)
        self._pending.append("AUTH ?" if verb == "AUTH" and not argument else verb)  # asks for the mechanisms only
        return GO_ON

    def _reply(self, line: bytes, messages: list[Message]) -> int:
        is_good = line.startswith(b"+OK")
        if not is_good and not line.startswith(b"-ERR"):
            return GO_ON  # of a list, or a challenge
        if self._greeting is None and not self._pending:
            self._greeting = text_of(line[4:], 512)
            return GO_ON
        verb = self._pending.pop(0) if self._pending else ""
        if verb == "AUTH ?":
            return GO_ON
        if verb in {"PASS", "APOP", "AUTH"}:
            self._is_login_said = True
            outcome = "success" if is_good else "failure"
            method = {"PASS": "password", "APOP": "apop"}.get(verb, "sasl")
            said: Fields = {"pop3.has_password": verb == "PASS", "pop3.auth_method": method, "event.outcome": outcome}
            messages.append(self._message({"pop3.type": "login", **said}))
            return DONE if is_good else GO_ON
        if verb == "STLS" and is_good:
            messages.append(self._message({"pop3.type": "session", "pop3.starttls": True}))
            return AGAIN
        return GO_ON

    def _message(self, fields: Fields) -> Message:
        if self._greeting:
            fields["pop3.greeting"] = self._greeting
        if self._user is not None:
            fields["user.name"] = self._user
        return Message(_DATASET, fields)


PROTOCOL: Final = ProtocolKind(
    name="pop3",
    transport=TCP,
    recognise=recognise,
    decoder=Pop3Decoder,
    ports=frozenset({_PORT}),
    first_bytes=frozenset(b"+-UACSQuacsq"),
)
