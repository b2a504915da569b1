"""MySQL's client/server protocol up to the login: what server, who, with which plugin, and how it went."""

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
from sakimori_packet_sensor.domain.protocols.framing import read_each
from sakimori_packet_sensor.domain.protocols.malformed import Malformed
from sakimori_packet_sensor.domain.protocols.text import text_of

_DATASET: Final = "network.mysql"
_MOST_PACKET: Final = 8_192
_LONG_PASSWORD_BYTES: Final = 32
_CONNECT_WITH_DB, _PROTOCOL_41, _SSL, _PLUGIN, _LENGTH_ENCODED = 1 << 3, 1 << 9, 1 << 11, 1 << 19, 1 << 21

_GREETING = re.compile(rb"(..\x00)\x00\x0a([ -~]{1,128})\x00", re.DOTALL)
_ERROR = re.compile(rb"..\x00\x00\xff..(?:#.....)?[ -~]", re.DOTALL)


def recognise(data: bytes, side: int, _ends: Ends) -> Verdict:
    """A server's greeting of protocol 10, as long as it says."""
    if side != SERVER:
        return Verdict.NO
    if len(data) < 8:
        return Verdict.MORE if data[2:5] == b"\x00\x00\x0a"[: len(data) - 2] else Verdict.NO
    found = _GREETING.match(data)
    if found:
        length = int.from_bytes(found[1], "little")
        return Verdict.YES if len(found[2]) + 30 <= length and len(data) <= length + 4 else Verdict.NO
    return Verdict.YES if data[3:5] == b"\x00\xff" and _ERROR.match(data) and data[0] == len(data) - 4 else Verdict.NO


class MysqlDecoder:
    """One login; nothing behind it is read."""

    __slots__ = ("_has_answered", "_login", "_server")

    def __init__(self, _ends: Ends) -> None:
        self._server: Fields = {}
        self._login: Fields | None = None
        self._has_answered = False

    def feed(self, side: int, data: bytes, _time: int) -> Read:
        """Take bytes of a side. Raises Malformed."""
        return read_each(_DATASET, side, data, self._packet)

    def finish(self) -> Sequence[Message]:
        """Report a greeting or a login that was not answered."""
        if self._login is not None:
            return [self._message({**self._login, "event.outcome": "unknown"})]
        return [self._message({"mysql.type": "greeting"})] if self._server else []

    def _packet(self, side: int, data: bytes, at: int, messages: list[Message]) -> int:
        if at + 5 > len(data):
            return at
        length = int.from_bytes(data[at : at + 3], "little")
        if not 0 < length <= _MOST_PACKET:
            raise Malformed(f"a packet of {length} bytes before the login")
        if at + 4 + length > len(data):
            return at
        body = data[at + 4 : at + 4 + length]
        then = self._from_server(body, messages) if side == SERVER else self._from_client(body, messages)
        return then or at + 4 + length

    def _from_server(self, body: bytes, messages: list[Message]) -> int:
        if body[0] == 0x0A and not self._server:
            self._server["mysql.version"] = text_of(body[1:].partition(b"\x00")[0], 128)
        elif body[0] == 0xFF:
            code = int.from_bytes(body[1:3], "little")
            fields = self._login or {"mysql.type": "greeting"}
            messages.append(self._message({**fields, "mysql.error_code": code, "event.outcome": "failure"}))
            return DONE
        elif body[0] == 0x00 and self._login is not None:
            messages.append(self._message({**self._login, "event.outcome": "success"}))
            return DONE
        elif body[0] == 0xFE and self._login is not None and len(body) > 1:
            self._login["mysql.auth_plugin"] = text_of(body[1:].partition(b"\x00")[0], 64)
        return 0

    def _from_client(self, body: bytes, messages: list[Message]) -> int:
        if self._login is not None:  # more of the authentication; no password is an empty one, or a zero byte
            self._login["mysql.has_password"] = bool(self._login.get("mysql.has_password")) or len(body) > 1
            return 0
        if len(body) < 4:
            raise Malformed("a login that is cut")
        flags = int.from_bytes(body[:4], "little")
        if not flags & _PROTOCOL_41:
            self._login = {"mysql.type": "login", "user.name": text_of(body[5:].partition(b"\x00")[0], 256)}
            return 0
        if len(body) < _LONG_PASSWORD_BYTES:
            raise Malformed("a login that is cut")
        if len(body) == _LONG_PASSWORD_BYTES:
            if not flags & _SSL:
                raise Malformed("a login without user")
            messages.append(self._message({"mysql.type": "greeting", "mysql.starttls": True}))
            return AGAIN
        self._login = _login(body, flags)
        return 0

    def _message(self, fields: Fields) -> Message:
        return Message(_DATASET, {**self._server, **fields}, CLIENT)


def _login(body: bytes, flags: int) -> Fields:
    """HandshakeResponse41: the user, whether there is a password, the database, the plugin."""
    user_end = body.find(b"\x00", _LONG_PASSWORD_BYTES)
    if user_end < 0 or user_end + 1 >= len(body):
        raise Malformed("a user without end")
    fields: Fields = {"mysql.type": "login", "user.name": text_of(body[_LONG_PASSWORD_BYTES:user_end], 256)}
    size = body[user_end + 1]
    fields["mysql.has_password"] = size > 0
    at = user_end + 2 + (size if size < 251 or not flags & _LENGTH_ENCODED else 0)
    if flags & _CONNECT_WITH_DB and at < len(body):
        name, _, _ = body[at:].partition(b"\x00")
        fields["mysql.database"] = text_of(name, 256)
        at += len(name) + 1
    if flags & _PLUGIN and at < len(body):
        fields["mysql.auth_plugin"] = text_of(body[at:].partition(b"\x00")[0], 64)
    return fields


PROTOCOL: Final = ProtocolKind(
    name="mysql",
    transport=TCP,
    recognise=recognise,
    decoder=MysqlDecoder,
    ports=frozenset({3306}),
)
