"""Redis (RESP): which commands are used, who logs in, what is refused. Values are never read.

The first use of each command in a conversation is an event, and every AUTH; the rest is counted.
"""

import re
from collections.abc import Sequence
from typing import Final

from sakimori_packet_sensor.domain.protocols.contract import (
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
from sakimori_packet_sensor.domain.protocols.lines import Lines
from sakimori_packet_sensor.domain.protocols.malformed import Malformed
from sakimori_packet_sensor.domain.protocols.text import text_of

_DATASET: Final = "network.redis"
_PORT: Final = 6379
_MOST_KEPT: Final = 512
_MOST_COMMANDS: Final = 64
_MOST_ERRORS: Final = 16

_CALL = re.compile(rb"\*[1-9]\d{0,5}\r\n\$\d{1,4}\r\n[A-Za-z]")
_BEGUN = re.compile(rb"\*(?:[1-9]\d{0,5}(?:\r(?:\n(?:\$(?:\d{1,4}(?:\r\n?)?)?)?)?)?)?$")
_WORD = re.compile(rb"[A-Za-z.]{1,32}$")
_KEYED: Final = frozenset({
    "GET", "SET", "DEL", "EXISTS", "EXPIRE", "TTL", "TYPE", "INCR", "DECR", "HGET", "HSET", "HGETALL", "LPUSH", "RPUSH",
    "LRANGE", "SADD", "SMEMBERS", "ZADD", "ZRANGE", "XADD", "SUBSCRIBE", "PUBLISH", "SELECT", "CONFIG", "CLIENT",
    "MODULE", "SLAVEOF", "REPLICAOF", "CLUSTER", "DEBUG", "KEYS", "SCAN", "FLUSHALL", "FLUSHDB", "SAVE", "BGSAVE",
})  # fmt: skip
"""Commands whose first argument is a key, a subcommand or an address, and no secret."""


def recognise(data: bytes, side: int, ends: Ends) -> Verdict:
    """An array of strings, which is how a client calls."""
    if side == SERVER:
        return Verdict.NO
    if _CALL.match(data):
        return Verdict.YES
    if (
        ends.destination_port == _PORT
        and b"\r\n" in data[:64]
        and _WORD.match(data.split()[0] if data.split() else b"")
    ):
        return Verdict.YES
    return Verdict.MORE if len(data) < 20 and _BEGUN.match(data) else Verdict.NO


class RedisDecoder:
    """Reads calls; of what the server says only whether it refuses."""

    __slots__ = ("_arguments", "_auth", "_calls", "_errors", "_left", "_lines", "_seen")

    def __init__(self, _ends: Ends) -> None:
        self._lines = Lines()
        self._left = 0
        self._arguments: list[bytes] = []
        self._seen: set[str] = set()
        self._auth: Fields | None = None
        self._calls = self._errors = 0

    def feed(self, side: int, data: bytes, _time: int) -> Read:
        """Take bytes of a side. Raises Malformed."""
        messages: list[Message] = []
        if side == SERVER:
            self._answer(data, messages)
            return Read(messages, len(data))
        at, end = 0, len(data)
        while at < end:
            line, behind = self._lines.take(data, at)
            if line is None:
                return Read(messages, behind)
            at = self._line(line, data, at, behind, messages) if self._left else self._begin(line, behind, messages)
            if at < 0:
                return Read(messages, ~at)
        return Read(messages, at)

    def finish(self) -> Sequence[Message]:
        """Say how many commands there were."""
        left = [Message(_DATASET, {**self._auth, "event.outcome": "unknown"})] if self._auth is not None else []
        return [*left, Message(_DATASET, {"redis.command": "summary", "redis.count.commands": self._calls})]

    def _begin(self, line: bytes, behind: int, messages: list[Message]) -> int:
        self._arguments = []
        if not line.startswith(b"*"):
            self._arguments = line.split()[:3]
            self._called(messages)
        elif not line[1:].isdigit() or len(line) > 8:
            raise Malformed("an array of no length")
        else:
            self._left = int(line[1:])
        return behind

    def _line(self, line: bytes, data: bytes, at: int, behind: int, messages: list[Message]) -> int:
        """Take an argument; returns where the next begins, or the inverse of where more is needed from."""
        if not line.startswith(b"$") or not line[1:].isdigit() or len(line) > 10:
            raise Malformed("an argument of no length")
        size = int(line[1:])
        if len(self._arguments) < 3 and size <= _MOST_KEPT:
            if behind + size > len(data):
                return ~at
            self._arguments.append(data[behind : behind + size])
        elif len(self._arguments) < 3:
            self._arguments.append(b"")
        self._left -= 1
        if not self._left:
            self._called(messages)
        return behind + size + 2

    def _called(self, messages: list[Message]) -> None:
        if not self._arguments or not _WORD.match(self._arguments[0]):
            return
        self._calls += 1
        name = self._arguments[0].decode("ascii").upper()
        fields: Fields = {"redis.command": name}
        if name == "AUTH":
            if len(self._arguments) > 2:
                fields["user.name"] = text_of(self._arguments[1], 128)
            self._auth = {**fields, "redis.has_password": True}
            return
        if name in self._seen or len(self._seen) >= _MOST_COMMANDS:
            return
        self._seen.add(name)
        if name in _KEYED and len(self._arguments) > 1:
            fields["redis.key"] = text_of(self._arguments[1], 128)
        messages.append(Message(_DATASET, fields))

    def _answer(self, data: bytes, messages: list[Message]) -> None:
        is_error = data.startswith(b"-")
        error = text_of(data[1:].split(b"\r", 1)[0].split(b" ", 1)[0], 32) if is_error else ""
        fields: Fields = {"redis.error": error} if is_error else {}
        if self._auth is not None:
            said, self._auth = self._auth, None
            messages.append(
                Message(_DATASET, {**said, **fields, "event.outcome": "failure" if is_error else "success"})
            )
        elif is_error and self._errors < _MOST_ERRORS:
            self._errors += 1
            messages.append(Message(_DATASET, {"redis.command": "error", **fields, "event.outcome": "failure"}, CLIENT))


PROTOCOL: Final = ProtocolKind(
    name="redis",
    transport=TCP,
    recognise=recognise,
    decoder=RedisDecoder,
    ports=frozenset({_PORT}),
    first_bytes=frozenset(b"*PIAECSQKMpiaecsqkm"),
)
