"""Replies of three digits, as FTP (RFC 959, 4.2) and SMTP (RFC 5321, 4.2) give them, on several lines or one."""

from typing import Final, NamedTuple

from sakimori_packet_sensor.domain.protocols.text import text_of

_MOST_TEXT: Final = 512


class Reply(NamedTuple):
    """A code, and the text of its first line."""

    code: int
    text: str


class Replies:
    """Puts the lines of one server together."""

    __slots__ = ("_open", "_text")

    def __init__(self) -> None:
        self._open = b""
        self._text = ""

    def take(self, line: bytes) -> Reply | None:
        """Take a line; returns a reply when it ends with it. A line that is none within no reply has code 0."""
        code, mark = line[:3], line[3:4]
        if self._open:
            if code != self._open or mark == b"-":
                return None
            self._open = b""
            return Reply(int(code), self._text)
        if not code.isdigit() or len(code) < 3 or mark not in {b" ", b"-", b""}:
            return Reply(0, text_of(line, _MOST_TEXT))
        text = text_of(line[4:], _MOST_TEXT)
        if mark == b"-":
            self._open, self._text = code, text
            return None
        return Reply(int(code), text)
