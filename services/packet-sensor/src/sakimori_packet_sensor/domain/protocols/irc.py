"""IRC (RFC 2812) on any port: who comes, by which server, into which channels. What is said is counted, not kept."""

import re
from collections import Counter
from collections.abc import Sequence
from typing import Final

from sakimori_packet_sensor.domain.protocols.contract import (
    AGAIN,
    CLIENT,
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

_DATASET: Final = "network.irc"
_MOST_LINE: Final = 1024
"""512 by the RFC, more with message tags."""
_MOST_CHANNELS: Final = 64
_MOST_EVENTS: Final = 64
"""Of one conversation; what is beyond is counted only."""

_CLIENT = re.compile(
    rb"(?i)(?:NICK [^\s:]{1,64}\r?\n|USER (?:\S+ ){3}\S|CAP (?:LS|REQ|END)|PASS \S+\r?\n(?:NICK|USER|CAP) )"
)
_SERVER = re.compile(rb"(?i)(?::[^\s:]{1,255} )?(?:NOTICE (?:AUTH|\*|\S{1,64}) :|(?:001|002|020|375|670) )")
_LINE = re.compile(rb"(?:@\S* +)?(?::(\S*) +)?([A-Za-z]{1,16}|\d{3})(?: +|$)", re.DOTALL)
_COUNTED: Final = frozenset({"PRIVMSG", "NOTICE"})
_NUMBERS: Final = {433: "nick in use", 464: "wrong password", 465: "banned"}


def recognise(data: bytes, side: int, _ends: Ends) -> Verdict:
    """What a client must say first, or a server's welcome."""
    found = (_CLIENT if side == CLIENT else _SERVER).match(data)
    if found:
        return Verdict.YES
    upper = data[:16].upper()
    is_begun = side == CLIENT and any(each.startswith(upper[: len(each)]) for each in (b"PASS ", b"NICK ", b"STARTTLS"))
    return Verdict.MORE if is_begun and len(data) < 512 else Verdict.NO


class IrcDecoder:
    """One client at one server."""

    __slots__ = ("_counts", "_identity", "_lines", "_reported")

    def __init__(self, _ends: Ends) -> None:
        self._lines = (Lines(_MOST_LINE), Lines(_MOST_LINE))
        self._identity: Fields = {}
        self._counts: Counter[str] = Counter()
        self._reported = 0

    def feed(self, side: int, data: bytes, _time: int) -> Read:
        """Take bytes of a side."""
        return read_lines(self._lines[side], side, data, self._line)

    def finish(self) -> Sequence[Message]:
        """Say how much was said."""
        counts: Fields = {f"irc.count.{name}": many for name, many in self._counts.items()}
        return [Message(_DATASET, {"irc.command": "summary", **self._identity, **counts})]

    def _line(self, side: int, line: bytes, messages: list[Message]) -> int:
        found = _LINE.match(line)
        if found is None:
            return GO_ON
        command = found[2].decode("ascii").upper()
        words = _parameters(line[found.end() :])
        if command in _COUNTED:
            self._counts[f"{command.lower()}_{'sent' if side == CLIENT else 'received'}"] += 1
            return GO_ON
        if side == SERVER:
            return self._from_server(command, found[1], words, messages)
        self._from_client(command, words, messages)
        return GO_ON

    def _from_client(self, command: str, words: list[bytes], messages: list[Message]) -> None:
        if not words and command != "QUIT":
            return
        if command == "NICK":
            self._identity["irc.nick"] = text_of(words[0], 128)
            self._say({"irc.command": "nick"}, messages)
        elif command == "USER":
            self._identity["user.name"] = text_of(words[0], 128)
            if len(words) > 3:
                self._identity["irc.real_name"] = text_of(words[3], 256)
            self._say({"irc.command": "user"}, messages)
        elif command == "PASS":
            self._identity["irc.has_password"] = True
        elif command == "JOIN":
            channels = words[0].split(b",")[:_MOST_CHANNELS]
            self._say({"irc.command": "join", "irc.channels": [text_of(name, 200) for name in channels]}, messages)
        elif command == "QUIT":
            self._say({"irc.command": "quit"}, messages)

    def _from_server(self, command: str, prefix: bytes | None, words: list[bytes], messages: list[Message]) -> int:
        if prefix and b"!" not in prefix and "irc.server" not in self._identity:
            self._identity["irc.server"] = text_of(prefix, 255)
        if command == "001":
            self._say({"irc.command": "welcome", "event.outcome": "success"}, messages, SERVER)
        elif command.isdigit() and int(command) in _NUMBERS:
            fields: Fields = {"irc.command": "error", "irc.reply_code": int(command), "event.outcome": "failure"}
            self._say({**fields, "irc.error": _NUMBERS[int(command)]}, messages, SERVER)
        elif command == "670" and words:
            self._say({"irc.command": "starttls"}, messages, SERVER)
            return AGAIN
        return GO_ON

    def _say(self, fields: Fields, messages: list[Message], side: int = CLIENT) -> None:
        self._reported += 1
        if self._reported <= _MOST_EVENTS:
            messages.append(Message(_DATASET, {**self._identity, **fields}, side))
        else:
            self._counts[f"{fields['irc.command']}_beyond"] += 1


def _parameters(rest: bytes) -> list[bytes]:
    """At most 15 words, the last from a colon on to the end."""
    words: list[bytes] = []
    while rest and len(words) < 15:
        if rest.startswith(b":"):
            return [*words, rest[1:]]
        word, _, rest = rest.partition(b" ")
        if word:
            words.append(word)
    return words


PROTOCOL: Final = ProtocolKind(
    name="irc",
    transport=TCP,
    recognise=recognise,
    decoder=IrcDecoder,
    ports=frozenset({194, 6660, 6661, 6662, 6663, 6664, 6665, 6666, 6667, 6668, 6669, 7000}),
    first_bytes=frozenset(b":NUCPS0nucps"),
    resumes=True,
)
