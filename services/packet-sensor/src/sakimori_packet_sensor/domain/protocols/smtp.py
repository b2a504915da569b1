"""SMTP (RFC 5321, 3030, 3207, 4954): an event a mail, by its envelope; an event a login; one where neither came about.

A command takes effect with its reply: one that is refused changes nothing. What a mail says is skipped. Credentials are
never read, only the mechanism. `STARTTLS` that is granted hands the conversation over.
"""

import re
from collections import deque
from collections.abc import Sequence
from typing import Final, NamedTuple

from sakimori_packet_sensor.domain.protocols.contract import (
    AGAIN,
    CLIENT,
    TCP,
    Ends,
    Fields,
    Message,
    ProtocolKind,
    Read,
    Verdict,
)
from sakimori_packet_sensor.domain.protocols.lines import GO_ON, Lines, verb_of
from sakimori_packet_sensor.domain.protocols.replies import Replies, Reply
from sakimori_packet_sensor.domain.protocols.text import text_of

_DATASET: Final = "network.smtp"
_PORTS: Final = frozenset({25, 465, 587, 2525})
_MOST_PENDING: Final = 64
_MOST_RECIPIENTS: Final = 64
_MOST_ADDRESS: Final = 512
_CONTENT: Final = "."
_CHUNK: Final = re.compile(rb"(?i)(\d{1,10})( +LAST)?")
_END: Final = re.compile(rb"\r?\n\.\r?\n")


class _Command(NamedTuple):
    """`bytes` of content so far, where it has some."""

    verb: str
    argument: bytes
    bytes: int


def recognise(data: bytes, side: int, ends: Ends) -> Verdict:
    """A greeting that says so, or a client that greets."""
    is_expected = ends.destination_port in _PORTS
    if data[:3] in {b"220", b"421", b"554"} and data[3:4] in {b" ", b"-", b""}:
        text = data[:512].upper()
        if b"FTP" in text and b"SMTP" not in text:
            return Verdict.NO
        return Verdict.YES if is_expected or b"SMTP" in text else Verdict.MORE
    if side == CLIENT and data[:5].upper() in {b"EHLO ", b"HELO ", b"LHLO "}:
        return Verdict.YES
    return Verdict.YES if is_expected and b"\n" in data and verb_of(data[:16].strip())[0] in _ANY else Verdict.NO


_ANY: Final = frozenset({"MAIL", "RCPT", "DATA", "EHLO", "HELO", "RSET", "NOOP", "QUIT", "AUTH", "VRFY", "EXPN"})


class SmtpDecoder:
    """One connection; `_mail` is what the envelope in hand says so far."""

    __slots__ = (
        "_has_replies", "_has_said", "_is_content", "_lines", "_mail", "_pending", "_replies", "_session", "_size",
    )  # fmt: skip

    def __init__(self, _ends: Ends) -> None:
        self._lines = (Lines(), Lines())
        self._replies = Replies()
        self._pending: deque[_Command] = deque()
        self._session: Fields = {}
        self._mail: Fields = {}
        self._is_content = self._has_said = self._has_replies = False
        self._size = 0

    def feed(self, side: int, data: bytes, time: int) -> Read:
        """Take bytes of a side."""
        messages: list[Message] = []
        at, end = 0, len(data)
        while at < end:
            if self._is_content and side == CLIENT:
                behind = self._skip_content(data, at, messages)
                if behind == at:
                    break
                at = behind
                continue
            line, at = self._lines[side].take(data, at)
            if line is None:
                break
            skip = self._command(line, messages) if side == CLIENT else self._reply(line, messages)
            if skip >= AGAIN:
                return Read(messages, skip)
            at += skip
        return Read(messages, at)

    def finish(self) -> Sequence[Message]:
        """Report the mail in hand, or a session in which there was none."""
        messages: list[Message] = []
        while self._pending:  # one side only was seen, or the server went away: what was wanted is said
            self._apply(self._pending.popleft(), Reply(0, ""), messages)
        self._end_mail(messages)
        if not self._has_said:
            self._say("session", {}, messages)
        return messages

    def _skip_content(self, data: bytes, at: int, messages: list[Message]) -> int:
        """Pass over what a mail says, to the line with nothing but a dot."""
        if not self._size and data.startswith(b".\r\n", at):
            behind = at + 3
        elif found := _END.search(data, at):
            behind = found.end()
            self._size += found.start() - at
        else:
            kept = max(at, len(data) - 4)
            self._size += kept - at
            return kept
        self._is_content = False
        self._expect(_Command(_CONTENT, b"", self._size), messages)
        return behind

    def _command(self, line: bytes, messages: list[Message]) -> int:
        if self._pending and self._pending[0].verb == "AUTH" and self._has_replies:
            return GO_ON  # an answer to a challenge
        verb, argument = verb_of(line)
        if not verb:
            return GO_ON
        size = 0
        if verb == "DATA":
            self._is_content, self._size = True, 0
        elif verb == "BDAT":
            found = _CHUNK.fullmatch(argument)
            if found is None:
                self._mail["smtp.anomaly"] = "invalid_bdat"
            else:
                size = int(found[1])
                self._size += size
            argument = b"LAST" if found and found[2] else b""
        elif verb == "AUTH":
            argument = argument.split(b" ")[0]
        self._expect(_Command(verb, argument[:_MOST_ADDRESS], self._size), messages)
        if verb == "BDAT" and argument:
            self._size = 0
        return size

    def _expect(self, command: _Command, messages: list[Message]) -> None:
        if len(self._pending) >= _MOST_PENDING:
            self._apply(self._pending.popleft(), Reply(0, ""), messages)
        self._pending.append(command)

    def _reply(self, line: bytes, messages: list[Message]) -> int:
        reply = self._replies.take(line)
        if reply is None or not 200 <= reply.code < 600:
            return GO_ON
        self._has_replies = True
        if not self._pending:
            if "smtp.banner" not in self._session:
                self._session["smtp.banner"] = reply.text
            return GO_ON
        if reply.code == 334 and self._pending[0].verb == "AUTH":
            return GO_ON
        return self._apply(self._pending.popleft(), reply, messages)

    def _apply(self, command: _Command, reply: Reply, messages: list[Message]) -> int:
        """Do what a command does that was answered so; code 0: nobody knows."""
        verb, code = command.verb, reply.code
        if verb == "AUTH":
            self._login(command.argument, code, messages)
        elif verb == "DATA" and code >= 400:
            self._is_content = False
            self._mail["smtp.reply_code"] = code
        elif verb == "RCPT":
            self._recipient(command.argument, is_refused=code >= 400)
        elif verb == _CONTENT or (verb == "BDAT" and command.argument):
            self._end_mail(messages, reply, command.bytes)
        elif code >= 400:
            self._mail["smtp.reply_code"] = code
        elif verb in {"EHLO", "HELO", "LHLO"}:
            self._end_mail(messages)
            self._session["smtp.helo"] = text_of(command.argument, _MOST_ADDRESS)
        elif verb == "MAIL":
            self._mail["smtp.mail_from"] = _address(command.argument)
        elif verb == "RSET":
            self._end_mail(messages)
        elif verb == "STARTTLS" and code == 220:
            self._say("session", {"smtp.starttls": True}, messages)
            return AGAIN
        return GO_ON

    def _login(self, mechanism: bytes, code: int, messages: list[Message]) -> None:
        fields: Fields = {"smtp.auth_mechanism": text_of(mechanism, 32).upper(), "event.outcome": "unknown"}
        if code:
            fields |= {"smtp.reply_code": code, "event.outcome": "success" if code == 235 else "failure"}
        self._say("auth", fields, messages)

    def _recipient(self, argument: bytes, *, is_refused: bool) -> None:
        name = "smtp.rcpt_refused_count" if is_refused else "smtp.rcpt_count"
        count = self._mail.get(name, 0)
        self._mail[name] = count + 1 if isinstance(count, int) else 1
        recipients = self._mail.setdefault("smtp.rcpt_to", [])
        if not is_refused and isinstance(recipients, list) and len(recipients) < _MOST_RECIPIENTS:
            recipients.append(_address(argument))

    def _end_mail(self, messages: list[Message], reply: Reply | None = None, size: int = 0) -> None:
        """Report the envelope in hand, if there is one; `reply` is that to its content."""
        mail, self._mail = self._mail, {}
        if reply is not None:
            mail |= {"smtp.message_bytes": size, "event.outcome": "unknown"}
            if reply.code:
                mail |= {"smtp.reply_code": reply.code, "smtp.reply": reply.text}
                mail["event.outcome"] = "success" if reply.code < 400 else "failure"
        if "smtp.mail_from" in mail or "smtp.rcpt_to" in mail or reply is not None:
            self._say("mail", mail, messages)

    def _say(self, kind: str, fields: Fields, messages: list[Message]) -> None:
        self._has_said = True
        messages.append(Message(_DATASET, {"smtp.type": kind, **self._session, **fields}))


def _address(argument: bytes) -> str:
    """The address of `FROM:<...>` or `TO:<...>`, without brackets and parameters; "" is the null sender."""
    _, _, path = argument.partition(b":")
    path = path.strip()
    if path.startswith(b"<"):
        return text_of(path[1:].partition(b">")[0], _MOST_ADDRESS)
    return text_of(path.split(b" ")[0], _MOST_ADDRESS)


PROTOCOL: Final = ProtocolKind(
    name="smtp",
    transport=TCP,
    recognise=recognise,
    decoder=SmtpDecoder,
    ports=frozenset({25, 587, 2525}),
    first_bytes=frozenset(b"245EHLMRDNQAVehlmrdnqav"),
)
