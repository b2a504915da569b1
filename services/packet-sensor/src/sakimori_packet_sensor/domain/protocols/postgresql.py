"""PostgreSQL's protocol 3 up to the login: who, which database and program, by what, and how it went."""

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
from sakimori_packet_sensor.domain.protocols.framing import read_each
from sakimori_packet_sensor.domain.protocols.malformed import Malformed
from sakimori_packet_sensor.domain.protocols.text import text_of

_DATASET: Final = "network.postgresql"
_MOST_STARTUP: Final = 10_000
"""As the server itself has it (MAX_STARTUP_PACKET_LENGTH)."""
_MOST_MESSAGE: Final = 65_536
_STARTUP, _CANCEL, _SSL, _GSS = 0x0003, 80877102, 80877103, 80877104
_SSL_REQUESTS: Final = frozenset({_SSL, _GSS})
_METHODS: Final = {
    2: "kerberos", 3: "password", 5: "md5", 7: "gss", 9: "sspi", 10: "sasl",
}  # fmt: skip
_NAMES: Final = {
    b"user": "user.name",
    b"database": "postgresql.database",
    b"application_name": "postgresql.application",
}


def recognise(data: bytes, side: int, _ends: Ends) -> Verdict:
    """A client's first message; it begins with its length and one of five numbers."""
    if side != CLIENT:
        return Verdict.NO
    if len(data) < 8:
        return Verdict.MORE if data[:2] == b"\x00\x00"[: len(data)] else Verdict.NO
    length, code = int.from_bytes(data[:4], "big"), int.from_bytes(data[4:8], "big")
    if code in _SSL_REQUESTS:
        return Verdict.YES if length == 8 else Verdict.NO
    if code == _CANCEL:
        return Verdict.YES if length == 16 else Verdict.NO
    is_startup = code >> 16 == _STARTUP and 12 < length <= _MOST_STARTUP
    return Verdict.YES if is_startup and b"user\x00" in data[8 : 8 + length] else Verdict.NO


class PostgresqlDecoder:
    """One login; nothing behind it is read."""

    __slots__ = ("_asked", "_login")

    def __init__(self, _ends: Ends) -> None:
        self._login: Fields | None = None
        self._asked = 0
        """The kind of encryption that was asked for and not yet answered."""

    def feed(self, side: int, data: bytes, _time: int) -> Read:
        """Take bytes of a side. Raises Malformed."""
        take = self._from_server if side == SERVER else self._from_client
        return read_each(_DATASET, side, data, take)

    def finish(self) -> Sequence[Message]:
        """Report a login that was not answered."""
        return [Message(_DATASET, {**self._login, "event.outcome": "unknown"})] if self._login is not None else []

    def _from_client(self, _side: int, data: bytes, at: int, _messages: list[Message]) -> int:
        if self._login is not None:
            return len(data)  # passwords
        if at + 8 > len(data):
            return at
        length, code = int.from_bytes(data[at : at + 4], "big"), int.from_bytes(data[at + 4 : at + 8], "big")
        if not 8 <= length <= _MOST_STARTUP:
            raise Malformed(f"a first message of {length} bytes")
        end = at + length
        if end > len(data):
            return at
        if code in _SSL_REQUESTS:
            self._asked = code
        elif code >> 16 == _STARTUP:
            self._login = _startup(data[at + 8 : end])
        elif code == _CANCEL:
            return DONE
        else:
            raise Malformed(f"no such first message: {code}")
        return end

    def _from_server(self, _side: int, data: bytes, at: int, messages: list[Message]) -> int:
        if self._asked:
            asked, self._asked = self._asked, 0
            if data[at : at + 1] == b"N":
                return at + 1
            if data[at : at + 1] in {b"S", b"G"}:
                messages.append(
                    Message(_DATASET, {"postgresql.type": "encryption", "postgresql.starttls": asked == _SSL})
                )
                return AGAIN if asked == _SSL else DONE
        if at + 5 > len(data):
            return at
        kind, length = data[at : at + 1], int.from_bytes(data[at + 1 : at + 5], "big")
        if not 4 <= length <= _MOST_MESSAGE or self._login is None:
            raise Malformed(f"a message of {length} bytes before the login")
        end = at + 1 + length
        if kind not in b"RE":
            return end
        return at if end > len(data) else self._answer(kind, data[at + 5 : end], messages) or end

    def _answer(self, kind: bytes, body: bytes, messages: list[Message]) -> int:
        """AuthenticationXXX or ErrorResponse."""
        login = self._login or {}
        if kind == b"E":
            for field in body.split(b"\x00"):
                if field[:1] == b"C":
                    login["postgresql.error_code"] = text_of(field[1:], 16)
            messages.append(Message(_DATASET, {**login, "event.outcome": "failure"}))
            return DONE
        if len(body) < 4:
            raise Malformed("an answer without code")
        code = int.from_bytes(body[:4], "big")
        if not code:
            messages.append(Message(_DATASET, {**login, "event.outcome": "success"}))
            return DONE
        if code in _METHODS:
            login["postgresql.auth_method"] = _METHODS[code]
            login["postgresql.has_password"] = code in {3, 5, 10}
        return 0


def _startup(body: bytes) -> Fields:
    words = body.split(b"\x00", 128)
    fields: Fields = {"postgresql.type": "login"}
    for name, value in zip(words[::2], words[1::2], strict=False):
        if name in _NAMES:
            fields[_NAMES[name]] = text_of(value, 256)
    return fields


PROTOCOL: Final = ProtocolKind(
    name="postgresql",
    transport=TCP,
    recognise=recognise,
    decoder=PostgresqlDecoder,
    ports=frozenset({5432}),
    first_bytes=frozenset({0}),
)
