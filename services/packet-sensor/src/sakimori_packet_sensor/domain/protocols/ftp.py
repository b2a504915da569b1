"""FTP's control connection (RFC 959, 2228, 2428): an event a command, with its replies.

The text of PASS, ACCT and ADAT is not read. `AUTH TLS` that is granted hands the conversation over.
"""

import re
from collections import deque
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
from sakimori_packet_sensor.domain.protocols.framing import malformed
from sakimori_packet_sensor.domain.protocols.lines import GO_ON, Lines, is_text, read_lines, verb_of
from sakimori_packet_sensor.domain.protocols.replies import Replies, Reply
from sakimori_packet_sensor.domain.protocols.text import text_of

_DATASET: Final = "network.ftp"
_PORT: Final = 21
_POP3: Final = 110
_MOST_PENDING: Final = 16
_MOST_CODES: Final = 16
_MOST_ARGUMENT: Final = 1024
_MOST_BROKEN: Final = 8
_SECRETS: Final = frozenset({"PASS", "ACCT", "ADAT"})
_COMMANDS: Final = frozenset({
    "USER", "PASS", "ACCT", "CWD", "XCWD", "CDUP", "XCUP", "QUIT", "REIN", "PORT", "PASV", "TYPE", "STRU", "MODE",
    "RETR", "STOR", "STOU", "APPE", "ALLO", "REST", "RNFR", "RNTO", "ABOR", "DELE", "RMD", "XRMD", "MKD", "XMKD",
    "PWD", "XPWD", "LIST", "NLST", "SITE", "SYST", "STAT", "HELP", "NOOP", "FEAT", "OPTS", "AUTH", "ADAT", "PBSZ",
    "PROT", "CCC", "EPRT", "EPSV", "MDTM", "SIZE", "MLST", "MLSD", "HOST", "CLNT", "LANG",
})  # fmt: skip
_FILES: Final = frozenset({"RETR", "STOR", "STOU", "APPE", "DELE", "SIZE", "MDTM", "RNFR", "RNTO"})

_OPENING = re.compile(rb"(?i)(?:USER [^\s:]+|AUTH (?:TLS(?:-C)?|SSL)|FEAT|SYST|OPTS UTF8 ON)\r?\n")
_PASSIVE = re.compile(r"(?:\d{1,3},){4}(\d{1,3}),(\d{1,3})")
_EXTENDED = re.compile(r"([!-~])(?:1|2)?\1[0-9A-Fa-f:.]*\1(\d{1,5})\1")


def recognise(data: bytes, side: int, ends: Ends) -> Verdict:
    """A greeting that says so, or commands that only FTP has; `USER` may also be POP3's."""
    is_expected = ends.destination_port == _PORT
    if data[:3] == b"220" and data[3:4] in {b" ", b"-", b""}:
        text = data[:512].upper()
        if b"FTP" in text:
            return Verdict.YES
        if b"SMTP" in text or b"MAIL" in text:
            return Verdict.NO
        return Verdict.YES if is_expected else Verdict.MORE
    if side == CLIENT and _OPENING.match(data):
        return Verdict.YES if is_expected or ends.destination_port != _POP3 else Verdict.NO
    if not is_expected or not is_text(data[:128]):
        return Verdict.NO
    is_begun = verb_of(data[:64].split(b"\r\n")[0])[0] in _COMMANDS if side == CLIENT else data[:3].isdigit()
    return Verdict.YES if is_begun and b"\n" in data else Verdict.NO


class FtpDecoder:
    """Puts replies to commands, which come in the same order."""

    __slots__ = ("_broken", "_lines", "_pending", "_replies", "_user")

    def __init__(self, _ends: Ends) -> None:
        self._lines = (Lines(), Lines())
        self._replies = Replies()
        self._pending: deque[tuple[int, Fields]] = deque()
        self._user: str | None = None
        self._broken = 0

    def feed(self, side: int, data: bytes, time: int) -> Read:
        """Take bytes of a side."""

        def say(side: int, line: bytes, messages: list[Message]) -> int:
            if side == CLIENT:
                return self._command(line, time, messages)
            return self._reply(line, messages)

        return read_lines(self._lines[side], side, data, say)

    def finish(self) -> Sequence[Message]:
        """Report commands without an answer."""
        return [_unanswered(*self._pending.popleft()) for _ in range(len(self._pending))]

    def _command(self, line: bytes, time: int, messages: list[Message]) -> int:
        verb, argument = verb_of(line.lstrip(b"\xff\xf4\xf2"))  # ABOR comes behind telnet's interrupt
        if not line:
            return GO_ON
        fields: Fields = {"ftp.command": verb}
        if not verb:
            fields = {"ftp.command": "unknown", "ftp.command_bytes": len(line), **malformed("no command")}
            self._broken += 1
        elif verb == "USER":
            self._user = text_of(argument, 256)
        elif verb in _SECRETS:
            fields["ftp.has_password"] = bool(argument)
        elif argument:
            fields["ftp.command_data"] = text_of(argument, _MOST_ARGUMENT)
            if verb in _FILES:
                fields["file.path"] = fields["ftp.command_data"]
        if self._user is not None:
            fields["user.name"] = self._user
        if len(self._pending) >= _MOST_PENDING:
            messages.append(_unanswered(*self._pending.popleft()))
        self._pending.append((time, fields))
        return GO_ON if self._broken <= _MOST_BROKEN else DONE

    def _reply(self, line: bytes, messages: list[Message]) -> int:
        reply = self._replies.take(line)
        if reply is None:
            return GO_ON
        if not 100 <= reply.code < 600:
            return self._no_reply(line, messages)
        time, fields = self._pending[0] if self._pending else (0, Fields({"ftp.type": "greeting"}))
        codes = fields.setdefault("ftp.completion_code", [])
        if isinstance(codes, list) and len(codes) < _MOST_CODES:
            codes.append(reply.code)
        if reply.code < 200 and self._pending:
            return GO_ON  # preliminary: the final one follows
        if self._pending:
            self._pending.popleft()
        fields["ftp.reply_code"], fields["ftp.reply"] = reply
        fields["event.outcome"] = "success" if reply.code < 400 else "failure"
        _data_port(fields, reply)
        messages.append(Message(_DATASET, fields, CLIENT if "ftp.command" in fields else SERVER, time))
        return AGAIN if reply.code == 234 and fields.get("ftp.command") == "AUTH" else GO_ON

    def _no_reply(self, line: bytes, messages: list[Message]) -> int:
        """Report what stands where a reply should; if it begins as one, the command has its answer."""
        if not line:
            return GO_ON
        self._broken += 1
        fields = self._pending.popleft()[1] if self._pending and line[:1].isdigit() else Fields()
        messages.append(Message(_DATASET, {**fields, **malformed("no reply")}, CLIENT if fields else SERVER))
        return GO_ON if self._broken <= _MOST_BROKEN else DONE


def _data_port(fields: Fields, reply: Reply) -> None:
    """Say where the data connection goes: `PASV` and `EPSV` in the reply, `PORT` and `EPRT` in the command."""
    command = fields.get("ftp.command")
    is_passive = command in {"PASV", "EPSV"}
    if command not in {"PASV", "EPSV", "PORT", "EPRT"} or reply.code >= 400:
        return
    text = reply.text if is_passive else str(fields.get("ftp.command_data", ""))
    port = -1
    if command in {"PASV", "PORT"} and (found := _PASSIVE.search(text)):
        port = int(found[1]) * 256 + int(found[2])
    elif command in {"EPSV", "EPRT"} and (found := _EXTENDED.search(text)):
        port = int(found[2])
    if 0 <= port < 65_536:
        fields["ftp.mode"] = "passive" if is_passive else "active"
        fields["ftp.dynamic_port"] = port


def _unanswered(time: int, fields: Fields) -> Message:
    return Message(_DATASET, {**fields, "event.outcome": "unknown"}, CLIENT, time)


PROTOCOL: Final = ProtocolKind(
    name="ftp",
    transport=TCP,
    recognise=recognise,
    decoder=FtpDecoder,
    ports=frozenset({_PORT}),
    first_bytes=frozenset(b"12345UAFSOHPCNQTRLDMEuafsohpcnqtrldme\xff"),
    resumes=True,
)
