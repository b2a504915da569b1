"""Lines of text protocols (FTP, SMTP, POP3, IMAP, IRC, Stratum), one reading for all: bounded, whatever comes."""

import re
from collections.abc import Callable
from typing import Final

from sakimori_packet_sensor.domain.protocols.contract import AGAIN, Message, Read

MOST_BYTES: Final = 4096

GO_ON: Final = 0

Say = Callable[[int, bytes, list[Message]], int]
"""Takes a line of a side without its end: adds what is to be said of it, returns how many bytes behind it are to be
skipped (GO_ON: none; DONE; AGAIN)."""

_PRINTABLE: Final = re.compile(rb"[\t\r\n -~]*")


class Lines:
    """Cuts the bytes of one side into lines that end in LF or CR LF. Of one that is too long the beginning is taken."""

    __slots__ = ("_is_skipping", "_most")

    def __init__(self, most: int = MOST_BYTES) -> None:
        self._most = most
        self._is_skipping = False

    def take(self, data: bytes, at: int) -> tuple[bytes | None, int]:
        """Take the line that begins at an offset; returns it (None: more is needed) and what was dealt with up to."""
        end = data.find(b"\n", at)
        if self._is_skipping:
            if end < 0:
                return None, len(data)
            self._is_skipping = False
            at = end + 1
            end = data.find(b"\n", at)
        if end >= 0:
            line = data[at : min(end, at + self._most)]
            return line[:-1] if line.endswith(b"\r") else line, end + 1
        if len(data) - at <= self._most:
            return None, at
        self._is_skipping = True
        return data[at : at + self._most], len(data)


def read_lines(lines: Lines, side: int, data: bytes, say: Say) -> Read:
    """Take all lines that are there."""
    messages: list[Message] = []
    at, end = 0, len(data)
    while at < end:
        line, at = lines.take(data, at)
        if line is None:
            break
        skip = say(side, line, messages)
        if skip >= AGAIN:
            return Read(messages, skip)
        at += skip
    return Read(messages, at)


def is_text(data: bytes) -> bool:
    """Whether there is nothing but printable ASCII, spaces and ends of lines."""
    return _PRINTABLE.fullmatch(data) is not None


def verb_of(line: bytes) -> tuple[str, bytes]:
    """Split a command into its first word, in capitals ("" when that is no word), and what follows."""
    word, _, rest = line.partition(b" ")
    return word.decode("ascii", "replace").upper() if word.isalnum() and len(word) <= 16 else "", rest.strip()
